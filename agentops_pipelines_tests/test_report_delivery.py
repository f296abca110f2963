"""One message a week: the delivery of the weekly report against a Discord on loopback."""

import logging
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import time
import traceback
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
import requests

from agentops_pipelines.report import deliver
from agentops_pipelines.report.analyse import Report
from agentops_pipelines.report.build import build_report
from agentops_pipelines.report.deliver import (
    NotPostable,
    UnknownDelivery,
    complete_unfinished,
    deliveries,
    delivery_key,
    post_weekly,
    resend,
)
from agentops_pipelines.report.render import discord_content
from agentops_pipelines.warehouse import _OPS_TABLES, Writer
from agentops_pipelines_tests.discord_server import TOKEN, WEBHOOK_ID, DiscordServer, Does, discord
from agentops_pipelines_tests.report_data import INTERNAL, WEEK, make_published

KEY = f"weekly/{WEEK}"
PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_published(tmp_path_factory.mktemp("report") / "agentops.duckdb")


@pytest.fixture(scope="module")
def report(published: Path) -> Report:
    return build_report(published, window_id=WEEK)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver, "RETRY_SECONDS", (0.01, 0.01))
    monkeypatch.setattr(deliver, "TIMEOUT", (2.0, 0.5))
    monkeypatch.setattr(deliver, "chart_png", lambda report: PNG)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server():
    with discord() as running:
        yield running


def post(report: Report, server: DiscordServer | str, path: Path):
    url = server if isinstance(server, str) else server.url
    return post_weekly(report, webhook_url=url, deliveries_path=path / "deliveries.sqlite")


def states(path: Path) -> list[tuple[str, str]]:
    return [(entry.key, entry.state) for entry in deliveries(path / "deliveries.sqlite")]


def test_a_week_is_posted_as_a_headline_and_completed_with_embed_and_chart(report, server, tmp_path) -> None:
    delivery = post(report, server, tmp_path)

    assert (delivery.key, delivery.state, delivery.problem) == (KEY, "sent", None)
    message = server.only
    assert message.id == delivery.message_id
    assert message.payload["content"] == discord_content(report)
    assert message.payload["embeds"][0]["image"]["url"] == "attachment://chart-2026-W47.png"
    assert message.payload["attachments"][0]["filename"] == "chart-2026-W47.png"
    assert "Spend per day by category" in message.payload["attachments"][0]["description"]
    assert list(message.files.values()) == [PNG]
    assert [method for method, _ in server.requests] == ["POST", "PATCH"]
    assert all(path.startswith(f"/api/v10/webhooks/{WEBHOOK_ID}/") for _, path in server.requests)


def test_nothing_in_either_request_can_mention_anybody(report, server, tmp_path) -> None:
    post(report, server, tmp_path)
    assert [payload["allowed_mentions"] for payload in server.accepted] == [{"parse": []}] * 2


def test_a_second_call_posts_nothing(report, server, tmp_path) -> None:
    first = post(report, server, tmp_path)
    second = post(report, server, tmp_path)
    assert (second.state, second.message_id, second.problem) == ("already_sent", first.message_id, None)
    assert len(server.requests) == 2


def test_a_complete_delivery_says_when_late_data_changed_the_figures(report, server, tmp_path) -> None:
    post(report, server, tmp_path)
    with closing(sqlite3.connect(tmp_path / "deliveries.sqlite")) as ledger:
        ledger.execute("UPDATE deliveries SET totals = replace(totals, '$49.29', '$41.20')")
        ledger.commit()
    assert post(report, server, tmp_path).problem == "posted with $41.20; with late data it is $49.29"


def test_another_kind_of_money_is_no_change_of_what_was_posted(report, server, tmp_path) -> None:
    post(report, server, tmp_path)
    with closing(sqlite3.connect(tmp_path / "deliveries.sqlite")) as ledger:
        ledger.execute("UPDATE deliveries SET totals = json_set(totals, '$.shown', '$1.00', '$.cost_basis', 'list')")
        ledger.commit()
    assert post(report, server, tmp_path).problem is None


