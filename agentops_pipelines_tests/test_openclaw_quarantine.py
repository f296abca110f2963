"""Damaged input: what cannot be used is noted with its place and a fixed reason; everything around it loads."""

import json
import os
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentops_pipelines.sources.openclaw import lines as lines_module
from agentops_pipelines.sources.openclaw.problems import MAX_LISTED, REASONS
from agentops_pipelines_tests.openclaw_states import (
    Home,
    Line,
    Memory,
    assistant,
    cold_records,
    dumps,
    header,
    jsonl,
    millis,
    other,
    run_events,
    tool_result,
    usage,
    user,
)

ITEM = "agents/main/sessions/s1.jsonl"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(path=tmp_path / "state")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


def _read(home: Home, scratch: Path) -> Memory:
    memory = Memory()
    memory.read(home.path, scratch=scratch)
    assert set(memory.quarantine.values()) <= set(REASONS)
    return memory


def _raw(line: Line, old: bytes, new: bytes) -> bytes:
    raw = dumps(line)
    assert old in raw
    return raw.replace(old, new)


def _message(**message: Any) -> Line:
    return {"type": "message", "id": "x1", "timestamp": "2026-11-23T08:01:00.000Z", "message": message}


REFUSED: dict[str, tuple[Line | bytes, str]] = {
    "cut short": (dumps(assistant("x1"))[:-20], "broken_json"),
    "no JSON": (b"Traceback (most recent call last):", "broken_json"),
    "empty object": (b"{}", "wrong_type"),
    "a list": (b"[1, 2]", "wrong_type"),
    "a number": (b"42", "wrong_type"),
    "nested too deeply": (b"[" * 100_000 + b"]" * 100_000, "broken_json"),
    "only NUL bytes": (b"\0" * 4096, "nul_block"),
    "NaN": (_raw(assistant("x1"), b'"input":10', b'"input":NaN'), "broken_json"),
    "many digits": (_raw(assistant("x1"), b'"input":10', b'"input":' + b"9" * 400), "tokens_out_of_range"),
    "more digits": (_raw(assistant("x1"), b'"input":10', b'"input":' + b"9" * 5000), "broken_json"),
    "unknown line type": (other("hologram"), "unknown_line_type"),
    "line type no text": ({"type": ["message"], "id": "x1"}, "wrong_type"),
    "kind no text": ({"kind": ["event"], "id": "x1"}, "wrong_type"),
    "unknown role": (_message(role="oracle", content="x"), "unknown_role"),
    "role no text": (_message(role={"a": 1}, content="x"), "wrong_type"),
    "message no object": ({"type": "message", "id": "x1", "message": "hello"}, "wrong_type"),
    "usage no object": (assistant("x1", usage="a lot"), "wrong_type"),
    "tokens as text": (assistant("x1", usage=usage("10")), "wrong_type"),
    "tokens as object": (assistant("x1", usage=usage({"n": 1})), "wrong_type"),
    "tokens as flag": (assistant("x1", usage=usage(True)), "wrong_type"),
    "negative tokens": (assistant("x1", usage=usage(-5)), "negative_tokens"),
    "negative cache": (assistant("x1", usage=usage(5, 5, -1)), "negative_tokens"),
    "huge tokens": (assistant("x1", usage=usage(10**12)), "tokens_out_of_range"),
    "huger tokens": (assistant("x1", usage=usage(10**30)), "tokens_out_of_range"),
    "no time": ({"type": "message", "id": "x1", "message": {"role": "user", "content": "x"}}, "no_timestamp"),
    "time no time": (
        {"type": "message", "id": "x1", "timestamp": "soon", "message": {"role": "user", "content": "x"}},
        "timestamp_out_of_range",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("era", ["file", "sqlite"])
def test_a_bad_line_is_refused_and_its_neighbours_load(home: Home, scratch: Path, name: str, era: str) -> None:
    bad, reason = REFUSED[name]
    around = [header("s1"), user("u1"), assistant("a1"), bad, user("u2", minute=5), assistant("a2", minute=6)]
    if era == "file":
        home.write("s1.jsonl", around)
        place = (ITEM, 4)
    else:
        home.database().put("s1", around)
        place = ("agents/main/agent/openclaw-agent.sqlite#s1", 3)
    memory = _read(home, scratch)
    assert memory.ids() == {("s1", "u1"), ("s1", "a1"), ("s1", "u2"), ("s1", "a2")}
    assert memory.quarantine == {place: reason}
    # Once: the second load meets nothing new.
    assert memory.read(home.path, scratch=scratch) == []


REPAIRED: dict[str, tuple[Line | bytes, str | None]] = {
    "invalid UTF-8": (_raw(user("x1", "caf\xe9"), b"caf\xc3\xa9", b"caf\xe9 \xff"), None),
    "lone surrogate": (_raw(user("x1", "broken"), b"broken", b"\\ud83d broken"), None),
    "surrogate as bytes": (_raw(user("x1", "broken"), b"broken", b"\xed\xa0\xbd broken"), None),
    "lone surrogate in a name": (_raw(assistant("x1", model="gpt"), b"gpt", b"gpt\\ud83d"), None),
    "control character": (_raw(user("x1", "a-b"), b"a-b", b"a\x01\tb"), None),
    "carriage return": (dumps(user("x1")) + b"\r", None),
    "NUL block before it": (b"\0" * 4096 + dumps(user("x1")), "nul_block"),
    "cut short before it": (dumps(assistant("y1"))[:-30] + dumps(user("x1")), "torn_line"),
    "unknown header version": (header("s1", version=99), "unknown_header_version"),
    "negative cost": (assistant("x1", usage=usage(cost=-1.0)), None),
    "huge cost": (assistant("x1", usage=usage(cost=1e9)), "cost_out_of_range"),
    "one time of two": (assistant("x1", timestamp=10**18), "timestamp_out_of_range"),
    "other time of two": ({**assistant("x1"), "timestamp": "0000-00-00"}, "timestamp_out_of_range"),
    "names of other types": (
        assistant("x1", model=7, provider=["a"], responseId={"a": 1}, stopReason={"a": 1}, responseModel=1.5),
        None,
    ),
    "content of another type": (assistant("x1", {"text": "x"}), None),
    "parts of other types": (assistant("x1", ["x", {"type": ["a"]}, {"type": "text", "text": 7}]), None),
    "text that is a list": (assistant("x1", [{"type": "text", "text": ["NO_REPLY"]}]), None),
    "parent of another type": ({**assistant("x1"), "parentId": 17}, None),
    "id of another type": ({**assistant("x1"), "id": 12}, None),
}


@pytest.mark.parametrize("name", REPAIRED)
@pytest.mark.parametrize("era", ["file", "sqlite"])
def test_what_can_be_made_out_of_a_bad_line_is_used(home: Home, scratch: Path, name: str, era: str) -> None:
    bad, reason = REPAIRED[name]
    around = [header("s1"), assistant("a1"), bad, assistant("a2", minute=6)]
    if era == "file":
        home.write("s1.jsonl", around)
        place = (ITEM, 3)
    else:
        home.database().put("s1", around)
        place = ("agents/main/agent/openclaw-agent.sqlite#s1", 2)
    memory = _read(home, scratch)
    expected = {"unknown header version": set(), "id of another type": {"12"}}.get(name, {"x1"})
    assert {line_id for _, line_id in memory.ids()} == {"a1", "a2", *expected}
    assert memory.quarantine == ({} if reason is None else {place: reason})


def test_a_line_glued_to_tool_output_that_was_cut_short_is_read(home: Home, scratch: Path) -> None:
    # A full disk takes the end of a large line and lets the next small one through.
    home.write("s1.jsonl", [header("s1"), dumps(tool_result("t1"))[:-30] + dumps(assistant("a1")), assistant("a2")])
    memory = _read(home, scratch)
    assert memory.ids() == {("s1", "a1"), ("s1", "a2")}
    assert memory.quarantine == {(ITEM, 2): "torn_line"}


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(), st.text(max_size=9)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=4,
)
_WHOLE: tuple[Line, ...] = (
    user("x1", "[cron:j1 x] go", provenance={"kind": "internal_system", "sourceTool": "cron", "jobId": "j1"}),
    assistant("x1", [{"type": "toolCall", "name": "heartbeat_respond", "arguments": {"notify": False}}]),
    assistant("x1", __openclaw={"runId": "r1"}, errorMessage="429", errorCode="429", stopReason="error"),
    header("s1", parentSession="p"),
    other("compaction", line_id="x1"),
    *cold_records("s1", [header("s1"), assistant("x1")]),
)


def _with_one_value_replaced(draw: st.DrawFn, value: Any) -> Any:
    """Walks down to some value in a JSON value and puts any other in its place."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        name = draw(st.sampled_from(sorted(value)))
        return {**value, name: _with_one_value_replaced(draw, value[name])}
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        return [_with_one_value_replaced(draw, value[0]), *value[1:]]
    return draw(_JSON)


@st.composite
def _strange_lines(draw: st.DrawFn) -> Line:
    return _with_one_value_replaced(draw, draw(st.sampled_from(_WHOLE)))


@settings(max_examples=60, deadline=None)
@given(strange=st.lists(_strange_lines(), min_size=1, max_size=8))
def test_whatever_value_stands_anywhere_the_lines_around_it_load(
    tmp_path_factory: pytest.TempPathFactory, strange: list[Line]
) -> None:
    folder = tmp_path_factory.mktemp("strange")
    home = Home(path=folder / "state")
    around = [user("u1"), assistant("a1"), *strange, user("u2", minute=5), assistant("a2", minute=6)]
    home.write("s1.jsonl", around)
    home.database().put("s2", [dumps(line).replace(b"\0", b"?") for line in around])
    home.write("s1.trajectory.jsonl", [*run_events("s1", "r1"), *strange, *run_events("s1", "r2", minute=9)])
    memory = _read(home, folder / "scratch")
    assert {line_id for _, line_id in memory.ids()} >= {"u1", "a1", "u2", "a2"}
    assert {row["run_id"] for row in memory.runs} >= {"r1", "r2"}


def test_two_lines_on_one_line_are_both_read(home: Home, scratch: Path) -> None:
    home.write("s1.jsonl", [header("s1"), dumps(user("u1")) + dumps(assistant("a1")), assistant("a2")])
    assert _read(home, scratch).ids() == {("s1", "u1"), ("s1", "a1"), ("s1", "a2")}


def test_a_byte_order_mark_is_no_problem(home: Home, scratch: Path) -> None:
    home.write("s9.jsonl", [b"\xef\xbb\xbf" + dumps(header("s1")), assistant("a1")])
    memory = _read(home, scratch)
    assert memory.ids() == {("s1", "a1")}
    assert not memory.quarantine


def test_fields_in_any_order_are_read(home: Home, scratch: Path) -> None:
    turned = [dict(reversed(line.items())) for line in (header("s1"), user("u1"), tool_result("t1"), assistant("a1"))]
    home.write("s1.jsonl", turned)
    assert _read(home, scratch).ids() == {("s1", "u1"), ("s1", "a1")}


def test_long_lines_are_read_or_skipped_or_refused_in_bounded_memory(
    home: Home, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines_module, "MAX_LINE", 3_000_000)
    long_but_fine = assistant("a1", "x" * 2_500_000)
    home.write(
        "s1.jsonl",
        [
            header("s1"),
            long_but_fine,
            tool_result("t1", "y" * 5_000_000),
            user("u1", "z" * 5_000_000),
            assistant("a2"),
            user("u2", "z" * 5_000_000),
        ],
    )
    memory = _read(home, scratch)
    assert memory.ids() == {("s1", "a1"), ("s1", "a2")}
    assert memory.quarantine == {(ITEM, 4): "line_too_long", (ITEM, 6): "line_too_long"}
    assert {row["line_id"]: row["position"] for row in memory.lines} == {"a1": 1, "a2": 4}
    assert {row["reply_chars"] for row in memory.lines} == {2_500_000, 4}


def test_a_binary_file_does_not_flood_the_quarantine(home: Home, scratch: Path) -> None:
    (home.sessions() / "s1.jsonl").write_bytes(b"\x7fELF\n" * 5_000)
    memory = _read(home, scratch)
    assert len(memory.quarantine) == MAX_LISTED + 1
    assert list(memory.quarantine.values())[-1] == "more_problems"


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        (b"", {0: "broken_json"}),
        (b'{"agent:main:main": {"sessionId": "s1"', {0: "broken_json"}),
        (b"[]", {0: "wrong_type"}),
        (b'{"agent:main:a": 7, "agent:main:main": {"sessionId": "s1"}}', {1: "wrong_type"}),
        (b'{"agent:main:main": {"sessionId": "s1", "label": "caf\xe9 \\ud83d", "updatedAt": "x"}}', {}),
        (b'{"agent:main:main": {"sessionId": "s1", "label": {"a": 1}, "updatedAt": 1e300, "origin": 7}}', {}),
    ],
)
def test_damaged_session_rows(home: Home, scratch: Path, content: bytes, problems: dict[int, str]) -> None:
    (home.sessions() / "sessions.json").write_bytes(content)
    home.write("s1.jsonl", [header("s1"), assistant("a1")])
    memory = _read(home, scratch)
    item = "agents/main/sessions/sessions.json"
    assert memory.quarantine == {(item, number): reason for number, reason in problems.items()}
    assert [row["session_id"] for row in memory.sessions] == ([] if 0 in problems else ["s1"])
    assert memory.ids() == {("s1", "a1")}


def test_damaged_trajectory_events(home: Home, scratch: Path) -> None:
    start, *_, end = run_events("s1", "r1")
    bad = [
        dumps(start)[:-5],
        _raw(start, b'"ts":"2026', b'"ts":"9926'),
        _raw(start, b'"runId":"r1"', b'"runId":null'),
        _raw(start, b'"ts":', b'"tt":'),
    ]
    path = home.write("s1.trajectory.jsonl", [*bad, start, end])
    memory = _read(home, scratch)
    item = f"agents/main/sessions/{path.name}"
    assert memory.quarantine == {
        (item, 1): "broken_json",
        (item, 2): "timestamp_out_of_range",
        (item, 3): "wrong_type",
        (item, 4): "no_timestamp",
    }
    assert [row["status"] for row in memory.runs] == ["success"]


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "not packed"])
def test_damaged_compression(home: Home, scratch: Path, damage: str) -> None:
    path = home.write_packed("s1.jsonl.zst", [header("s1"), *(assistant(f"a{n}", "x" * n) for n in range(2_000))])
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 0xFF
    path.write_bytes(
        {"cut": content[:-9], "empty": b"", "not packed": jsonl([header("s1")])}.get(damage, bytes(content))
    )
    home.write("s2.jsonl", [header("s2"), assistant("a2")])
    memory = _read(home, scratch)
    assert ("s2", "a2") in memory.ids()
    assert {(item, reason) for (item, _), reason in memory.quarantine.items()} == {
        ("agents/main/sessions/s1.jsonl.zst", "corrupt_zstd")
    }


def test_damaged_compressed_events_and_archives_in_sqlite(home: Home, scratch: Path) -> None:
    database = home.database()
    database.put("s1", [header("s1"), user("u1")], packed=True)
    database.put("s1", [assistant("a1")], first_seq=2)
    database.run(("UPDATE transcript_events SET event_zstd = ? WHERE seq = 1", (b"\x28\xb5\x2f\xfd broken",)))
    database.put_archive("s2", b"", encoding="identity")
    database.run(("UPDATE session_transcript_archives SET encoding = 'zstd', archive_blob = ?", (b"broken",)))
    memory = _read(home, scratch)
    item = "agents/main/agent/openclaw-agent.sqlite"
    assert memory.ids() == {("s1", "a1")}
    assert memory.quarantine == {(f"{item}#s1", 1): "corrupt_zstd", (f"{item}#s2#g1", 1): "corrupt_zstd"}


@pytest.mark.parametrize("damage", ["not a database", "empty", "truncated", "pages overwritten"])
def test_a_damaged_database_is_noted_and_the_files_beside_it_load(home: Home, scratch: Path, damage: str) -> None:
    home.write("s1.jsonl", [header("s1"), assistant("a1")])
    database = home.database()
    for session in ("s2", "s3", "s4", "s5", "s6"):
        database.put_window("agent:main:main", session)
        database.put(session, [header(session), *(assistant(f"a{n}", "x" * 300) for n in range(100))])
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(database.path.read_bytes())
    if damage == "pages overwritten":
        middle = len(content) // 8192 * 4096
        content[middle : middle + 4096] = b"\xa5" * 4096
    database.path.write_bytes(
        {
            "not a database": b"hello" * 1000,
            "empty": b"",
            "truncated": bytes(content[: len(content) // 2]),
        }.get(damage, bytes(content))
    )
    memory = _read(home, scratch)
    assert ("s1", "a1") in memory.ids()
    if damage == "empty":
        assert not memory.quarantine  # SQLite calls an empty file an empty database
    else:
        assert "corrupt_sqlite" in memory.quarantine.values()
    if damage == "pages overwritten":
        assert {session for session, _ in memory.ids()} >= {"s2", "s6"}
    assert memory.read(home.path, scratch=scratch) == []


def test_a_locked_database_is_read_all_the_same(home: Home, scratch: Path) -> None:
    database = home.database()
    database.put("s1", [header("s1"), assistant("a1")])
    with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("DELETE FROM transcript_events")
        assert _read(home, scratch).ids() == {("s1", "a1")}


def test_a_database_with_an_open_writer_shows_what_is_committed(home: Home, scratch: Path) -> None:
    database = home.database()
    database.put("s1", [header("s1"), assistant("a1")])
    with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
        connection.create_function("octet_length", 1, len, deterministic=True)
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        insert = "INSERT INTO transcript_events (session_id, seq, event_json, created_at) VALUES ('s1', ?, ?, 0)"
        connection.execute(insert, (2, dumps(assistant("a2")).decode()))
        connection.execute("BEGIN")
        connection.execute(insert, (3, dumps(assistant("a3")).decode()))
        assert Path(f"{database.path}-wal").stat().st_size > 0
        assert _read(home, scratch).ids() == {("s1", "a1"), ("s1", "a2")}


def test_names_that_are_no_files(home: Home, scratch: Path) -> None:
    folder = home.sessions()
    (folder / "folder.jsonl").mkdir()
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "loop.jsonl").symlink_to(folder / "loop.jsonl")
    (folder / "nowhere.jsonl").symlink_to(folder / "missing")
    (home.path / "agents" / "loop").symlink_to(home.path / "agents" / "loop")
    (folder / os.fsdecode(b"caf\xe9.jsonl")).write_bytes(jsonl([assistant("a2")]))
    home.write("s1.jsonl", [header("s1"), assistant("a1")])
    memory = _read(home, scratch)
    assert memory.ids() == {("s1", "a1"), ("caf?", "a2")}
    assert memory.quarantine == {
        ("agents/loop", 0): "unreadable",
        ("agents/main/sessions/folder.jsonl", 0): "not_a_file",
        ("agents/main/sessions/pipe.jsonl", 0): "not_a_file",
        ("agents/main/sessions/loop.jsonl", 0): "unreadable",
    }


def test_as_another_user_what_may_be_read_is_read(tmp_path: Path) -> None:
    """Runs as nobody: root may read everything."""
    home = Home(path=tmp_path / "state")
    home.write("s1.jsonl", [header("s1"), assistant("a1")])
    home.write("s2.jsonl", [header("s2"), assistant("a2")]).chmod(0)
    home.write("s3.jsonl", [header("s3"), assistant("a3")], agent="ops")
    home.database("lab").put("s4", [header("s4"), assistant("a4")])
    (home.path / "agents" / "ops" / "sessions").chmod(0o311)
    (home.path / "agents" / "lab" / "agent" / "openclaw-agent.sqlite").chmod(0)
    answer = _as_nobody(tmp_path, home.path)
    assert answer["ids"] == [["s1", "a1"]]
    assert answer["quarantine"] == {
        "agents/lab/agent/openclaw-agent.sqlite": "unreadable",
        "agents/main/sessions/s2.jsonl": "unreadable",
        "agents/ops/sessions": "unreadable",
    }
    (home.path / "agents").chmod(0o311)
    assert "may read" in _as_nobody(tmp_path, home.path)["error"]


def _as_nobody(tmp_path: Path, state: Path) -> dict[str, Any]:
    """Loads a state directory in a process without any privilege, and without permission to write anywhere in it."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    scratch.chmod(0o777)
    script = f"""
        import json, os
        from pathlib import Path
        from agentops_pipelines.sources.batches import SourceError
        from agentops_pipelines_tests.openclaw_states import Memory
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        memory = Memory()
        try:
            memory.read(Path({str(state)!r}), scratch=Path({str(scratch)!r}))
        except SourceError as error:
            print(json.dumps({{"error": str(error)}}))
        else:
            problems = {{item: reason for (item, _), reason in memory.quarantine.items()}}
            print(json.dumps({{"ids": sorted(memory.ids()), "quarantine": problems}}))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


def test_a_read_only_directory_is_read_as_another_user(tmp_path: Path) -> None:
    home = Home(path=tmp_path / "state")
    home.write("s1.jsonl", [header("s1"), assistant("a1")])
    home.write_rows({"agent:main:main": {"sessionId": "s1", "updatedAt": millis()}})
    home.database().put("s2", [header("s2"), assistant("a2")])
    for path in sorted(home.path.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert _as_nobody(tmp_path, home.path) == {"ids": [["s1", "a1"], ["s2", "a2"]], "quarantine": {}}
