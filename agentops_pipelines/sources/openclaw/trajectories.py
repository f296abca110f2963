"""Agent runs: what started them, under which session key, how they ended.

Belongs here: session.started and session.ended events of trajectories, from files (2026.6) and from SQLite (2026.9).
The other events hold prompts and answers, are most of the bytes, and are not parsed, but for one case: a file whose
transcript is gone is the last that knows of its calls (recovered).

A run without an end is kept open: reading goes on at its start next time, so that the end finds it. Only the last run
can be open: a session runs one at a time, and a retry starts again under the same id without ending first.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from agentops_pipelines.sources.openclaw.files import StateFile
from agentops_pipelines.sources.openclaw.keys import public_key, public_run_id
from agentops_pipelines.sources.openclaw.lines import LineScanner, Progress, values_of
from agentops_pipelines.sources.openclaw.places import Place
from agentops_pipelines.sources.openclaw.recovered import COMPLETED, SKIP_RECOVERING, add_calls
from agentops_pipelines.sources.openclaw.rows import Sink
from agentops_pipelines.sources.openclaw.values import BadValue, mapping, micros, short_text, word

SKIP = re.compile(
    rb'\{"traceSchema":"[^"\\\n]*","schemaVersion":\d+,"traceId":"[^"\\\n]*","source":"[^"\\\n]*","type":"(?!session\.)'
)
"""How events begin that hold nothing for us, as OpenClaw writes them."""

OPENING = b'{"traceSchema":"'
SQL_FILTER = """instr(substr(event_json, 1, 400), '"type":"session.') > 0"""

_WANTED = b'"session.'


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenRun:
    """A run that has no end yet: where its first event stands, and its row."""

    index: int
    position: int
    row: tuple[object, ...]
    run_id: str
    started_at: int


class Trajectory:
    """Puts the runs of one trajectory into the sink; with `recovers` also the calls that were made in them."""

    def __init__(
        self,
        *,
        sink: Sink,
        host: str,
        agent_id: str,
        session_id: str,
        item: str,
        counts_from: int,
        recovers: bool = False,
    ) -> None:
        self._sink = sink
        self._host = host
        self._agent_id = agent_id
        self._session_id = session_id
        self._item = item
        self._counts_from = counts_from
        self._recovers = recovers
        self.open_run: OpenRun | None = None

    def add(self, raw: bytes, index: int, *, position: int) -> None:
        """One event; `index` is its number, from 0, and `position` where reading would have to go on for it."""
        if _WANTED not in raw and not (self._recovers and COMPLETED in raw):
            return
        try:
            events, reason = [orjson.loads(raw)], None
        except orjson.JSONDecodeError:
            events, reason = values_of(raw, openings=(OPENING,))
        if reason is not None:
            self.refuse(index, reason)
        for event in events:
            if isinstance(event, dict):
                self._add_event(event, index, position)
            else:
                self.refuse(index, "wrong_type")

    def refuse(self, index: int, reason: str) -> None:
        """Note that the event could not be used."""
        self._sink.refuse(self._item, index + self._counts_from, reason)

    def _add_event(self, event: Mapping[str, Any], index: int, position: int) -> None:
        kind = event.get("type")
        if kind == "model.completed" and self._recovers:
            self._recover(event, index)
        if kind not in ("session.started", "session.ended"):
            return
        run_id = short_text(event.get("runId"), limit=500)
        try:
            at = micros(event.get("ts"))
        except BadValue as problem:
            self.refuse(index, problem.reason)
            return
        if run_id is None or at is None:
            self.refuse(index, "wrong_type" if run_id is None else "no_timestamp")
            return
        run_id = public_run_id(run_id)
        if kind == "session.started":
            self._start(event, run_id, at, index=index, position=position)
        elif self.open_run is not None and self.open_run.run_id == run_id:
            *begun, _, trigger, message_provider, provider, model, _ = self.open_run.row
            status = word(mapping(event.get("data")).get("status"))
            self._sink.runs.append((*begun, at, trigger, message_provider, provider, model, status))
            self.open_run = None

    def _start(self, event: Mapping[str, Any], run_id: str, at: int, *, index: int, position: int) -> None:
        data = mapping(event.get("data"))
        key = event.get("sessionKey")
        row = (
            self._host,
            self._agent_id,
            short_text(event.get("sessionId")) or self._session_id,
            public_key(key) if isinstance(key, str) and key else None,
            run_id,
            at,
            None,
            word(data.get("trigger")),
            word(data.get("messageProvider")),
            short_text(event.get("provider")),
            short_text(event.get("modelId")),
            None,
        )
        self._sink.runs.append(row)
        begun = self.open_run.started_at if self.open_run is not None and self.open_run.run_id == run_id else at
        self.open_run = OpenRun(index=index, position=position, row=row, run_id=run_id, started_at=begun)

    def _recover(self, event: Mapping[str, Any], index: int) -> None:
        place = Place(
            host=self._host,
            agent_id=self._agent_id,
            session_id=short_text(event.get("sessionId")) or self._session_id,
            path=self._item,
            origin="trajectory",
            item=self._item,
            counts_from=self._counts_from,
        )
        run = self.open_run
        add_calls(event, index, place=place, since=run.started_at if run is not None else None, sink=self._sink)


class TrajectoryFile:
    """The lines of a trajectory file (2026.6)."""

    def __init__(self, file: StateFile, session_id: str, *, sink: Sink, recovers: bool) -> None:
        self.session_id = session_id
        self._trajectory = Trajectory(
            sink=sink,
            host=sink.host,
            agent_id=file.agent_id,
            session_id=session_id,
            item=file.item,
            counts_from=1,
            recovers=recovers,
        )
        self._skip = SKIP_RECOVERING if recovers else SKIP
        self._end = 0

    def scanner(self, begin: Progress) -> LineScanner:
        """A scanner that hands this file its lines."""
        scanner = LineScanner(
            skip=self._skip,
            opening=OPENING,
            handle=lambda raw, index: self._trajectory.add(raw, index, position=scanner.offset),
            refuse_long=lambda index: self.refuse(index, "line_too_long"),
            begin=begin,
        )
        return scanner

    def handle_last(self, raw: bytes, index: int) -> None:
        """A last line that has no end but is whole. A run that it opens is read again with it."""
        self._trajectory.add(raw, index, position=self._end)

    def refuse(self, index: int, reason: str) -> None:
        """Note a line that cannot be used."""
        self._trajectory.refuse(index, reason)

    def progress(self, scanned: Progress) -> Progress:
        """All lines scanned are done with, but for those of a run that has no end yet."""
        self._end = scanned.position
        run = self._trajectory.open_run
        return scanned if run is None else Progress(position=run.position, lines=run.index)

    def finish(self, *, is_from_beginning: bool, lines: int) -> None:
        """The end is reached."""
