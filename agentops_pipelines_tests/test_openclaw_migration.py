"""One home from files (2026.4) over files with trajectories (2026.6) to SQLite (2026.9): no call counts twice.

OpenClaw leaves legacy copies about: transcripts as they were, under an archive's name, or only their trajectories.
"""

from decimal import Decimal
from pathlib import Path

from agentops_pipelines.conf import write_conf_tables
from agentops_pipelines.settings import StateDir
from agentops_pipelines.sources.openclaw.reader import read_state_dir
from agentops_pipelines.warehouse import Warehouse
from agentops_pipelines_tests.openclaw_states import (
    ARCHIVED_AT,
    RULES,
    Home,
    Line,
    assistant,
    header,
    run_events,
    user,
)
from agentops_pipelines_tests.world import AS_OF, make_settings, tables


def turn(name: str, minute: float) -> list[Line]:
    return [user(f"{name}-u", minute=minute), assistant(f"{name}-a", minute=minute + 0.1)]


def calls(warehouse: Path, home: Home) -> list[tuple[str, str, Decimal]]:
    """Load what is new, make the tables: session, response id and cost of every call."""
    with Warehouse(warehouse).locked("a test") as locked, locked.connect() as writer:
        batches = read_state_dir(
            StateDir(host="local", path=home.path),
            ledger=writer.ledger("openclaw"),
            rules=RULES,
            scratch=warehouse / "scratch",
        )
        writer.load("openclaw", batches, scope="local", observed_at=AS_OF)
        write_conf_tables(writer, make_settings(warehouse), as_of=AS_OF)
        for table in tables().values():
            if table.name.startswith("core."):
                writer.run_table(table)
        return writer.con.execute(
            "SELECT c.session_id, l.response_id, c.estimate_usd FROM core.calls c "
            "JOIN core.transcript_lines l USING (agent_id, session_id, line_id) ORDER BY ALL"
        ).fetchall()


def expected(**names: tuple[str, ...]) -> list[tuple[str, str, Decimal]]:
    return [(session, f"chatcmpl-{name}-a", Decimal("0.25")) for session, found in names.items() for name in found]


def test_each_step_of_a_migration_counts_every_call_once(tmp_path: Path) -> None:
    """Loaded after every step, and for the first time at the end."""
    home = Home(path=tmp_path / "state")
    kept, archived, gone = (
        [header(name), *turn(f"{name}1", minute)] for name, minute in (("s1", 1), ("s2", 3), ("s3", 5))
    )
    files = [home.write(f"{lines[0]['id']}.jsonl", lines) for lines in (kept, archived, gone)]
    home.write_rows({f"agent:main:work-{name}": {"sessionId": name} for name in ("s1", "s2", "s3")})
    year = tmp_path / "stepwise"
    assert calls(year, home) == expected(s1=("s11",), s2=("s21",), s3=("s31",))

    # 2026.6: each session goes on, now with a trajectory; an event's transcript is deleted at once.
    for lines, file, minute in ((kept, files[0], 11.0), (archived, files[1], 13.0), (gone, files[2], 15.0)):
        name = lines[0]["id"]
        new = turn(f"{name}2", minute)
        home.append(file, new)
        lines += new
        said = [line for line in lines if line["type"] == "message"]
        home.write(f"{name}.trajectory.jsonl", run_events(name, f"r-{name}", minute=minute - 0.1, said=said))
    event = turn("s4", 20.0)
    home.write("s4.trajectory.jsonl", run_events("s4", "r-s4", minute=19.9, said=event))
    in_files = expected(s1=("s11", "s12"), s2=("s21", "s22"), s3=("s31", "s32"), s4=("s4",))
    assert calls(year, home) == in_files
    in_the_middle = tmp_path / "in-the-middle"
    assert calls(in_the_middle, home) == in_files

    # 2026.9: everything is in SQLite, where each session goes on; copies and trajectories lie about.
    files[1].rename(files[1].with_name(f"s2.jsonl.deleted.{ARCHIVED_AT}"))
    files[2].unlink()
    database = home.database()
    for lines, minute in ((kept, 31.0), (archived, 33.0), (gone, 35.0)):
        name = lines[0]["id"]
        database.put(name, [*lines, *turn(f"{name}3", minute)])
        database.put_session(f"agent:main:work-{name}", name, {})
    everything = expected(s1=("s11", "s12", "s13"), s2=("s21", "s22", "s23"), s3=("s31", "s32", "s33"), s4=("s4",))
    assert calls(year, home) == everything
    assert calls(in_the_middle, home) == everything
    assert calls(tmp_path / "at-the-end", home) == everything
