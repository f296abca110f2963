"""Reading again: only what is new, everything that is new, and nothing twice."""

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentops_pipelines.sources.openclaw import sqlite
from agentops_pipelines_tests.openclaw_states import (
    ARCHIVED_AT,
    Home,
    Line,
    Memory,
    assistant,
    dumps,
    header,
    jsonl,
    run_events,
    user,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(path=tmp_path / "state")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


def _full_home(home: Home) -> None:
    home.write("s1.jsonl", [header("s1"), user("u1"), assistant("a1")])
    home.write(f"s2.jsonl.reset.{ARCHIVED_AT}", [header("s2"), assistant("a2")])
    home.write_packed(f"s3.jsonl.deleted.{ARCHIVED_AT}.zst", [header("s3"), assistant("a3")])
    home.write("s1.trajectory.jsonl", run_events("s1", "r1", status=None))
    home.write_rows({"agent:main:main": {"sessionId": "s1"}})
    database = home.database()
    database.put("s4", [header("s4", version=4), user("u4"), assistant("a4")])
    database.put_session("agent:main:x", "s4", {})
    database.put_archive("s5", jsonl([header("s5"), assistant("a5")]))
    database.put_runs("s4", run_events("s4", "r4", status=None))


def test_nothing_changed_means_nothing_read(home: Home, scratch: Path) -> None:
    _full_home(home)
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    assert memory.ids() >= {("s1", "a1"), ("s2", "a2"), ("s3", "a3"), ("s4", "a4"), ("s5", "a5")}
    assert memory.bytes_read > 0
    assert memory.read(home.path, scratch=scratch) == []
    assert memory.bytes_read == 0
    assert list(scratch.iterdir()) == []


def test_only_appended_bytes_are_read(home: Home, scratch: Path) -> None:
    path = home.write("s1.jsonl", [header("s1"), *(assistant(f"a{n}") for n in range(50))])
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    before = path.stat().st_size
    home.append(path, [user("u9", minute=8), assistant("a9x", minute=9)])
    memory.read(home.path, scratch=scratch)
    assert memory.bytes_read == path.stat().st_size - before
    assert memory.rows_loaded == 2
    assert {("s1", "a9x"), ("s1", "u9"), ("s1", "a49")} <= memory.ids()
    positions = [row["position"] for row in memory.lines]
    assert sorted(positions) == list(range(1, 53))


def test_an_unterminated_last_line_waits_until_it_is_whole(home: Home, scratch: Path) -> None:
    whole = dumps(assistant("a2", minute=5))
    path = home.write("s1.jsonl", [header("s1"), assistant("a1"), whole[:40]], end=b"")
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    assert memory.ids() == {("s1", "a1")}
    assert not memory.quarantine
    assert memory.read(home.path, scratch=scratch) == []
    with path.open("ab") as stream:
        stream.write(whole[40:] + b"\n")
    memory.read(home.path, scratch=scratch)
    assert memory.ids() == {("s1", "a1"), ("s1", "a2")}
    assert not memory.quarantine


@pytest.mark.parametrize("name", [f"s1.jsonl.reset.{ARCHIVED_AT}", f"s1.jsonl.deleted.{ARCHIVED_AT}", "s1.jsonl"])
def test_the_last_line_of_a_file_that_nobody_writes_is_settled(home: Home, scratch: Path, name: str) -> None:
    whole = dumps(assistant("a2", minute=5))
    good = home.write(name, [header("s1"), assistant("a1"), whole], end=b"")
    bad = home.write(name.replace("s1", "s2"), [header("s2"), assistant("a1"), whole[:40]], end=b"")
    two_days_ago = time.time() - 2 * 86_400
    for path in (good, bad):
        os.utime(path, (two_days_ago, two_days_ago))
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    assert memory.ids() == {("s1", "a1"), ("s1", "a2"), ("s2", "a1")}
    item = f"agents/main/sessions/{bad.name}"
    assert memory.quarantine == {(item, 3): "unterminated_line"}
    assert memory.read(home.path, scratch=scratch) == []


def test_a_waiting_last_line_is_settled_once_the_file_is_old(home: Home, scratch: Path) -> None:
    path = home.write("s1.jsonl", [header("s1"), assistant("a1"), dumps(assistant("a2"))], end=b"")
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    assert memory.ids() == {("s1", "a1")}
    two_days_ago = time.time() - 2 * 86_400
    os.utime(path, (two_days_ago, two_days_ago))
    memory.read(home.path, scratch=scratch)
    assert memory.ids() == {("s1", "a1"), ("s1", "a2")}
    # Somebody goes on writing after all: the line that had no end is read again with what follows it.
    with path.open("ab") as stream:
        stream.write(b"\n" + jsonl([assistant("a3")]))
    memory.read(home.path, scratch=scratch)
    assert memory.ids() == {("s1", "a1"), ("s1", "a2"), ("s1", "a3")}
    assert not memory.quarantine


def test_a_shrunken_file_is_read_from_its_beginning(home: Home, scratch: Path) -> None:
    # 2026.2 cuts heartbeat answers off again; what was seen stays.
    path = home.write("s1.jsonl", [header("s1"), user("u1"), assistant("a1"), assistant("a2")])
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    path.write_bytes(jsonl([header("s1"), user("u1"), assistant("b1")]))
    memory.read(home.path, scratch=scratch)
    assert memory.ids() == {("s1", "u1"), ("s1", "a1"), ("s1", "a2"), ("s1", "b1")}


@pytest.mark.parametrize("change", ["beginning", "middle", "end"])
def test_a_rewritten_file_is_read_from_its_beginning(home: Home, scratch: Path, change: str) -> None:
    lines = [header("s1"), *(assistant(f"a{n}", "x" * 100) for n in range(10))]
    path = home.write("s1.jsonl", lines)
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    number = {"beginning": 0, "middle": 5, "end": 10}[change]
    changed = header("s9") if number == 0 else assistant(f"b{number}", "much longer than before " * 9)
    path.write_bytes(jsonl([*lines[:number], changed, *lines[number + 1 :], assistant("c1")]))
    memory.read(home.path, scratch=scratch)
    session = "s9" if number == 0 else "s1"
    assert (session, "c1") in memory.ids()
    assert number == 0 or ("s1", f"b{number}") in memory.ids()


def test_a_file_rewritten_in_its_own_length_is_read_again(home: Home, scratch: Path) -> None:
    path = home.write("s1.jsonl", [header("s1"), assistant("a1"), assistant("a2")])
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"id":"a1"', b'"id":"b1"'))
    assert path.stat().st_size == len(content)
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1_000_000))
    memory.read(home.path, scratch=scratch)
    assert ("s1", "b1") in memory.ids()


