"""An agent's SQLite database (2026.7+): session rows, transcript events, archives, trajectories.

Belongs here: which sessions have something new, and how events and archives are stored. Ledger items: the database
file (its stamp), `<file>#<session id>` (last seq, rewrite generation), `<file>#<session id>#runs` (seq before the
first event of a run that is still open) and `<file>#<session id>#<archive>` (the archive's hash).

Damage in one table or session does not keep the others from being read.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard

from agentops_pipelines.sources.batches import Batch, Ledger
from agentops_pipelines.sources.openclaw.files import StateFile
from agentops_pipelines.sources.openclaw.growing import opened, taken
from agentops_pipelines.sources.openclaw.lines import MAX_LINE, without_collection
from agentops_pipelines.sources.openclaw.packed import plain_chunks, read_whole, unpacked_chunks
from agentops_pipelines.sources.openclaw.places import Place
from agentops_pipelines.sources.openclaw.rows import Sink
from agentops_pipelines.sources.openclaw.sessions import KeyAttributes, add_earlier_session, read_session_tables
from agentops_pipelines.sources.openclaw.sqlite import DAMAGE, Copy, UnusableDatabaseError, open_copy, stamp_of
from agentops_pipelines.sources.openclaw.trajectories import SQL_FILTER, Trajectory
from agentops_pipelines.sources.openclaw.transcripts import SKIP, Transcript

_EVENTS = "transcript_events"
_RUNS = "trajectory_runtime_events"
_ARCHIVES = "session_transcript_archives"
_COLD_ARCHIVES = "session_transcript_cold_archives"
_GENERATIONS = "transcript_rewrite_watermarks"

_EVENTS_AT_ONCE = 200


def read_database(file: StateFile, *, sink: Sink, ledger: Ledger, scratch: Path) -> Iterator[Batch]:
    """Whatever the database holds that was not read before; nothing is copied when it did not change.

    Raises OSError when the copy cannot be written.
    """
    known = ledger.get(sink.host, file.item)
    with opened(file, sink) as stream:
        if stream is None:
            return
        stamp = stamp_of(file.path)
        if known is not None and (known.reader, known.fingerprint) == (sink.reader, stamp):
            return
        try:
            with open_copy(file.path, scratch=scratch) as copy:
                yield from _DatabaseReader(file, copy, sink=sink, ledger=ledger).batches()
        except UnusableDatabaseError as problem:
            sink.refuse(file.item, 0, problem.reason)
            if problem.reason == "sqlite_keeps_changing":
                return
        sink.read_up_to(file.item, file.size, stamp)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Extent:
    """What there is of one session in one table. `generation` changes when OpenClaw rewrites the session."""

    session_id: str
    last_seq: int
    generation: str


class _DatabaseReader:
    def __init__(self, file: StateFile, copy: Copy, *, sink: Sink, ledger: Ledger) -> None:
        self._item = file.item
        self._agent_id = file.agent_id
        self._connection = copy.connection
        self._tables = copy.tables
        self._is_sound = copy.is_sound
        self._sink = sink
        self._ledger = ledger
        self._unpack = zstandard.ZstdDecompressor().decompress

    def batches(self) -> Iterator[Batch]:
        if not self._is_sound:
            self._sink.refuse(self._item, 0, "corrupt_sqlite")
        try:
            read_session_tables(
                self._connection, tables=self._tables, sink=self._sink, agent_id=self._agent_id, item=self._item
            )
        except DAMAGE:
            self._sink.refuse(self._item, 0, "corrupt_sqlite")
        for extent in self._extents(_EVENTS):
            yield from self._read_events(extent)
        yield from self._read_archives(_ARCHIVES, where="TRUE", encoding="encoding")
        yield from self._read_archives(_COLD_ARCHIVES, where="storage = 'sqlite'", encoding="'zstd'")
        for extent in self._extents(_RUNS):
            yield from self._read_runs(extent)

    def _extents(self, table: str) -> list[_Extent]:
        if table not in self._tables:
            return []
        generations = self._generations()
        try:
            found = self._connection.execute(f"SELECT session_id, max(seq) FROM {table} GROUP BY session_id").fetchall()
        except DAMAGE:
            self._sink.refuse(self._item, 0, "corrupt_sqlite")
            found = self._extents_one_by_one(table)
        return [
            _Extent(
                session_id=session_id.decode("utf-8", "replace"),
                last_seq=last_seq,
                generation=generations.get(session_id, b"").decode("utf-8", "replace"),
            )
            for session_id, last_seq in found
            if isinstance(session_id, bytes) and isinstance(last_seq, int)
        ]

    def _generations(self) -> dict[bytes, bytes]:
        if _GENERATIONS not in self._tables:
            return {}
        try:
            return dict(self._connection.execute(f"SELECT session_id, generation FROM {_GENERATIONS}"))
        except DAMAGE:
            self._sink.refuse(f"{self._item}#{_GENERATIONS}", 0, "corrupt_sqlite")
            return {}

    def _extents_one_by_one(self, table: str) -> list[tuple[bytes, int]]:
        """In a damaged table: the sessions whose part of it is sound, as far as another table still names them."""
        found: list[tuple[bytes, int]] = []
        try:
            names = self._connection.execute("SELECT session_id FROM session_windows").fetchall()
        except DAMAGE:
            return found
        for (session_id,) in names:
            try:
                select = f"SELECT max(seq) FROM {table} WHERE session_id = CAST(? AS TEXT)"
                ((last_seq,),) = self._connection.execute(select, (session_id,))
            except DAMAGE:
                continue
            found.append((session_id, last_seq))
        return found

    def _read_events(self, extent: _Extent) -> Iterator[Batch]:
        item = f"{self._item}#{extent.session_id}"
        known = self._ledger.get(self._sink.host, item)
        after = -1
        if known is not None and (known.reader, known.fingerprint) == (self._sink.reader, extent.generation):
            if known.position == extent.last_seq:
                return
            after = known.position if known.position < extent.last_seq else -1
        transcript = self._transcript(extent.session_id, item=item, origin="sqlite", counts_from=0)
        seq = 0
        packed = "event_zstd" if "event_zstd" in self._tables[_EVENTS] else "NULL"
        try:
            rows = self._connection.execute(
                f"SELECT seq, event_json, {packed} FROM {_EVENTS} WHERE session_id = ? AND seq > ? ORDER BY seq",
                (extent.session_id, after),
            )
            while events := rows.fetchmany(_EVENTS_AT_ONCE):
                with without_collection():
                    for seq, event, packed_event in events:
                        self._add_event(transcript, seq, event, packed_event)
                if self._sink.is_full:
                    self._sink.read_up_to(item, seq, extent.generation)
                    yield from taken(self._sink)
        except DAMAGE:
            transcript.refuse(seq, "corrupt_sqlite")
        transcript.finish(is_from_beginning=after < 0, lines=1)
        self._sink.read_up_to(item, extent.last_seq, extent.generation)

    def _add_event(self, transcript: Transcript, seq: int, event: object, packed: object) -> None:
        if event is None:
            event = self._unpacked(packed, transcript, seq)
            if event is None:
                return
        if not isinstance(event, bytes):
            transcript.refuse(seq, "wrong_type")
            return
        self._sink.bytes_read += len(event)
        if SKIP.match(event) is None:
            transcript.add(event, seq)

    def _unpacked(self, packed: object, transcript: Transcript, seq: int) -> bytes | None:
        """An event's own text out of its zstd frame; None (and a problem noted) when there is none."""
        if not isinstance(packed, bytes):
            transcript.refuse(seq, "wrong_type")
            return None
        try:
            if zstandard.frame_content_size(packed) > MAX_LINE:
                transcript.refuse(seq, "line_too_long")
                return None
            return self._unpack(packed, max_output_size=MAX_LINE)
        except zstandard.ZstdError:
            transcript.refuse(seq, "corrupt_zstd")
            return None

    def _read_archives(self, table: str, *, where: str, encoding: str) -> Iterator[Batch]:
        if table not in self._tables:
            return
        key = "session_key" if "session_key" in self._tables[table] else "NULL"
        columns = f"rowid, session_id, generation, archive_sha256, {encoding}, {key}"
        try:
            for rowid, *texts in self._connection.execute(f"SELECT {columns} FROM {table} WHERE {where}").fetchall():
                session_id, generation, digest, how, session_key = (_text(value) for value in texts)
                item = f"{self._item}#{session_id}#{generation}"
                known = self._ledger.get(self._sink.host, item)
                if known is not None and (known.reader, known.fingerprint) == (self._sink.reader, digest):
                    continue
                select = f"SELECT CAST(archive_blob AS BLOB) FROM {table} WHERE rowid = ?"
                (blob,) = self._connection.execute(select, (rowid,)).fetchone() or (b"",)
                yield from self._read_archive(blob or b"", session_id, item=item, is_plain=how == "identity")
                if session_key:
                    attributes = KeyAttributes(key=session_key, entry={})
                    add_earlier_session(attributes, session_id, sink=self._sink, agent_id=self._agent_id)
                self._sink.read_up_to(item, len(blob or b""), digest)
        except DAMAGE:
            self._sink.refuse(f"{self._item}#{table}", 0, "corrupt_sqlite")

    def _read_archive(self, blob: bytes, session_id: str, *, item: str, is_plain: bool) -> Iterator[Batch]:
        self._sink.bytes_read += len(blob)
        transcript = self._transcript(session_id, item=item, origin="sqlite_archive", counts_from=1)
        chunks = plain_chunks(io.BytesIO(blob)) if is_plain else unpacked_chunks(io.BytesIO(blob))
        yield from read_whole(chunks, transcript, sink=self._sink)

    def _read_runs(self, extent: _Extent) -> Iterator[Batch]:
        item = f"{self._item}#{extent.session_id}#runs"
        known = self._ledger.get(self._sink.host, item)
        after = -1
        if known is not None and known.reader == self._sink.reader:
            if known.fingerprint == str(extent.last_seq):
                return
            after = known.position if known.position < extent.last_seq else -1
        seq = 0
        trajectory = Trajectory(
            sink=self._sink,
            host=self._sink.host,
            agent_id=self._agent_id,
            session_id=extent.session_id,
            item=item,
            counts_from=0,
        )
        try:
            for seq, event in self._connection.execute(
                f"SELECT seq, event_json FROM {_RUNS} WHERE session_id = ? AND seq > ? AND {SQL_FILTER} ORDER BY seq",
                (extent.session_id, after),
            ):
                self._sink.bytes_read += len(event)
                trajectory.add(event, seq, position=seq - 1)
        except DAMAGE:
            trajectory.refuse(seq, "corrupt_sqlite")
        open_run = trajectory.open_run
        position = extent.last_seq if open_run is None else open_run.position
        self._sink.read_up_to(item, position, str(extent.last_seq))
        if self._sink.is_full:
            yield from taken(self._sink)

    def _transcript(self, session_id: str, *, item: str, origin: str, counts_from: int) -> Transcript:
        place = Place(
            host=self._sink.host,
            agent_id=self._agent_id,
            session_id=session_id,
            path=self._item,
            origin=origin,
            item=item,
            counts_from=counts_from,
        )
        return Transcript(sink=self._sink, place=place)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
