"""The OpenClaw reader: a state directory in, batches of rows out.

Belongs here: in which order the parts of a state directory are read, and what makes a reader another one. The quirks
stand in the modules beside it: which files count (files), growing files (growing, fingerprints, lines), archives
(packed), SQLite (sqlite, database), what a line says (transcripts, calls, usage, marks, phrases, errors, keys), how
lines become checked columns (linerows, columns), session rows (sessions), runs (trajectories), calls whose transcript
is gone (recovered), cron jobs and their runs (cron), sub-agents (subagents), openclaw.json (configuration), and what
goes into quarantine (problems).

Nothing in a state directory is ever written, and no file is created in it. The reader works beside a running OpenClaw,
on a read-only mount, and as another user that may read.
"""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agentops_pipelines.settings import StateDir
from agentops_pipelines.sources.batches import Batch, Ledger
from agentops_pipelines.sources.openclaw.configuration import read_configuration
from agentops_pipelines.sources.openclaw.cron import read_cron
from agentops_pipelines.sources.openclaw.database import read_database
from agentops_pipelines.sources.openclaw.files import AgentFiles, StateFile, check_state_dir, list_agents
from agentops_pipelines.sources.openclaw.fingerprints import Fingerprint
from agentops_pipelines.sources.openclaw.growing import is_unchanged, opened, read_growing, taken, whole_stamp
from agentops_pipelines.sources.openclaw.packed import read_whole, unpacked_chunks
from agentops_pipelines.sources.openclaw.phrases import PollPhrases
from agentops_pipelines.sources.openclaw.places import Place
from agentops_pipelines.sources.openclaw.rows import Sink
from agentops_pipelines.sources.openclaw.sessions import KeyAttributes, add_earlier_session, read_session_rows
from agentops_pipelines.sources.openclaw.subagents import read_subagents
from agentops_pipelines.sources.openclaw.trajectories import TrajectoryFile
from agentops_pipelines.sources.openclaw.transcripts import Transcript

READER = "openclaw-2"
"""Raise it when the same input gives other rows: everything that still exists is then read again."""


@dataclass(frozen=True, kw_only=True)
class ReadRules:
    """What the operator's settings change about the rows. Other rules mean reading again."""

    empty_poll_phrases: tuple[str, ...]

    def version_of(self, reader: str) -> str:
        """The version of a reader under these rules, as the ledger keeps it."""
        digest = hashlib.blake2b("\0".join(self.empty_poll_phrases).encode("utf-8", "replace"), digest_size=4)
        return f"{reader}:{digest.hexdigest()}"


def read_state_dir(state_dir: StateDir, *, ledger: Ledger, rules: ReadRules, scratch: Path) -> Iterator[Batch]:
    """What the state directory holds that the ledger does not know of, in batches to be committed one by one.

    A batch repeats rows that were read before only with the same keys (a file under another name, a rewritten or
    migrated transcript). `scratch` is a directory for copies of databases; they are deleted before this returns.

    Raises SourceError when the directory is missing, cannot be read, or is no state directory, and OSError when
    `scratch` cannot be written. Everything else that cannot be used is in the batches' quarantine.
    """
    check_state_dir(state_dir)
    return _batches(state_dir, ledger=ledger, rules=rules, scratch=scratch)


def _batches(state_dir: StateDir, *, ledger: Ledger, rules: ReadRules, scratch: Path) -> Iterator[Batch]:
    phrases = PollPhrases(rules.empty_poll_phrases)
    sink = Sink(source=ledger.source, host=state_dir.host, reader=rules.version_of(READER), phrases=phrases)
    now = time.time()
    for agent in list_agents(state_dir, sink):
        yield from _agent_batches(agent, sink=sink, ledger=ledger, scratch=scratch, now=now)
    yield from taken(sink)
    for read in (read_configuration, read_cron, read_subagents):
        yield from read(state_dir, ledger=ledger, rules=rules, scratch=scratch)


def _agent_batches(agent: AgentFiles, *, sink: Sink, ledger: Ledger, scratch: Path, now: float) -> Iterator[Batch]:
    shared: dict[str, KeyAttributes] = {}
    if agent.session_rows is not None:
        shared = _read_session_rows(agent.session_rows, sink=sink, ledger=ledger)
    for file in agent.transcripts:
        transcript_of = partial(_transcript, file, sink=sink)
        if file.is_packed:
            yield from _read_packed(file, transcript_of(file.stem), sink=sink, ledger=ledger)
        else:
            yield from read_growing(file, transcript_of, sink=sink, ledger=ledger, now=now)
        if file.stem in shared:
            _add_session_of_shared_name(file, shared[file.stem], sink=sink, ledger=ledger)
    kept = {file.stem for file in agent.transcripts}
    for file in agent.trajectories:
        trajectory_of = partial(TrajectoryFile, file, sink=sink, recovers=file.stem not in kept)
        yield from read_growing(file, trajectory_of, sink=sink, ledger=ledger, now=now)
    if agent.database is not None:
        yield from read_database(agent.database, sink=sink, ledger=ledger, scratch=scratch)


def _transcript(file: StateFile, session_id: str, *, sink: Sink) -> Transcript:
    place = Place(
        host=sink.host,
        agent_id=file.agent_id,
        session_id=session_id,
        path=file.item,
        origin=file.origin,
        item=file.item,
        counts_from=1,
    )
    return Transcript(sink=sink, place=place)


def _read_session_rows(file: StateFile, *, sink: Sink, ledger: Ledger) -> dict[str, KeyAttributes]:
    """All rows again whenever the file changed: OpenClaw replaces it as a whole."""
    if is_unchanged(file, sink=sink, ledger=ledger):
        return {}
    with opened(file, sink) as stream:
        if stream is None:
            return {}
        content = stream.read()
        sink.bytes_read += len(content)
        sink.read_up_to(file.item, len(content), whole_stamp(file))
        return read_session_rows(content, sink=sink, agent_id=file.agent_id, item=file.item)


def _add_session_of_shared_name(file: StateFile, known: KeyAttributes, *, sink: Sink, ledger: Ledger) -> None:
    """All transcripts of one file name were written under one key, whatever session ids their headers say."""
    read_before = Fingerprint.of(ledger.get(sink.host, file.item), reader=sink.reader)
    session_id = sink.session_ids.get(file.item) or (read_before.session_id if read_before is not None else None)
    if session_id is not None:
        add_earlier_session(known, session_id, sink=sink, agent_id=file.agent_id)


def _read_packed(file: StateFile, transcript: Transcript, *, sink: Sink, ledger: Ledger) -> Iterator[Batch]:
    if is_unchanged(file, sink=sink, ledger=ledger):
        return
    with opened(file, sink) as stream:
        if stream is None:
            return
        sink.bytes_read += file.size
        yield from read_whole(unpacked_chunks(stream), transcript, sink=sink)
        sink.read_up_to(file.item, file.size, whole_stamp(file))
