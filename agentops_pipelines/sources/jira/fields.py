"""Which custom fields hold story points and the method: their ids differ in every Jira.

Belongs here: how a field is recognised. Two story-point fields may exist side by side: `Story Points` of
company-managed projects and `Story point estimate` of team-managed ones. Settings come before what is found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentops_pipelines.settings import Jira

_TEAM_MANAGED = "com.pyxis.greenhopper.jira:jsw-story-points"
_COMPANY_NAMES = frozenset({"story points"})
_TEAM_NAMES = frozenset({"story point estimate"})


@dataclass(frozen=True, kw_only=True)
class Fields:
    """Ids of the custom fields; empty where there is none."""

    story_points: str
    story_point_estimate: str
    method: str

    @property
    def ids(self) -> list[str]:
        """Those that exist."""
        return [field for field in (self.story_points, self.story_point_estimate, self.method) if field]

    @property
    def points(self) -> str:
        """Where points are, for people."""
        return " and ".join(field for field in (self.story_points, self.story_point_estimate) if field)

    def column_of(self, item: Mapping[str, object]) -> str | None:
        """`status`, `story_points` or `story_point_estimate` for a changelog item, None for any other.

        A Data Center's items may have no field id: there the names of the standard fields tell.
        """
        field = item.get("fieldId")
        if field == "status" or (field is None and item.get("field") == "status"):
            return "status"
        name = str(item.get("field") or "").lower() if field is None else ""
        if (field and field == self.story_points) or name in _COMPANY_NAMES:
            return "story_points"
        if (field and field == self.story_point_estimate) or name in _TEAM_NAMES:
            return "story_point_estimate"
        return None


def find_fields(answer: Sequence[object], config: Jira) -> Fields:
    """The fields of one Jira, from its answer to /field and the settings."""
    fields = [field for field in answer if isinstance(field, Mapping) and isinstance(field.get("id"), str)]
    named = [*config.points_fields, "", ""]
    return Fields(
        story_points=named[0] or _first(fields, _COMPANY_NAMES),
        story_point_estimate=named[1] or _first(fields, _TEAM_NAMES, custom=_TEAM_MANAGED),
        method=config.method_field or _first(fields, frozenset({"method"})),
    )


def _first(fields: Sequence[Mapping[str, object]], names: frozenset[str], *, custom: str = "") -> str:
    """The id of the first field of that type, else of that name in English or in the account's language."""
    for field in fields:
        schema = field.get("schema")
        if custom and isinstance(schema, Mapping) and schema.get("custom") == custom:
            return str(field["id"])
    for field in fields:
        if {str(field.get(name) or "").strip().lower() for name in ("untranslatedName", "name")} & names:
            return str(field["id"])
    return ""