LATE = "UPDATE core.calls SET cost_usd = cost_usd * 2 WHERE local_date < DATE '2026-11-16'"
"""Week 46 was not over for its sources when it was posted."""

OLD_LEDGER = """
CREATE TABLE deliveries (key TEXT PRIMARY KEY, state TEXT NOT NULL, message_id TEXT, problem TEXT, totals TEXT NOT NULL,
updated_at TEXT NOT NULL);
INSERT INTO deliveries VALUES ('weekly/2026-W46', 'complete', '1', NULL,
'{"rank_basis": "cost", "cost_usd": "44.17", "list_usd": "331.2", "shown": "$44.17", "sessions": 1, "calls": 1,
"total_tokens": 1}', '2026-11-16 08:00:00'), ('alerts/2026-11-20T10:00:00', 'complete', '2', NULL, '{"content": "x"}',
'2026-11-20 10:00:00');
"""
"""As it was written before it kept `cost_basis`."""


def with_ledger(published: Path, ledger: Path) -> Path:
    """The published file as the next run publishes it: with the readable copy of the ledger in it."""
    with duckdb.connect(published) as connection:
        connection.execute(f"CREATE TABLE ops.deliveries ({_OPS_TABLES['deliveries']})")
        Writer(connection).copy_deliveries(ledger)
    return published


@pytest.mark.parametrize(
    ("calls", "cost_basis", "said"),
    [
        ([], "spend", None),
        (["UPDATE core.calls SET cost_usd = cost_usd + 1e-9"], "spend", None),  # nobody sees it
        ([LATE], "spend", "week 46 revised $37.41 → $74.82"),
        ([LATE, "UPDATE core.calls SET cost_usd = cost_usd * 3"], "list", None),  # another kind of money
        (["DELETE FROM core.calls WHERE local_date < DATE '2026-11-16'"], "spend", "week 46 revised $37.41 → $0.00"),
    ],
    ids=["same", "invisible", "late", "basis", "gone"],
)
def test_the_next_week_says_that_late_data_revised_the_week_before(
    calls, cost_basis, said, published, server, tmp_path
) -> None:
    assert post(build_report(published, window_id="2026-W46"), server, tmp_path).state == "sent"
    later = make_published(tmp_path / "later.duckdb", calls=calls, cost_basis=cost_basis)
    report = build_report(with_ledger(later, tmp_path / "deliveries.sqlite"), window_id=WEEK)
    assert post(report, server, tmp_path).state == "sent"
    content = list(server.messages.values())[-1].payload["content"]
    assert [part for part in content.split(" · ") if "revised" in part] == ([said] if said else [])


@pytest.mark.parametrize("state", ["uncertain", "failed", "planned"])
def test_what_is_not_in_the_channel_is_not_revised(state, published, server, tmp_path) -> None:
    post(build_report(published, window_id="2026-W46"), server, tmp_path)
    with closing(sqlite3.connect(tmp_path / "deliveries.sqlite")) as ledger:
        ledger.execute("UPDATE deliveries SET state = ?", [state])
        ledger.commit()
    later = with_ledger(make_published(tmp_path / "later.duckdb", calls=[LATE]), tmp_path / "deliveries.sqlite")
    assert build_report(later, window_id=WEEK).revision is None


def test_a_file_published_by_an_earlier_version_revises_nothing(tmp_path) -> None:
    old = make_published(tmp_path / "old.duckdb", after=["CREATE TABLE ops.deliveries (key VARCHAR, state VARCHAR)"])
    assert build_report(old, window_id=WEEK).revision is None


