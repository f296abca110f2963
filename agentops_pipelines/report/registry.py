"""The sections of the report, all of them, in the order in which equals are shown. Belongs here: only that list."""

from agentops_pipelines.report import matching_sections
from agentops_pipelines.report.sections import Section

SECTIONS: tuple[Section, ...] = (*matching_sections.SECTIONS,)