def test_a_reset_transcript_counts_once_under_its_new_name(home: Home, scratch: Path) -> None:
    path = home.write("s1.jsonl", [header("s1"), user("u1"), assistant("a1")])
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    path.rename(path.with_name(f"s1.jsonl.reset.{ARCHIVED_AT}"))
    home.write("s1.jsonl", [header("s2"), assistant("a1", minute=7)])
    memory.read(home.path, scratch=scratch)
    assert memory.ids() == {("s1", "u1"), ("s1", "a1"), ("s2", "a1")}
    assert {row["origin"] for row in memory.lines if row["session_id"] == "s1"} == {"reset_archive"}


def test_what_openclaw_deletes_stays(home: Home, scratch: Path) -> None:
    path = home.write("s1.jsonl", [header("s1"), assistant("a1")])
    database = home.database()
    database.put("s2", [header("s2"), assistant("a2")])
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    path.unlink()
    database.run(("DELETE FROM transcript_events", ()))
    memory.read(home.path, scratch=scratch)
    assert memory.ids() == {("s1", "a1"), ("s2", "a2")}


def test_session_rows_are_read_again_only_when_their_file_changed(home: Home, scratch: Path) -> None:
    home.write_rows({"agent:main:main": {"sessionId": "s1"}})
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    home.write("s1.jsonl", [header("s1"), assistant("a1")])
    memory.read(home.path, scratch=scratch)
    assert memory.rows_loaded == 2
    home.write_rows({"agent:main:main": {"sessionId": "s2"}})
    memory.read(home.path, scratch=scratch)
    assert {(row["session_key"], row["session_id"]) for row in memory.sessions} == {
        ("agent:main:main", "s1"),
        ("agent:main:main", "s2"),
    }


