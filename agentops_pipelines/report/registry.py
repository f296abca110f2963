"""The sections of the report, all of them, in the order in which equals are shown. Belongs here: only that list."""

from agentops_pipelines.report import agent_sections, gateway_sections, matching_sections, ticket_sections
from agentops_pipelines.report.sections import Section

SECTIONS: tuple[Section, ...] = (
    *agent_sections.SECTIONS,
    *ticket_sections.SECTIONS,
    *gateway_sections.SECTIONS,
    *matching_sections.SECTIONS,
)
