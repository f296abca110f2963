"""Which files of a state directory count, and what each of them is.

Belongs here: names, places and kinds of files. What stands on disk decides, never a version number: an agent may have
transcripts in files, in SQLite, or in both (a migrated home keeps copies).

Count: `<x>.jsonl`, archives `<x>.jsonl.reset.<time>` and `<x>.jsonl.deleted.<time>`, each also with `.zst`, and cold
archives `cold/*.jsonl.zst`. Do not count: checkpoints, backups, migrated leftovers. Directories are never walked, only
the known places are listed, so a symbolic link cannot lead in circles; a file or agent reachable twice counts once.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from agentops_pipelines.settings import StateDir
from agentops_pipelines.sources.batches import SourceError
from agentops_pipelines.sources.openclaw.rows import Sink

SETTING = "AGENTOPS_OPENCLAW_STATE_DIRS"
DATABASE = "openclaw-agent.sqlite"
SETTLED_SECONDS = 24 * 3600.0
"""A file unchanged for so long is not being written any more."""

_TIME = r"\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}(?:\.\d{3})?Z"
_NAME = re.compile(
    r"(?P<stem>.+?)(?P<kind>\.trajectory)?\.jsonl"
    rf"(?:\.(?P<reason>reset|deleted)\.{_TIME}(?:\.[0-9a-f]{{32}})?)?(?:\.zst)?"
)
_CHECKPOINT = ".checkpoint."


@dataclass(frozen=True, kw_only=True, slots=True)
class StateFile:
    """One file to read, as it was when it was listed."""

    path: str
    item: str
    """Path relative to the state directory."""
    agent_id: str
    stem: str
    origin: str
    size: int
    mtime_ns: int

    @property
    def is_packed(self) -> bool:
        """Whether the content is compressed with zstd."""
        return self.path.endswith(".zst")

    @property
    def is_archive(self) -> bool:
        """Whether OpenClaw has put the file away: nothing is appended any more."""
        return self.origin != "jsonl" or self.is_packed

    def is_settled(self, *, now: float) -> bool:
        """Whether nobody writes the file any more. `now` is in seconds since 1970."""
        return self.is_archive or now - self.mtime_ns / 1e9 > SETTLED_SECONDS


@dataclass(kw_only=True)
class AgentFiles:
    """What one agent has on disk."""

    agent_id: str
    session_rows: StateFile | None = None
    transcripts: list[StateFile] = field(default_factory=list)
    trajectories: list[StateFile] = field(default_factory=list)
    database: StateFile | None = None


def check_state_dir(state_dir: StateDir) -> None:
    """Raises SourceError when the directory is missing, cannot be read, or is no OpenClaw state directory."""
    try:
        agents = list((state_dir.path / "agents").iterdir())
    except OSError as error:
        raise _error(state_dir, error) from error
    if not any(path.is_dir() for path in agents):
        raise _no_agents(state_dir)


def list_agents(state_dir: StateDir, sink: Sink) -> Iterator[AgentFiles]:
    """Each agent's files. What cannot be listed is noted as a problem and left out."""
    listing = _Listing(sink)
    for entry in listing.entries(str(state_dir.path / "agents"), "agents"):
        agent_id = printable(entry.name)
        status = listing.status(entry, f"agents/{agent_id}")
        if status is not None and stat.S_ISDIR(status.st_mode) and listing.is_new(status):
            yield listing.agent_files(entry.path, agent_id)


def printable(name: str) -> str:
    """A file name as valid text: names on disk need not be UTF-8."""
    return name.encode("utf-8", "replace").decode("utf-8")


class _Listing:
    """Lists the known places of one state directory; remembers what it has met, whatever path led there."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._met: set[tuple[int, int]] = set()

    def agent_files(self, path: str, agent_id: str) -> AgentFiles:
        files = AgentFiles(agent_id=agent_id)
        sessions = f"agents/{agent_id}/sessions"
        for entry in self.entries(f"{path}/sessions", sessions):
            if entry.name == "sessions.json":
                files.session_rows = self._file(entry, sessions, agent_id, stem="sessions", origin="jsonl")
            else:
                self._add_transcript(files, entry, sessions, origin=None)
        for entry in self.entries(f"{path}/sessions/cold", f"{sessions}/cold"):
            self._add_transcript(files, entry, f"{sessions}/cold", origin="sqlite_archive")
        for entry in self.entries(f"{path}/agent", f"agents/{agent_id}/agent"):
            if entry.name == DATABASE:
                files.database = self._file(entry, f"agents/{agent_id}/agent", agent_id, stem="", origin="sqlite")
        return files

    def entries(self, path: str, item: str) -> list[os.DirEntry[str]]:
        """A directory's entries by name, links last: what they lead to is counted where it really is."""
        try:
            with os.scandir(path) as found:
                return sorted(found, key=lambda entry: (entry.is_symlink(), entry.name))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError:
            self._sink.refuse(item, 0, "unreadable")
            return []

    def status(self, entry: os.DirEntry[str], item: str) -> os.stat_result | None:
        """What an entry leads to; None when it leads nowhere."""
        try:
            return entry.stat()
        except FileNotFoundError:
            return None
        except OSError:
            self._sink.refuse(item, 0, "unreadable")
            return None

    def is_new(self, status: os.stat_result) -> bool:
        """Whether this file or directory was not met before under another path."""
        identity = (status.st_dev, status.st_ino)
        if identity in self._met:
            return False
        self._met.add(identity)
        return True

    def _add_transcript(self, files: AgentFiles, entry: os.DirEntry[str], folder: str, *, origin: str | None) -> None:
        match = _NAME.fullmatch(entry.name)
        if match is None or _CHECKPOINT in match["stem"] or (match["kind"] and entry.name.endswith(".zst")):
            return
        if origin is None:
            origin = f"{match['reason']}_archive" if match["reason"] else "jsonl"
        file = self._file(entry, folder, files.agent_id, stem=printable(match["stem"]), origin=origin)
        if file is not None:
            (files.trajectories if match["kind"] else files.transcripts).append(file)

    def _file(self, entry: os.DirEntry[str], folder: str, agent_id: str, *, stem: str, origin: str) -> StateFile | None:
        item = f"{folder}/{printable(entry.name)}"
        status = self.status(entry, item)
        if status is None:
            return None
        if not stat.S_ISREG(status.st_mode):
            self._sink.refuse(item, 0, "not_a_file")
            return None
        if not self.is_new(status):
            return None
        return StateFile(
            path=entry.path,
            item=item,
            agent_id=agent_id,
            stem=stem,
            origin=origin,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
        )


def _error(state_dir: StateDir, error: OSError) -> SourceError:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        problem = f"cannot be read: {error.strerror}" if error.errno != errno.ELOOP else "is a symbolic link loop"
        return SourceError(
            setting=SETTING,
            value=str(state_dir.path),
            problem=problem,
            remedy="Run agentops as a user that may read the directory and everything in it.",
        )
    if state_dir.path.is_dir():
        return _no_agents(state_dir)
    return SourceError(
        setting=SETTING,
        value=str(state_dir.path),
        problem="there is no such directory",
        remedy="Name the OpenClaw state directory, the one that holds agents/ (by default ~/.openclaw).",
    )


def _no_agents(state_dir: StateDir) -> SourceError:
    return SourceError(
        setting=SETTING,
        value=str(state_dir.path),
        problem="this is no OpenClaw state directory: it has no agents/<agent>/ with sessions/*.jsonl or "
        "agent/openclaw-agent.sqlite",
        remedy="Name the directory that holds agents/ (by default ~/.openclaw, or what OPENCLAW_STATE_DIR says).",
    )