def test_sqlite_gives_only_new_events(home: Home, scratch: Path) -> None:
    database = home.database()
    database.put("s1", [header("s1"), user("u1"), assistant("a1")])
    database.put("s2", [header("s2"), assistant("a2")])
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    database.put("s1", [assistant("a3")], first_seq=3)
    memory.read(home.path, scratch=scratch)
    assert memory.rows_loaded == 1
    assert memory.bytes_read == len(dumps(assistant("a3")))
    assert ("s1", "a3") in memory.ids()


def test_a_session_that_openclaw_rewrote_in_sqlite_is_read_again(home: Home, scratch: Path) -> None:
    database = home.database()
    database.put("s1", [header("s1"), assistant("a1"), assistant("a2")])
    watermark = "INSERT OR REPLACE INTO transcript_rewrite_watermarks VALUES ('s1', ?)"
    database.run((watermark, ("g1",)))
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    database.run(("DELETE FROM transcript_events WHERE seq > 0", ()), (watermark, ("g2",)))
    database.put("s1", [assistant("b1"), assistant("b2")], first_seq=1)
    memory.read(home.path, scratch=scratch)
    assert memory.ids() == {("s1", name) for name in ("a1", "a2", "b1", "b2")}
    # Cut off without a new generation: fewer events than were read.
    database.run(("DELETE FROM transcript_events WHERE seq > 0", ()))
    database.put("s1", [assistant("c1")], first_seq=1)
    memory.read(home.path, scratch=scratch)
    assert ("s1", "c1") in memory.ids()


@pytest.mark.parametrize("era", ["file", "sqlite"])
def test_a_run_that_was_open_gets_its_end(home: Home, scratch: Path, era: str) -> None:
    events = [*run_events("s1", "r1", minute=1), *run_events("s1", "r2", minute=3, trigger="heartbeat")]
    path = home.write("s1.trajectory.jsonl" if era == "file" else "x", events[:-1])
    database = home.database()
    if era == "sqlite":
        database.put_runs("s1", events[:-1])
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    assert {(row["run_id"], row["status"]) for row in memory.runs} == {("r1", "success"), ("r2", None)}
    if era == "file":
        home.append(path, events[-1:])
    else:
        database.put_runs("s1", events[-1:], first_seq=len(events) - 1)
    memory.read(home.path, scratch=scratch)
    assert {(row["run_id"], row["status"], row["trigger"]) for row in memory.runs} == {
        ("r1", "success", "user"),
        ("r2", "success", "heartbeat"),
    }
    assert all(row["ended_at"] is not None for row in memory.runs)


def test_a_file_that_was_unreadable_is_read_once_it_can_be(home: Home, scratch: Path) -> None:
    folder = home.sessions()
    loop = folder / "s1.jsonl"
    loop.symlink_to(loop)
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    assert memory.quarantine == {("agents/main/sessions/s1.jsonl", 0): "unreadable"}
    loop.unlink()
    home.write("s1.jsonl", [header("s1"), assistant("a1")])
    memory.read(home.path, scratch=scratch)
    assert memory.ids() == {("s1", "a1")}


