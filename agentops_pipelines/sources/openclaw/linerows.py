"""Rows of raw.openclaw_lines: gathered with their values as they stand in the transcript, checked when a batch is made.

Belongs here: the layout of gathered rows and what makes a row unusable. A row without a believable time, or with a
token count that cannot be believed, is left out; a cost or one of two times that cannot be believed is left empty.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from agentops_pipelines.sources.openclaw.calls import CALL_COLUMNS
from agentops_pipelines.sources.openclaw.columns import text_column, time_column, token_column, usd_column
from agentops_pipelines.sources.openclaw.places import Place
from agentops_pipelines.sources.schemas import OPENCLAW_LINES

_HEAD = ("place", "position", "line_id", "parent_line_id", "written_at", "started_at")
USER_COLUMNS = (
    *_HEAD,
    "reply_chars",
    "run_id",
    "mark",
    "mark_id",
    "mark_name",
    "provenance_kind",
    "provenance_tool",
    "ticket_keys",
)
"""Values of a user line, in order."""
CHANGE_COLUMNS = (*_HEAD, "kind")
"""Values of a compaction or reset, in order."""

_TOKENS = frozenset(name for name in CALL_COLUMNS if name.endswith("_tokens"))
_TIMES = frozenset(("written_at", "started_at"))
_OWN_COUNTS = frozenset(("position", "tool_calls", "reply_chars"))
"""Counted here, not read: nothing to check."""

_GROUP = 256
"""Rows that become parts of columns together: few enough to stay in the processor's cache until then."""

Row = tuple[object, ...]
RefuseLine = Callable[[str, int, str], None]


class Gathered:
    """Rows of one kind, kept as columns: Python's collector of cycles would look at every row that is kept."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._rows: list[Row] = []
        self._columns: tuple[list[Any], ...] = tuple([] for _ in names)

    def __len__(self) -> int:
        return len(self._columns[0]) + len(self._rows)

    def append(self, row: Row) -> None:
        """One more row."""
        self._rows.append(row)
        if len(self._rows) >= _GROUP:
            self._settle()

    def columns(self) -> dict[str, list[Any]]:
        """All of them, by name."""
        self._settle()
        return dict(zip(self.names, self._columns, strict=True))

    def clear(self) -> None:
        """Forget them."""
        for values in (self._rows, *self._columns):
            values.clear()

    def _settle(self) -> None:
        for column, values in zip(self._columns, zip(*self._rows, strict=True), strict=False):
            column.extend(values)
        self._rows.clear()


class LineRows:
    """Lines gathered since the last batch. `frame` checks them, `clear` forgets them."""

    def __init__(self, *, refuse: RefuseLine) -> None:
        """`refuse(item, position, reason)` is told of everything that cannot be used."""
        self.calls = Gathered(CALL_COLUMNS)
        self.users = Gathered(USER_COLUMNS)
        self.changes = Gathered(CHANGE_COLUMNS)
        self._refuse_line = refuse

    def __len__(self) -> int:
        return len(self.calls) + len(self.users) + len(self.changes)

    def clear(self) -> None:
        """Forget everything gathered."""
        for gathered in (self.calls, self.users, self.changes):
            gathered.clear()

    def frame(self) -> pl.DataFrame:
        """The usable rows."""
        frames = [
            self._part(gathered.columns(), kind=kind)
            for gathered, kind in ((self.calls, "assistant"), (self.users, "user"), (self.changes, None))
            if gathered
        ]
        return pl.concat([OPENCLAW_LINES.frame([]), *frames], how="diagonal")

    def _refuse(self, place: Place, index: int, reason: str) -> None:
        self._refuse_line(place.item, index + place.counts_from, reason)

    def _part(self, columns: Mapping[str, Sequence[Any]], *, kind: str | None) -> pl.DataFrame:
        unusable: set[int] = set()

        def note(row: int, reason: str) -> None:
            self._refuse(columns["place"][row], columns["position"][row], reason)

        def note_unusable(row: int, reason: str) -> None:
            note(row, reason)
            unusable.add(row)

        series: dict[str, pl.Series] = {}
        for name, values in columns.items():
            if name in _TOKENS:
                series[name] = token_column(name, values, refuse=note_unusable)
            elif name in _TIMES:
                series[name] = time_column(name, values, refuse=note)
            elif name == "estimate_usd":
                series[name] = usd_column(name, values, refuse=note)
            elif name == "place":
                series.update(_spread_places(values))
            elif name in _OWN_COUNTS:
                series[name] = pl.Series(name, values, dtype=pl.Int64)
            else:
                series[name] = text_column(name, values)
        _name_nameless(series)
        frame = pl.DataFrame(list(series.values()))
        if kind is not None:
            frame = frame.with_columns(kind=pl.lit(kind))
        unusable.update(_without_time(frame, columns, note))
        return frame if not unusable else frame.filter(~pl.int_range(pl.len()).is_in(list(unusable)))


def _spread_places(places: Sequence[Place]) -> dict[str, pl.Series]:
    """What a transcript's lines have in common is made once and spread by number: thousands of rows share it."""
    numbers = {place: number for number, place in enumerate(dict.fromkeys(places))}
    spread = pl.Series(values=list(map(numbers.__getitem__, places)), dtype=pl.UInt32)
    names = ("host", "agent_id", "session_id", "path", "origin")
    return {
        name: pl.Series(name, [getattr(p, name) for p in numbers], dtype=pl.String).gather(spread) for name in names
    }


def _name_nameless(series: dict[str, pl.Series]) -> None:
    ids, positions = series["line_id"], series["position"]
    if ids.null_count():
        series["line_id"] = ids.fill_null("#" + positions.cast(pl.String))


def _without_time(
    frame: pl.DataFrame, columns: Mapping[str, Sequence[Any]], note: Callable[[int, str], None]
) -> list[int]:
    """Rows without any time, noted unless a time that cannot be believed already was."""
    rows = (frame["written_at"].is_null() & frame["started_at"].is_null()).arg_true().to_list()
    for row in rows:
        if columns["written_at"][row] is None and columns["started_at"][row] is None:
            note(row, "no_timestamp")
    return rows