def test_a_week_that_ranked_by_list_prices_is_revised_in_list_prices(server, tmp_path) -> None:
    internal = make_published(tmp_path / "internal.duckdb", calls=[INTERNAL])
    posted = build_report(internal, window_id="2026-W46")
    assert posted.basis.rank == "list"
    post(posted, server, tmp_path)
    later = make_published(tmp_path / "later.duckdb", calls=["UPDATE core.calls SET list_usd = list_usd * 2"])
    report = build_report(with_ledger(later, tmp_path / "deliveries.sqlite"), window_id=WEEK)
    assert report.basis.rank == "cost"
    assert " revised $280.58 → $561.16 at list prices" in discord_content(report)


def test_a_ledger_of_an_earlier_version_is_read_and_written_on(server, tmp_path) -> None:
    with closing(sqlite3.connect(tmp_path / "deliveries.sqlite")) as ledger:
        ledger.executescript(OLD_LEDGER)
    later = with_ledger(make_published(tmp_path / "later.duckdb"), tmp_path / "deliveries.sqlite")
    report = build_report(later, window_id=WEEK)
    assert "week 46 revised $44.17 → $37.41" in discord_content(report)
    assert post(report, server, tmp_path).state == "sent"
    assert post(build_report(later, window_id="2026-W46"), server, tmp_path).problem == (
        "posted with $44.17; with late data it is $37.41"
    )
    assert [key for key, _ in states(tmp_path)] == [KEY, "weekly/2026-W46", "alerts/2026-11-20T10:00:00"]


def test_the_ledger_keeps_the_posted_totals_and_what_the_warehouse_copies(report, server, tmp_path) -> None:
    post(report, server, tmp_path)
    (entry,) = deliveries(tmp_path / "deliveries.sqlite")
    assert entry.totals["cost_usd"] == str(report.money.cost)
    assert (entry.totals["sessions"], entry.totals["shown"]) == (636, "$49.29")
    with closing(sqlite3.connect(tmp_path / "deliveries.sqlite")) as ledger:
        row = ledger.execute("SELECT key, state, updated_at, message_id, problem FROM deliveries").fetchone()
    assert (row[0], row[1], row[3]) == (KEY, "complete", server.only.id)


def test_the_thread_of_a_webhook_url_is_kept(report, server, tmp_path) -> None:
    post(report, f"{server.url}?thread_id=42", tmp_path)
    assert all("thread_id=42" in path for _, path in server.requests)


