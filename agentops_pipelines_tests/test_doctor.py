"""What `agentops doctor` finds, says and leaves alone."""

from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from agentops_pipelines.cli import main
from agentops_pipelines.doctor import Finding, examine
from agentops_pipelines.warehouse import Warehouse
from agentops_pipelines_tests.discord_server import discord
from agentops_pipelines_tests.litellm_postgres import KEYS, PASSWORD, SPEND_LOGS, serve_postgres
from agentops_pipelines_tests.litellm_server import Fault, serve_litellm
from agentops_pipelines_tests.openclaw_states import snapshot
from agentops_pipelines_tests.rows import batch, line
from agentops_pipelines_tests.state_dirs import write_state_dir
from agentops_pipelines_tests.world import build


def found(subject: str) -> Finding:
    """The one finding about a subject."""
    (finding,) = [finding for finding in examine() if finding.subject == subject]
    return finding


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = write_state_dir(tmp_path / "openclaw", [datetime(2026, 11, 23, 9)])
    monkeypatch.setenv("AGENTOPS_OPENCLAW_STATE_DIRS", f"pi={path}")
    return path


def test_a_machine_with_nothing_configured_fails_with_what_to_set() -> None:
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 1
    assert "fail sources: nothing is configured" in done.stdout
    assert "-> Set AGENTOPS_OPENCLAW_STATE_DIRS=/home/me/.openclaw" in done.stdout


def test_a_healthy_setup_is_all_ok_or_warn_and_nothing_is_changed(home: Path, state_dir: Path) -> None:
    before = snapshot(state_dir)
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 0, done.stdout
    assert f"ok   OpenClaw pi: {state_dir}: 1 agent, 1 transcript file, 0 databases" in done.stdout
    assert "warn LiteLLM: not configured: costs are OpenClaw's own estimates" in done.stdout
    assert f"ok   home: {home} will be made by the first run" in done.stdout
    assert "ok   versions: Python 3." in done.stdout
    assert snapshot(state_dir) == before
    assert not home.exists()


def test_the_sample_is_healthy() -> None:
    done = CliRunner().invoke(main, ["doctor", "--demo"])
    assert done.exit_code == 0, done.stdout
    assert "ok   OpenClaw atlas: " in done.stdout
    assert "sessions are in files" in done.stdout
    assert "ok   OpenClaw borealis: " in done.stdout
    assert "SQLite (2026.7 and later)" in done.stdout
    assert "LiteLLM" not in done.stdout


def test_a_bad_setting_is_the_last_finding(home: Path) -> None:
    home.mkdir()
    (home / "agentops.toml").write_text("timezone = 'Mars'", encoding="utf-8")
    *_, last = examine()
    assert (last.status, last.subject) == ("fail", "settings")
    assert "unknown time zone 'Mars'" in last.detail


def test_the_settings_file_that_counts_is_named(home: Path, state_dir: Path) -> None:
    assert "so all defaults" in found("settings").detail
    home.mkdir()
    (home / "agentops.toml").write_text("timezone = 'Europe/Berlin'", encoding="utf-8")
    assert found("settings").detail == str(home / "agentops.toml")
    assert found("time zone").detail.startswith("Europe/Berlin: it is ")


def test_a_missing_directory_says_which_setting_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTOPS_OPENCLAW_STATE_DIRS", f"mac={tmp_path / 'gone'}")
    finding = found("OpenClaw mac")
    assert finding.status == "fail"
    assert f"AGENTOPS_OPENCLAW_STATE_DIRS={tmp_path / 'gone'}" in finding.detail
    assert finding.remedy


# --- LiteLLM