def test_a_database_that_changes_while_it_is_copied_is_copied_again(
    home: Home, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = home.database()
    database.put("s1", [header("s1"), assistant("a1")])

    def write_once(count: int) -> None:
        if count == 1:
            database.put("s1", [assistant("a2")], first_seq=2)

    copies = _change_after_each_copy(monkeypatch, write_once)
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    assert len(copies) == 2
    assert memory.ids() == {("s1", "a1"), ("s1", "a2")}


def test_a_log_that_never_rests_is_no_obstacle_but_a_database_is(
    home: Home, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = home.database()
    database.put("s1", [header("s1"), assistant("a1")])
    log = Path(f"{database.path}-wal")

    def touch_log(_: int) -> None:
        with log.open("ab") as stream:
            stream.write(b"\0" * 100)

    with monkeypatch.context() as patch:
        _change_after_each_copy(patch, touch_log)
        memory = Memory()
        memory.read(home.path, scratch=scratch)
        assert memory.ids() == {("s1", "a1")}
    with monkeypatch.context() as patch:
        times = itertools.count(time.time_ns(), 1_000_000)
        _change_after_each_copy(patch, lambda _: os.utime(database.path, ns=(0, next(times))))
        fresh = Memory()
        fresh.read(home.path, scratch=scratch)
        assert fresh.quarantine == {("agents/main/agent/openclaw-agent.sqlite", 0): "sqlite_keeps_changing"}
    fresh.read(home.path, scratch=scratch)
    assert fresh.ids() == {("s1", "a1")}


def _change_after_each_copy(monkeypatch: pytest.MonkeyPatch, change: Callable[[int], object]) -> list[str]:
    """Lets something happen each time after the main file was copied."""
    copies: list[str] = []
    original = sqlite._copy_file

    def copy_file(source: str, target: str) -> int:
        size = original(source, target)
        if source.endswith(".sqlite"):
            copies.append(source)
            change(len(copies))
        return size

    monkeypatch.setattr(sqlite, "_copy_file", copy_file)
    monkeypatch.setattr(sqlite, "_PAUSE_SECONDS", 0)
    return copies


def test_a_full_or_missing_scratch_directory_is_an_error_of_its_own(home: Home, tmp_path: Path) -> None:
    home.database().put("s1", [header("s1"), assistant("a1")])
    blocked = tmp_path / "blocked"
    blocked.write_text("a file stands where the scratch directory should be")
    with pytest.raises(OSError, match="blocked"):
        Memory().read(home.path, scratch=blocked)


def test_a_new_reader_reads_what_still_exists_and_keeps_the_rest(
    home: Home, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _full_home(home)
    gone = home.write("gone.jsonl", [header("gone"), assistant("g1")])
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    rows = memory.rows_loaded
    before = {table: dict(kept) for table, kept in memory.tables.items()}
    gone.unlink()
    monkeypatch.setattr("agentops_pipelines.sources.openclaw.reader.READER", "openclaw-next")
    memory.read(home.path, scratch=scratch)
    assert memory.rows_loaded == rows - 2  # a line and a transcript
    assert memory.tables == before
    assert ("gone", "g1") in memory.ids()
    assert memory.read(home.path, scratch=scratch) == []


_ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 2), st.integers(1, 4)),
        st.tuples(st.just("torn"), st.integers(0, 2), st.integers(1, 60)),
        st.tuples(st.just("rewrite"), st.integers(0, 2), st.integers(0, 4)),
        st.tuples(st.just("archive"), st.integers(0, 2), st.integers(0, 9)),
        st.tuples(st.just("delete"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("sqlite"), st.integers(0, 2), st.integers(1, 3)),
        st.tuples(st.just("migrate"), st.integers(0, 2), st.integers(0, 2)),
        st.tuples(st.just("read"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=_ACTIONS)
def test_any_interleaving_of_writing_and_reading_ends_with_all_that_was_ever_visible(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("interleaving")
    story = _Story(Home(path=folder / "state"))
    memory = Memory()
    for action, session, amount in actions:
        if action == "read":
            memory.read(story.home.path, scratch=folder / "scratch")
            story.seen |= story.visible()
        else:
            story.act(action, session, amount)
    memory.read(story.home.path, scratch=folder / "scratch")
    story.seen |= story.visible()
    assert memory.ids() == story.seen
    assert not memory.quarantine
    whole = Memory()
    whole.read(story.home.path, scratch=folder / "scratch")
    assert whole.ids() == story.visible()
    told = _said(memory)
    assert all(told[key] == row for key, row in _said(whole).items())


def _said(memory: Memory) -> dict[tuple[str, str], dict[str, Any]]:
    """Lines by their key, without the place where each was read: that is the one it was last read from."""
    return {
        (row["session_id"], row["line_id"]): {name: row[name] for name in row if name not in ("path", "origin")}
        for row in memory.lines
    }


class _Story:
    """Three sessions that grow, are torn, rewritten, archived and deleted, in files and in SQLite.

    A migration copies a session into SQLite, where it goes on; its file stays, gets an archive's name, or goes.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        home.sessions()
        self.seen: set[tuple[str, str]] = set()
        self._count = 0
        self._tick = time.time_ns() - 10**9
        self._lines: dict[int, list[Line]] = {}
        self._torn: dict[int, bytes] = {}
        self._rest: dict[int, Line] = {}
        self._archived: set[tuple[str, str]] = set()
        self._stored: dict[int, int] = {}
        self._migrated: set[int] = set()

    def visible(self) -> set[tuple[str, str]]:
        """(session, line) of every whole line that is on disk now."""
        live = {(f"f{session}", line["id"]) for session, lines in self._lines.items() for line in lines}
        return live | self._archived | {(f"q{s}", f"q{n}") for s, count in self._stored.items() for n in range(count)}

    def act(self, action: str, session: int, amount: int) -> None:
        if action == "sqlite":
            known = self._stored.get(session, 0)
            lines = [assistant(f"q{number}") for number in range(known, known + amount)]
            self.home.database().put(f"q{session}", lines, first_seq=known)
            self._stored[session] = known + amount
            return
        lines = self._lines.setdefault(session, [])
        if session in self._migrated:
            if action == "append":
                new = [self._new_line() for _ in range(amount)]
                self.home.database().put(f"f{session}", new, first_seq=len(lines) + 1)
                lines.extend(new)
            return
        if action == "migrate":
            self._migrate(session, lines, amount)
            return
        if action == "append":
            if session in self._rest:
                lines.append(self._rest.pop(session))
                self._torn.pop(session)
            lines.extend(self._new_line() for _ in range(amount))
        elif action == "torn" and session not in self._rest:
            self._rest[session] = self._new_line()
            self._torn[session] = dumps(self._rest[session])[:amount]
        elif action == "rewrite":
            del lines[amount:]
            lines.append(self._new_line())
            self._drop_torn(session)
        elif action == "archive" and lines:
            self._drop_torn(session)
            self._write(session)
            name = f"f{session}.jsonl.reset.2026-11-24T14-01-{self._count % 60:02d}.{self._count % 1000:03d}Z"
            path = self._path(session)
            if not path.with_name(name).exists():
                path.rename(path.with_name(name))
                self._archived |= {(f"f{session}", line["id"]) for line in lines}
                self._lines[session] = []
                return
        elif action == "delete":
            self._lines.pop(session)
            self._drop_torn(session)
            self._path(session).unlink(missing_ok=True)
            return
        self._write(session)

    def _migrate(self, session: int, lines: list[Line], leftover: int) -> None:
        if not lines:
            return
        self._drop_torn(session)
        self._write(session)
        self.home.database().put(f"f{session}", [header(f"f{session}", version=4), *lines])
        self._migrated.add(session)
        path = self._path(session)
        if leftover == 1:
            path.rename(path.with_name(f"f{session}.jsonl.deleted.2026-11-25T14-01-29.637Z"))
        elif leftover == 2:
            path.unlink()

    def _drop_torn(self, session: int) -> None:
        self._torn.pop(session, None)
        self._rest.pop(session, None)

    def _new_line(self) -> Line:
        self._count += 1
        return assistant(f"a{self._count}", "x" * (self._count % 7))

    def _path(self, session: int) -> Path:
        return self.home.sessions() / f"f{session}.jsonl"

    def _write(self, session: int) -> None:
        """Appending and rewriting look the same from outside, but for the inode; every write has its own time."""
        content = jsonl([header(f"f{session}"), *self._lines[session]]) + self._torn.get(session, b"")
        path = self._path(session)
        if path.exists() and content.startswith(path.read_bytes()):
            with path.open("ab") as stream:
                stream.write(content[path.stat().st_size :])
        else:
            path.write_bytes(content)
        self._tick += 1_000_000
        os.utime(path, ns=(self._tick, self._tick))