@pytest.mark.parametrize(
    "limited", [Does.RATE_LIMITED, Does.RATE_LIMITED_GLOBALLY, Does.RATE_LIMITED_BY_PROXY], ids=lambda does: does.name
)
def test_a_rate_limited_post_is_repeated_after_the_wait_asked_for(limited, report, server, tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(deliver.time, "sleep", waits.append)
    server.retry_after = 7.5
    server.script.extend([limited, limited])
    assert post(report, server, tmp_path).state == "sent"
    assert waits == [7.5, 7.5]
    assert server.only


def test_rate_limits_are_repeated_a_bounded_number_of_times(report, server, tmp_path) -> None:
    server.script.extend([Does.RATE_LIMITED] * 9)
    delivery = post(report, server, tmp_path)
    assert (delivery.state, delivery.problem) == ("failed", "Discord asks to wait 0.01 s")
    assert len(server.requests) == 3


def test_a_long_wait_is_left_to_the_next_run(report, server, tmp_path) -> None:
    server.retry_after = 3600
    server.script.append(Does.RATE_LIMITED)
    assert post(report, server, tmp_path).state == "failed"
    assert post(report, server, tmp_path).state == "sent"
    assert server.only


def test_a_refused_connection_fails_and_the_next_run_posts(report, server, tmp_path) -> None:
    closed = f"http://127.0.0.1:9/api/webhooks/{WEBHOOK_ID}/{TOKEN}"
    assert post(report, closed, tmp_path).state == "failed"
    assert states(tmp_path) == [(KEY, "failed")]
    assert post(report, server, tmp_path).state == "sent"
    assert server.only


@pytest.mark.parametrize(
    "does",
    [
        Does.BREAKS,
        Does.BREAKS_AFTER,
        Does.HANGS,
        Does.HANGS_AFTER,
        Does.CUTS,
        Does.CUTS_AFTER,
        Does.BABBLES_AFTER,
        Does.IS_SILENT_AFTER,
        Does.REDIRECTS,
    ],
    ids=lambda does: does.name,
)
def test_a_post_without_a_clear_answer_is_uncertain_and_never_repeated(does, report, server, tmp_path) -> None:
    server.script.append(does)
    assert post(report, server, tmp_path).state == "uncertain"
    again = post(report, server, tmp_path)
    assert (again.state, again.message_id) == ("uncertain", None)
    assert len([method for method, _ in server.requests if method == "POST"]) == 1


def test_an_operator_can_send_an_uncertain_delivery_again(report, server, tmp_path) -> None:
    server.script.append(Does.CUTS)
    post(report, server, tmp_path)
    resend(KEY, deliveries_path=tmp_path / "deliveries.sqlite")
    assert post(report, server, tmp_path).state == "sent"
    assert server.only


def test_resending_an_unknown_delivery_names_the_known_ones(report, server, tmp_path) -> None:
    post(report, server, tmp_path)
    with pytest.raises(UnknownDelivery, match="Known: weekly/2026-W47"):
        resend(delivery_key("2026-W40"), deliveries_path=tmp_path / "deliveries.sqlite")


@pytest.mark.parametrize(("part", "status"), [(WEBHOOK_ID, 404), (TOKEN, 401)])
def test_a_wrong_webhook_fails_with_advice_and_without_the_secret(part, status, report, server, tmp_path) -> None:
    delivery = post(report, server.url.replace(part, "999"), tmp_path)
    assert delivery.state == "failed"
    assert f"HTTP {status}" in str(delivery.problem)
    assert "AGENTOPS_DISCORD_WEBHOOK_URL" in str(delivery.problem)
    assert not server.messages


@pytest.mark.parametrize(
    "url", ["", "https://example.com/api/webhooks/1/a", "https://discord.com.evil.example/api/webhooks/1/a", "ftp://x"]
)
def test_only_discord_urls_are_webhooks(url, report, tmp_path) -> None:
    delivery = post(report, url, tmp_path)
    assert delivery.state == "failed"
    assert "https://discord.com/api/webhooks/" in str(delivery.problem)


@pytest.mark.parametrize(
    "does", [Does.BREAKS, Does.BREAKS_AFTER, Does.CUTS_AFTER, Does.HANGS, Does.RATE_LIMITED], ids=lambda does: does.name
)
def test_details_are_repeated_until_they_are_there(does, report, server, tmp_path) -> None:
    server.script.append(Does.RATE_LIMITED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deliver, "_complete", lambda report, entry, ledger, webhook: entry)
        assert post(report, server, tmp_path).state == "sent"
    server.script.extend([does] * 3)
    headless = post(report, server, tmp_path)
    assert headless.state == "sent"
    assert "posted without its details" in str(headless.problem)
    healed = post(report, server, tmp_path)
    assert (healed.state, healed.problem) == ("sent", None)
    assert server.only.payload["embeds"]
    assert states(tmp_path) == [(KEY, "complete")]


def test_a_later_run_completes_weeks_that_were_left_with_their_headline(published, server, tmp_path) -> None:
    ledger = tmp_path / "deliveries.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deliver, "_complete", lambda report, entry, ledger, webhook: entry)
        for week in ("2026-W46", WEEK):
            post(build_report(published, window_id=week), server, tmp_path)
    with deliver.postbox(ledger) as box:
        assert box is not None
        box.ledger.record(deliver.LedgerEntry(key="weekly/2020-W01", state="planned"), "posted", message_id="1")
        box.ledger.record(deliver.LedgerEntry(key="weekly/2026-W45", state="planned"), "uncertain")
    done = complete_unfinished(published, webhook_url=server.url, deliveries_path=ledger)
    assert [(one.key, one.state, one.problem) for one in done] == [
        (KEY, "sent", None),
        ("weekly/2026-W46", "sent", None),
    ]
    assert all(message.payload["embeds"] for message in server.messages.values())
    assert [method for method, _ in server.requests] == ["POST", "POST", "PATCH", "PATCH"]
    assert complete_unfinished(published, webhook_url=server.url, deliveries_path=ledger) == []


def test_what_discord_refuses_is_said_and_the_next_run_tries_again(report, server, tmp_path, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(deliver, "discord_content", lambda report: "x" * 2001)
        assert "HTTP 400, code 50035" in str(post(report, server, tmp_path).problem)
    assert (states(tmp_path), server.messages) == ([(KEY, "failed")], {})
    with monkeypatch.context() as patch:
        patch.setattr(deliver, "discord_embed", lambda report: {"title": "x" * 257})
        assert "posted without its details" in str(post(report, server, tmp_path).problem)
    assert post(report, server, tmp_path).problem is None
    assert [method for method, _ in server.requests] == ["POST", "POST", "PATCH", "PATCH"]
    assert server.only.payload["embeds"]


def test_a_message_that_was_deleted_is_not_posted_again(report, server, tmp_path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deliver, "_complete", lambda report, entry, ledger, webhook: entry)
        post(report, server, tmp_path)
    server.messages.clear()
    delivery = post(report, server, tmp_path)
    assert "deleted in Discord" in str(delivery.problem)
    assert post(report, server, tmp_path).state == "already_sent"
    assert [method for method, _ in server.requests] == ["POST", "PATCH"]


def test_the_server_would_have_refused_what_is_too_long(server) -> None:
    """The limits that the rendering keeps are checked for real."""
    for payload in (
        {"content": "x" * 2001},
        {"embeds": [{"fields": [{"name": "n", "value": "v" * 1025}]}]},
        {"embeds": [{"description": "d" * 4096}, {"description": "d" * 1905}]},
        {"embeds": [{"fields": [{"name": "n", "value": "v"}] * 26}]},
        {},
    ):
        assert requests.post(server.url, json=payload, timeout=5).status_code == 400
    assert requests.post(server.url, json={"content": "x" * 2000}, timeout=5).status_code == 204


@pytest.mark.parametrize("window_id", ["trailing_7d", "2026-W48"])
def test_only_a_complete_week_is_posted(window_id, published, server, tmp_path) -> None:
    report = build_report(published, window_id=window_id)
    with pytest.raises(NotPostable, match="only complete ISO weeks"):
        post(report, server, tmp_path)
    assert not server.requests


def test_an_empty_week_is_posted_and_says_so(server, tmp_path) -> None:
    path = make_published(tmp_path / "empty.duckdb", calls=["DELETE FROM core.calls"])
    assert post(build_report(path, window_id=WEEK), server, tmp_path).state == "sent"
    assert "no model calls in this window" in server.only.payload["content"]


def test_processes_at_once_post_one_message(report, server, tmp_path) -> None:
    children = [start_child(report, server, tmp_path) for _ in range(3)]
    while len(list(tmp_path.glob("ready-*"))) < 3:
        assert all(child.poll() is None for child in children)
        time.sleep(0.01)
    (tmp_path / "go").touch()
    assert [child.wait() for child in children] == [0, 0, 0]
    assert server.only.payload["embeds"]
    assert [method for method, _ in server.requests] == ["POST", "PATCH"]


def test_who_cannot_get_the_lock_says_so_and_posts_nothing(report, server, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(deliver, "LOCK_SECONDS", 0.0)
    with deliver._delivery_lock(tmp_path / "deliveries.sqlite"):
        assert post(report, server, tmp_path).problem == "another process is delivering"
        with pytest.raises(TimeoutError):
            resend(KEY, deliveries_path=tmp_path / "deliveries.sqlite")
    assert not server.requests


def test_the_secret_is_in_no_log_no_exception_and_not_in_the_ledger(report, server, tmp_path, caplog, capfd) -> None:
    with caplog.at_level(logging.DEBUG):
        for does in (Does.RATE_LIMITED, Does.CUTS):
            server.script.append(does)
        post(report, server, tmp_path)
        resend(KEY, deliveries_path=tmp_path / "deliveries.sqlite")
        post(report, server, tmp_path)
        post(report, f"http://127.0.0.1:9/api/webhooks/{WEBHOOK_ID}/{TOKEN}", tmp_path / "other")
    said = caplog.text + "".join(capfd.readouterr())
    assert TOKEN not in said
    for file in [*tmp_path.rglob("*.sqlite*"), *tmp_path.rglob("*.lock")]:
        assert TOKEN.encode() not in file.read_bytes()


def test_a_failure_inside_does_not_carry_the_secret_out(report, server, tmp_path, monkeypatch) -> None:
    def broken(self, *args, **kwargs):
        raise ValueError(f"something about {self.url}")

    monkeypatch.setattr(deliver.DiscordWebhook, "api_post_request", broken)
    try:
        delivery = post(report, server, tmp_path)
    except Exception:
        assert TOKEN not in traceback.format_exc()
        raise
    assert delivery.state == "uncertain"
    assert TOKEN not in repr(delivery)


CHILD = """
import os, pickle, signal, sys, time
from pathlib import Path
from agentops_pipelines.report import deliver
function, when, nth, report_path, url, ledger = sys.argv[1:]
owner = deliver._Ledger if function == "record" else deliver
original, calls = getattr(owner, function), 0
def deadly(*args, **kwargs):
    global calls
    calls += 1
    if calls == int(nth) and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(*args, **kwargs)
    if calls == int(nth):
        os.kill(os.getpid(), signal.SIGKILL)
    return result
setattr(owner, function, deadly)
deliver.chart_png = lambda report: b"PNG"
report = pickle.loads(Path(report_path).read_bytes())
folder = Path(ledger).parent
(folder / f"ready-{os.getpid()}").touch()
while not (folder / "go").exists():
    time.sleep(0.001)
deliver.post_weekly(report, webhook_url=url, deliveries_path=Path(ledger))
"""


def start_child(report: Report, server: DiscordServer, path: Path, function="record", when="after", nth=99):
    """A process that delivers once there is a file `go`; it kills itself around the nth call of a function."""
    (path / "report.pickle").write_bytes(pickle.dumps(report))
    arguments = [function, when, nth, path / "report.pickle", server.url, path / "deliveries.sqlite"]
    return subprocess.Popen([sys.executable, "-c", CHILD, *map(str, arguments)], env=os.environ)


# The ledger is written four times: planned, posting, posted, complete.
@pytest.mark.parametrize(
    ("function", "when", "nth", "state_afterwards", "messages"),
    [
        ("record", "before", 1, "sent", 1),
        ("record", "after", 1, "sent", 1),
        ("record", "before", 2, "sent", 1),
        ("record", "after", 2, "uncertain", 0),
        ("_post_headline", "before", 1, "uncertain", 0),
        ("_post_headline", "after", 1, "uncertain", 1),
        ("record", "before", 3, "uncertain", 1),
        ("record", "after", 3, "sent", 1),
        ("_patch_details", "before", 1, "sent", 1),
        ("_patch_details", "after", 1, "sent", 1),
        ("record", "before", 4, "sent", 1),
        ("record", "after", 4, "already_sent", 1),
    ],
)
def test_a_kill_between_any_two_steps_never_leads_to_two_messages(
    function, when, nth, state_afterwards, messages, report, server, tmp_path
):
    (tmp_path / "go").touch()
    child = start_child(report, server, tmp_path, function, when, nth)
    assert child.wait() == -signal.SIGKILL

    assert post(report, server, tmp_path).state == state_afterwards
    assert len(server.messages) == messages

    again = post(report, server, tmp_path)
    assert again.state == ("uncertain" if state_afterwards == "uncertain" else "already_sent")
    assert len(server.messages) == messages
    assert again.state == "uncertain" or server.only.payload["embeds"]
