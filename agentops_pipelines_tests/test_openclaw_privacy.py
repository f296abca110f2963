"""A state directory is only looked at, and nothing that somebody said or is called leaves it."""

import logging
from pathlib import Path

import pytest

from agentops_pipelines_tests.openclaw_states import Home, Memory, snapshot
from agentops_pipelines_tests.talkative import SENTINELS, talkative_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(path=tmp_path / "state")
    talkative_home(home)
    return home


def test_nothing_that_was_said_and_nobody_s_number_leaves_the_reader(
    home: Home, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    memory = Memory()
    batches = memory.read(home.path, scratch=tmp_path / "scratch")
    assert len(memory.lines) > 20
    assert len(memory.quarantine) > 5
    said = [str(frame.rows()) for batch in batches for frame in batch.tables.values()]
    said += [str(batch.ledger) + str(batch.quarantine) for batch in batches]
    said += [caplog.text, *capfd.readouterr()]
    for sentinel in SENTINELS:
        assert not any(sentinel in text for text in said), sentinel
    marks = {(row["mark"], row["mark_id"]) for row in memory.lines if row["kind"] == "user"}
    assert {("cron", "j1"), ("webhook", "w1")} <= marks
    assert "trajectory" in {row["origin"] for row in memory.lines}


def test_the_same_person_is_the_same_in_every_table(home: Home, tmp_path: Path) -> None:
    memory = Memory()
    memory.read(home.path, scratch=tmp_path / "scratch")
    keys = {row["session_key"] for row in memory.sessions if row["session_id"] in ("s1", "s0", "s5", "s6")}
    assert keys == {row["session_key"] for row in memory.runs if row["session_id"] != "s8"}
    assert len(keys) == 1
    assert keys.pop().startswith("agent:main:whatsapp:direct:~")


def test_a_state_directory_is_left_as_it_was(home: Home, tmp_path: Path) -> None:
    before = snapshot(home.path)
    memory = Memory()
    for _ in range(2):
        memory.read(home.path, scratch=tmp_path / "scratch")
    assert snapshot(home.path) == before
    assert any(name.endswith("openclaw-agent.sqlite") for name in before)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_an_abandoned_load_leaves_no_copy_behind(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentops_pipelines.sources.openclaw.rows.MAX_ROWS", 1)
    memory = Memory()

    def fail(_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(memory, "load", fail)
    with pytest.raises(RuntimeError):
        memory.read(home.path, scratch=tmp_path / "scratch")
    assert not (tmp_path / "scratch").exists() or list((tmp_path / "scratch").iterdir()) == []