def test_a_proxy_is_asked_for_little_and_only_with_get(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_litellm(keys=[{"token": "a" * 64}]) as proxy:
        monkeypatch.setenv("AGENTOPS_LITELLM_BASE_URL", proxy.base_url)
        monkeypatch.setenv("AGENTOPS_LITELLM_API_KEY", proxy.api_key)
        finding = found("LiteLLM")
        assert (finding.status, finding.detail) == (
            "ok",
            f"{proxy.base_url}: the key may read spend logs and keys (1 keys)",
        )
        assert [request.split("?")[0] for request in proxy.requests] == ["/spend/logs/v2", "/key/list"]


@pytest.mark.parametrize("path", ["/spend/logs/v2", "/key/list"])
def test_a_key_that_may_not_read_says_that_an_admins_is_needed(
    state_dir: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_litellm() as proxy:
        proxy.denied[path] = 403
        monkeypatch.setenv("AGENTOPS_LITELLM_BASE_URL", proxy.base_url)
        monkeypatch.setenv("AGENTOPS_LITELLM_API_KEY", proxy.api_key)
        finding = found("LiteLLM")
    assert finding.status == "fail"
    assert "may not read" in finding.detail
    assert "admin" in finding.remedy
    assert proxy.api_key not in finding.detail + finding.remedy


def test_a_wrong_key_a_silent_address_and_a_proxy_in_trouble(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTOPS_LITELLM_API_KEY", "sk-wrong")
    with serve_litellm() as proxy:
        monkeypatch.setenv("AGENTOPS_LITELLM_BASE_URL", proxy.base_url)
        assert "does not accept this key" in found("LiteLLM").detail
        proxy.faults = [Fault(status=500)] * 5
        assert "HTTP 500" in found("LiteLLM").detail
    assert "nothing answers at this address" in found("LiteLLM").detail
    monkeypatch.delenv("AGENTOPS_LITELLM_API_KEY")
    assert "AGENTOPS_LITELLM_API_KEY=: no key is set" in found("LiteLLM").detail


def test_a_database_is_connected_to_and_its_password_never_shown(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_postgres() as server:
        database = server.new_database()
        database.create("LiteLLM_SpendLogs", SPEND_LOGS)
        database.create("LiteLLM_VerificationToken", KEYS)
        monkeypatch.setenv("AGENTOPS_LITELLM_DATABASE_URL", database.url)
        finding = found("LiteLLM database")
        assert (finding.status, finding.detail) == ("ok", "it can be read (0 keys)")
    finding = found("LiteLLM database")
    assert finding.status == "fail"
    assert "AGENTOPS_LITELLM_DATABASE_URL" in finding.detail
    assert PASSWORD not in finding.detail + finding.remedy


# --- Discord


def test_a_webhook_is_looked_at_and_nothing_is_posted(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with discord() as server:
        monkeypatch.setenv("AGENTOPS_DISCORD_WEBHOOK_URL", server.url)
        assert found("Discord").status == "ok"
        assert {method for method, _ in server.requests} == {"GET"}
        assert server.messages == {}


def test_a_webhook_that_is_gone_fails_without_showing_its_url(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with discord() as server:
        token = server.url.rpartition("/")[2]
        for url in (server.url.replace(token, "Gone" + token), "http://127.0.0.1:9/api/webhooks/1/" + token, "no url"):
            monkeypatch.setenv("AGENTOPS_DISCORD_WEBHOOK_URL", url)
            finding = found("Discord")
            assert finding.status == "fail"
            assert token not in finding.detail + finding.remedy


# --- files


def test_a_home_that_others_can_read_warns(home: Path, state_dir: Path) -> None:
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    finding = found("home")
    assert finding.status == "warn"
    assert f"chmod 700 {home}" in finding.remedy
    home.chmod(0o700)
    assert found("home").detail == f"{home}, private"


def test_a_home_that_cannot_be_made_fails(tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("AGENTOPS_HOME", str(tmp_path / "file" / "home"))
    finding = found("home")
    assert finding.status == "fail"
    assert f"AGENTOPS_HOME={tmp_path / 'file' / 'home'}" in finding.detail


def test_a_run_that_is_going_on_is_named(home: Path, state_dir: Path) -> None:
    with Warehouse(home).locked("loading openclaw"):
        assert "loading openclaw" in found("lock").detail
    assert found("lock").detail == "free"


def test_the_published_file_and_its_age(home: Path, state_dir: Path) -> None:
    assert found("published file").remedy == "agentops run makes it."
    build(home, batch(lines=[line("a", datetime(2026, 11, 2, 9))]), as_of=datetime(2026, 11, 3, 8))
    finding = found("published file")
    assert (finding.status, "as of 2026-11-03 08:00 UTC" in finding.detail) == ("warn", True)
    published = home / "agentops.duckdb"
    published.chmod(0o600)
    published.write_bytes(b"no database")
    assert found("published file").status == "fail"
