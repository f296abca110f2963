"""The LiteLLM reader against a real HTTP server: nothing missed, nothing read twice, every failure explained."""

import json
import logging
import math
import socket
import ssl
import traceback
from datetime import datetime, timedelta

import httpx
import pytest

from agentops_pipelines.sources.batches import Ledger, LedgerEntry, SourceError
from agentops_pipelines.sources.http import MAX_WAIT_SECONDS, TRIES
from agentops_pipelines.sources.litellm.api import READER, read_api, read_configuration
from agentops_pipelines.sources.litellm.windows import COUNT_CAP
from agentops_pipelines.sources.schemas import (
    LITELLM_DAILY,
    LITELLM_DEPLOYMENTS,
    LITELLM_KEYS,
    LITELLM_ROUTES,
    LITELLM_SPEND_LOGS,
)
from agentops_pipelines_tests.litellm_server import (
    Fault,
    api_row,
    recorded_daily,
    recorded_rows,
    serve_litellm,
    serve_recording,
)
from agentops_pipelines_tests.litellm_store import Store, row

SINCE = datetime(2026, 11, 23)
UNTIL = datetime(2026, 11, 25)
NOON = datetime(2026, 11, 24, 12)
SPEND_LOGS = "/spend/logs/v2"
ADMIN = "; the key is no proxy admin's, which may hide spend logs of others too"


def load(proxy, store=None, *, since=SINCE, until=UNTIL, **options):
    """Runs the reader to its end into a store, its own ledger included."""
    store = Store() if store is None else store
    ledger = Ledger(source="litellm", entries=dict(store.entries))
    options = {"base_url": proxy.base_url, "api_key": proxy.api_key, "sleep": lambda seconds: None} | options
    for batch in read_api(ledger=ledger, since=since, until=until, **options):
        store.take(batch)
    return store


def failure(proxy, **options) -> SourceError:
    """The error that the reader ends with."""
    with pytest.raises(SourceError) as caught:
        load(proxy, **options)
    return caught.value


# --- rows and windows -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("recording", "count", "since"), [("gateway", 417, 23), ("combined", 190, 16)])
def test_rows_and_spend_equal_what_was_served_also_after_a_second_run(recording, count, since):
    spend = math.fsum(log["spend"] for log in recorded_rows(recording))
    with serve_recording(recording) as proxy:
        store = load(proxy, since=datetime(2026, 11, since))
        assert sum(store.heights) == count
        for _ in range(2):
            assert len(store.logs) == count
            assert math.fsum(log["spend_usd"] for log in store.logs.values()) == spend
            assert store.quarantine == []
            load(proxy, store, since=datetime(2026, 11, since))


def test_each_day_is_one_batch_with_its_ledger_entry():
    with serve_litellm(rows=[row("a", NOON), row("b", NOON + timedelta(minutes=1))]) as proxy:
        store = load(proxy)
    days = [batch for batch in store.batches if LITELLM_SPEND_LOGS in batch.tables]
    assert [(batch.ledger[0].item, batch.ledger[0].position) for batch in days] == [
        ("spend_logs/2026-11-23", 0),
        ("spend_logs/2026-11-24", 2),
    ]
    assert {(entry.source, entry.host, entry.reader) for entry in store.entries.values()} == {
        ("litellm", proxy.base_url, READER)
    }
    assert days[1].newest_data_at == NOON + timedelta(minutes=1, seconds=1)
    assert days[1].bytes_read > 500


def test_windows_end_a_minute_before_now_and_are_whole_days_from_the_first():
    with serve_litellm() as proxy:
        load(proxy, since=datetime(2026, 11, 23, 17), until=datetime(2026, 11, 24, 8, 30, 15, 999))
        asked = proxy.asked(SPEND_LOGS)
    assert [(query["start_date"], query["end_date"]) for query in asked] == [
        ("2026-11-23 00:00:00", "2026-11-24 00:00:00"),
        ("2026-11-24 00:00:00", "2026-11-24 08:29:15"),
    ]
    assert {(query["sort_by"], query["sort_order"], query["page_size"]) for query in asked} == {
        ("startTime", "asc", "1000")
    }
    assert not any("exclude_internal_health_checks" in query for query in asked)


def test_rows_at_midnight_belong_to_one_day_and_none_between_milliseconds_is_lost():
    moments = {
        "last": datetime(2026, 11, 23, 23, 59, 59, 999_000),
        "midnight": datetime(2026, 11, 24),
        "first": datetime(2026, 11, 24, 0, 0, 0, 1_000),
    }
    with serve_litellm(rows=[row(name, moment) for name, moment in moments.items()]) as proxy:
        store = load(proxy)
    frames = [batch.tables[LITELLM_SPEND_LOGS] for batch in store.batches if LITELLM_SPEND_LOGS in batch.tables]
    assert [frame["request_id"].to_list() for frame in frames] == [
        ["chatcmpl-last"],
        ["chatcmpl-midnight", "chatcmpl-first"],
    ]


def test_the_newest_minute_is_left_to_the_next_run():
    with serve_litellm(rows=[row("new", NOON)]) as proxy:
        store = load(proxy, until=NOON + timedelta(seconds=59))
        assert store.logs == {}
        load(proxy, store, until=NOON + timedelta(seconds=90))
    assert list(store.logs) == ["chatcmpl-new"]


def test_pages_are_read_until_the_count_is_reached_though_ties_change_places():
    rows = [row(n, NOON + timedelta(seconds=n // 40)) for n in range(2_500)]
    with serve_litellm(rows=rows) as proxy:
        store = load(proxy)
        assert max(int(query["page"]) for query in proxy.asked(SPEND_LOGS)) >= 3
    assert len(store.logs) == 2_500
    assert store.quarantine == []


def test_a_proxy_of_small_pages_is_read_in_small_pages():
    rows = [row(n, NOON + timedelta(seconds=n)) for n in range(250)]
    with serve_litellm(rows=rows) as proxy:
        proxy.max_page_size = 100
        store = load(proxy)
        sizes = [query["page_size"] for query in proxy.asked(SPEND_LOGS)]
    assert len(store.logs) == 250
    assert sizes == ["1000", "100", "100", "100", "100"]


def test_a_day_over_the_cap_is_halved_until_every_window_can_be_counted():
    rows = [row(n, datetime(2026, 11, 24) + timedelta(seconds=4 * n)) for n in range(12_000)]
    with serve_litellm(rows=rows) as proxy:
        store = load(proxy, since=datetime(2026, 11, 24))
        pages = [int(query["page"]) for query in proxy.asked(SPEND_LOGS)]
    assert sum(store.heights) == len(store.logs) == 12_000
    assert max(store.heights) <= COUNT_CAP
    assert max(pages) <= COUNT_CAP // 1_000 + 1
    windows = [batch for batch in store.batches if LITELLM_SPEND_LOGS in batch.tables]
    assert [len(batch.ledger) for batch in windows] == [0] * (len(windows) - 1) + [1]
    assert next(iter(store.entries.values())).position == 12_000


def test_more_rows_in_one_second_than_the_proxy_counts_are_all_read():
    rows = [row(n, NOON + timedelta(milliseconds=n % 1_000)) for n in range(COUNT_CAP + 500)]
    with serve_litellm(rows=rows) as proxy:
        store = load(proxy, since=datetime(2026, 11, 24))
    # ties over page ends change places and no count tells: at least what the proxy counts is there
    assert COUNT_CAP <= len(store.logs) <= COUNT_CAP + 500


def test_rows_that_arrive_while_paging_are_not_missed():
    rows = [row(n, NOON + timedelta(seconds=n)) for n in range(1_500)]
    with serve_litellm(rows=rows) as proxy:
        late = [row(f"late-{n}", NOON - timedelta(seconds=n + 1)) for n in range(3)]
        proxy.faults.append(Fault(path=f"{SPEND_LOGS}?start_date=2026-11-23"))
        proxy.faults.append(Fault(path=f"{SPEND_LOGS}?start_date=2026-11-24"))
        proxy.faults.append(Fault(path=f"{SPEND_LOGS}?start_date=2026-11-24", then=lambda: proxy.rows.extend(late)))
        store = load(proxy)
    assert len(store.logs) == 1_503
    assert store.quarantine == []


def test_rows_missing_from_every_reading_are_noted_and_the_day_is_asked_for_again():
    with serve_litellm(rows=[row("a", NOON), row("b", NOON)]) as proxy:
        short = httpx.Client(transport=_Shortened(missing=1))
        store = load(proxy, http=short)
        assert list(store.logs) == ["chatcmpl-a"]
        assert [(entry.item, entry.position) for entry in store.quarantine] == [("spend_logs/2026-11-24 00:00:00", 0)]
        assert "counts 2 rows, 1 came in 3 readings" in store.quarantine[0].reason
        assert [item for _, item in store.entries] == ["spend_logs/2026-11-23"]
        load(proxy, store, until=UNTIL + timedelta(days=30))
    assert len(store.logs) == 2


def test_what_one_reading_misses_another_brings():
    with serve_litellm(rows=[row("a", NOON), row("b", NOON), row("c", NOON)]) as proxy:
        store = load(proxy, http=httpx.Client(transport=_Shortened(missing=1, is_turning=True)))
    assert len(store.logs) == 3
    assert store.quarantine == []


class _Shortened(httpx.HTTPTransport):
    """A way to the proxy that loses the last rows of every page; when turning, the last and the first by turns."""

    def __init__(self, *, missing: int, is_turning: bool = False) -> None:
        self.missing = missing
        self.is_turning = is_turning
        self.answers = 0
        super().__init__()

    def handle_request(self, request):
        response = super().handle_request(request)
        response.read()
        body = response.json()
        if isinstance(body, dict) and body.get("data"):
            self.answers += 1
            is_reversed = self.is_turning and self.answers % 2 == 0
            by_id = sorted(body["data"], key=lambda log: log.get("request_id", ""), reverse=is_reversed)
            body["data"] = by_id[: -self.missing]
        return httpx.Response(response.status_code, json=body)


def test_rows_deleted_while_reading_are_no_loss():
    rows = [row(n, NOON + timedelta(seconds=n)) for n in range(1_500)]
    with serve_litellm(rows=rows) as proxy:
        proxy.faults.append(Fault(path=f"{SPEND_LOGS}?start_date=2026-11-24"))
        proxy.faults.append(Fault(path=f"{SPEND_LOGS}?start_date=2026-11-24", then=lambda: proxy.rows.pop(0)))
        store = load(proxy)
    assert len(store.logs) >= 1_499
    assert store.quarantine == []


def test_a_proxy_that_ignores_the_page_does_not_hold_the_reader():
    with serve_litellm(rows=[row(n, NOON) for n in range(3)]) as proxy:
        http = httpx.Client(transport=_Repeating())
        store = load(proxy, http=http)
    assert len(store.logs) == 3


class _Repeating(httpx.HTTPTransport):
    """Answers of a proxy that does not count and gives the first page for every one."""

    def handle_request(self, request):
        if request.url.path == SPEND_LOGS:
            request.url = request.url.copy_set_param("page", 1)
        response = super().handle_request(request)
        response.read()
        body = response.json()
        body.pop("total", None)
        return httpx.Response(response.status_code, json=body)


# --- incremental ------------------------------------------------------------------------------------------------------


def test_a_second_run_right_after_asks_only_for_the_overlap():
    with serve_recording("combined") as proxy:
        store = load(proxy, since=datetime(2026, 10, 1), until=datetime(2026, 11, 25, 9))
        first = len(proxy.asked(SPEND_LOGS))
        proxy.requests.clear()
        load(proxy, store, since=datetime(2026, 10, 1), until=datetime(2026, 11, 25, 9))
        again = [query["start_date"] for query in proxy.asked(SPEND_LOGS)]
    assert first == 56
    assert again == ["2026-11-24 00:00:00", "2026-11-25 00:00:00"]


def test_a_row_that_arrives_within_the_overlap_is_found():
    with serve_litellm(rows=[row("a", NOON)]) as proxy:
        store = load(proxy, until=datetime(2026, 11, 25))
        proxy.rows.append(row("late", NOON - timedelta(hours=11)))
        load(proxy, store, until=datetime(2026, 11, 25, 23))
    assert len(store.logs) == 2


def test_a_day_is_final_once_it_was_read_a_day_after_its_end():
    with serve_litellm(rows=[row("a", NOON)]) as proxy:
        store = Store()
        asked = []
        for until in (datetime(2026, 11, 25, 23, 59), datetime(2026, 11, 26, 0, 2), datetime(2026, 11, 26, 0, 3)):
            proxy.requests.clear()
            load(proxy, store, until=until)
            asked.append([query["start_date"][:10] for query in proxy.asked(SPEND_LOGS)])
    assert asked == [
        ["2026-11-23", "2026-11-24", "2026-11-25"],
        ["2026-11-24", "2026-11-25", "2026-11-26"],
        ["2026-11-25", "2026-11-26"],
    ]


def test_what_the_proxy_deleted_stays():
    with serve_litellm(rows=[row("a", NOON), row("b", NOON)]) as proxy:
        store = load(proxy)
        proxy.rows.pop()
        load(proxy, store)
    assert len(store.logs) == 2


def test_a_new_reader_version_reads_again():
    with serve_litellm(rows=[row("a", NOON)]) as proxy:
        store = load(proxy, until=datetime(2026, 12, 24))
        entries = {
            key: LedgerEntry(**{**vars(entry), "reader": "litellm-api-0"}) for key, entry in store.entries.items()
        }
        proxy.requests.clear()
        load(proxy, Store(entries=entries), until=datetime(2026, 12, 24))
        assert len(proxy.asked(SPEND_LOGS)) == len(entries) == 31


def test_days_read_by_a_clock_that_was_ahead_are_read_again():
    with serve_litellm() as proxy:
        store = load(proxy, until=datetime(2027, 11, 25))
        proxy.rows.append(row("a", NOON))
        load(proxy, store, until=datetime(2026, 11, 28))
    assert list(store.logs) == ["chatcmpl-a"]


def test_another_proxy_has_a_ledger_of_its_own():
    with serve_litellm(rows=[row("a", NOON)]) as one, serve_litellm(rows=[row("b", NOON)]) as two:
        store = load(one, until=datetime(2026, 12, 24))
        load(two, store, until=datetime(2026, 12, 24))
    assert len(store.logs) == 2


def test_a_first_load_that_broke_resumes_where_it_stopped():
    rows = [row(n, datetime(2026, 1, 1, 6) + timedelta(days=n)) for n in range(300)]
    with serve_litellm(rows=rows) as proxy:
        store = Store()
        proxy.faults.extend(Fault(path=f"{SPEND_LOGS}?start_date=2026-06-01", drop=True) for _ in range(TRIES))
        with pytest.raises(SourceError):
            load(proxy, store, since=datetime(2026, 1, 1), until=datetime(2026, 11, 1))
        assert len(store.logs) == 151
        proxy.requests.clear()
        load(proxy, store, since=datetime(2026, 1, 1), until=datetime(2026, 11, 1))
        assert proxy.asked(SPEND_LOGS)[0]["start_date"] == "2026-06-01 00:00:00"
        assert len(proxy.asked(SPEND_LOGS)) == 153
    assert len(store.logs) == 300


def test_a_client_that_is_passed_in_stays_open():
    with serve_litellm() as proxy, httpx.Client() as http:
        load(proxy, http=http)
        assert not http.is_closed


# --- quarantine -------------------------------------------------------------------------------------------------------


def test_unusable_rows_go_to_quarantine_and_the_others_load():
    rows = [
        row("good-1", NOON),
        row("no-id", NOON + timedelta(seconds=1)) | {"request_id": None},
        row("huge", NOON + timedelta(seconds=2), prompt_tokens=10**15),
        row("negative", NOON + timedelta(seconds=3), spend=-1),
        row("dear", NOON + timedelta(seconds=4), spend=1e7),
        row("text", NOON + timedelta(seconds=5), total_tokens="secret-words"),
        row("unended", NOON + timedelta(seconds=6), endTime="secret-words"),
        row("good-2", NOON + timedelta(seconds=7)),
    ]
    with serve_litellm(rows=rows) as proxy:
        store = load(proxy, since=datetime(2026, 11, 24))
    assert set(store.logs) == {"chatcmpl-good-1", "chatcmpl-good-2"}
    assert {(entry.item, entry.position, entry.reason) for entry in store.quarantine} == {
        ("spend_logs/2026-11-24", 2, "no request_id"),
        ("spend_logs/2026-11-24", 3, "prompt_tokens is out of range"),
        ("spend_logs/2026-11-24", 4, "spend is out of range"),
        ("spend_logs/2026-11-24", 5, "spend is out of range"),
        ("spend_logs/2026-11-24", 6, "total_tokens is not a whole number"),
        ("spend_logs/2026-11-24", 7, "endTime is not a usable time"),
    }
    assert next(iter(store.entries.values())).position == 2


def test_rows_that_are_no_objects_go_to_quarantine():
    body = b'{"data": [null, 7, "text", [], {}], "total": 5}'
    with serve_litellm(rows=[row("a", NOON)]) as proxy:
        proxy.faults.append(Fault(status=200, body=body))
        store = load(proxy)
    assert len(store.logs) == 1
    assert len(store.quarantine) == 5


def test_one_row_that_breaks_the_json_rules_does_not_cost_the_page():
    logs = [api_row(row(name, NOON)) for name in ("good", "nan", "half")]
    logs[1]["spend"] = float("nan")
    logs[2]["metadata"] = {"spend_logs_metadata": {"category": "half \ud800"}}
    body = json.dumps({"data": logs, "total": 3}).encode()
    with serve_litellm() as proxy:
        proxy.faults.append(Fault(status=200, body=body))
        store = load(proxy, since=datetime(2026, 11, 24))
    assert {log["request_id"]: log["category"] for log in store.logs.values()} == {
        "chatcmpl-good": None,
        "chatcmpl-half": "half ?",
    }
    assert [entry.reason for entry in store.quarantine] == ["spend is not a number"]


# --- keys, deployments, routes ----------------------------------------------------------------------------------------


def test_keys_deployments_and_routes_are_read():
    with serve_recording("gateway") as proxy:
        store = load(proxy)
    keys = {row["key_alias"]: row for row in store.tables[LITELLM_KEYS].values()}
    assert len(keys) == 10
    assert keys["costaff"]["max_budget_usd"] == 2.0
    assert keys["costaff"]["budget_duration"] == "1d"
    assert keys["costaff"]["budget_reset_at"] == datetime(2026, 11, 25)
    assert keys["costaff"]["rpm_limit"] == 2_000
    assert keys["alec"]["models"] == ""
    assert keys["model-restricted"]["models"] == "triage"
    assert [alias for alias, key in keys.items() if key["is_blocked"]] == ["blocked-key"]
    assert keys["expired-key"]["expires_at"] == datetime(2026, 11, 24, 13, 59, 42, 649_000)
    assert {key["observed_at"] for key in keys.values()} == {UNTIL}

    deployments = store.tables[LITELLM_DEPLOYMENTS]
    assert len(deployments) == 16
    triage = deployments[("triage-gpt-5.4-mini", "triage")]
    assert (triage["pool"], triage["rpm_limit"], triage["provider"]) == ("gpt", 600, "azure")
    assert deployments[("triage-gpt-5.4-mini", "cheap")]["model"] == "azure/gpt-5.4-mini"
    ordered = deployments[("ordered-claude-sonnet-4-6", "standard-ordered")]
    assert (ordered["priority"], ordered["cache_write_price"]) == (2, 3.75e-6)

    routes = {key: row["target"] for key, row in store.tables[LITELLM_ROUTES].items()}
    assert routes == {
        ("fallback", "triage", 1): "foundry-claude-haiku-4-5",
        ("fallback", "standard", 1): "foundry-claude-sonnet-4-6",
        ("fallback", "heavy", 1): "foundry-claude-opus-4-8",
        ("context_window_fallback", "triage", 1): "foundry-gpt-5.5",
        ("alias", "cheap", 1): "triage",
    }


def test_keys_are_paged_and_deleted_ones_added():
    keys = [{"token": f"{n:064}", "key_alias": f"key-{n}"} for n in range(230)]
    with serve_litellm(keys=keys) as proxy:
        proxy.deleted_keys = [{"token": f"{0:064}", "key_alias": "old-name"}, {"token": "f" * 64, "key_alias": "gone"}]
        store = load(proxy)
        assert [query["page"] for query in proxy.asked("/key/list")] == ["1", "2", "3", "1"]
    aliases = {row["key_alias"] for row in store.tables[LITELLM_KEYS].values()}
    assert len(aliases) == 231
    assert "gone" in aliases
    assert "old-name" not in aliases


def test_entries_that_cannot_be_used_are_noted():
    with serve_litellm(
        keys=[{"token": "a" * 64}, {}], models=[{"model_name": "x"}, {"model_info": {"id": 1}}]
    ) as proxy:
        proxy.router = {"fields": "none", "current_values": {"fallbacks": {"a": "b"}, "model_group_alias": {"x": {}}}}
        store = load(proxy)
    assert [(entry.item, entry.position, entry.reason) for entry in store.quarantine] == [
        ("key/list", 2, "no token hash"),
        ("model/info", 1, "no model_info.id"),
        ("model/info", 2, "no model_info.id"),
    ]
    assert store.tables[LITELLM_ROUTES] == {}


def test_budgets_beyond_the_warehouse_stay_caps():
    keys = [{"token": "a" * 64, "max_budget": 5e9, "total_spend": 5e9}, {"token": "b" * 64, "max_budget": None}]
    with serve_litellm(keys=keys) as proxy:
        store = load(proxy)
    found = store.tables[LITELLM_KEYS]
    assert [(key["max_budget_usd"], key["total_spend_usd"]) for key in found.values()] == [
        (999_999.0, None),
        (None, None),
    ]


def test_daily_counters_are_added_up_over_pages_models_and_routes():
    recorded = recorded_daily("combined")
    with serve_recording("combined") as proxy:
        proxy.daily_page_size = 7
        store = load(proxy, since=datetime(2026, 11, 16))
        asked = proxy.asked("/user/daily/activity")
    assert [query["page"] for query in asked] == [str(page) for page in range(1, 9)]
    assert {(query["start_date"], query["end_date"]) for query in asked} == {("2026-11-16", "2026-11-24")}
    found = store.tables[LITELLM_DAILY]
    assert len(found) == len({(row["date"], row["api_key"]) for row in recorded})
    for column, name in (
        ("requests", "api_requests"),
        ("failed_requests", "failed_requests"),
        ("prompt_tokens", "prompt_tokens"),
        ("output_tokens", "completion_tokens"),
        ("cache_read_tokens", "cache_read_input_tokens"),
    ):
        assert sum(row[column] for row in found.values()) == sum(row[name] for row in recorded)
    spend = math.fsum(row["spend_usd"] for row in found.values())
    assert spend == pytest.approx(math.fsum(row["spend"] for row in recorded))
    assert {row["key_alias"] for row in found.values()} >= {"alec", "costaff", "fiducian"}


def test_a_later_run_asks_only_for_the_counters_of_days_that_are_open():
    with serve_recording("combined") as proxy:
        store = load(proxy, since=datetime(2026, 11, 16))
        proxy.requests.clear()
        load(proxy, store, since=datetime(2026, 11, 16))
        (query,) = proxy.asked("/user/daily/activity")
    assert query["start_date"] >= "2026-11-23"


def test_routes_of_an_older_settings_page_with_targets_as_objects():
    fields = [
        {"field_name": "fallbacks", "field_value": [{"a": ["b", {"model": "c"}]}, {"a": ["never"]}]},
        {"field_name": "model_group_alias", "field_value": {"x": {"model": "a", "hidden": True}}},
    ]
    with serve_litellm(router={"fields": fields}) as proxy:
        store = load(proxy)
    assert {key: row["target"] for key, row in store.tables[LITELLM_ROUTES].items()} == {
        ("fallback", "a", 1): "b",
        ("fallback", "a", 2): "c",
        ("alias", "x", 1): "a",
    }


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("endpoint", ["/user/daily/activity", "/key/list", "/model/info", "/router/settings"])
def test_an_endpoint_that_is_refused_is_noted_and_everything_else_loads(endpoint, status):
    with serve_recording("gateway") as proxy:
        proxy.denied[endpoint] = status
        store = load(proxy)
    assert len(store.logs) == 417
    assert [(entry.item, entry.position, entry.reason) for entry in store.quarantine] == [
        (endpoint.removeprefix("/"), 0, f"HTTP {status} from {endpoint}" + (ADMIN if status != 404 else ""))
    ]
    assert sorted(map(bool, store.tables.values())) == [False, True, True, True, True]


def test_the_configuration_alone_can_be_asked_for():
    store = Store()
    with serve_recording("gateway") as proxy:
        proxy.denied["/router/settings"] = 403
        for batch in read_configuration(base_url=proxy.base_url, api_key=proxy.api_key, observed_at=UNTIL):
            store.take(batch)
        assert [request.partition("?")[0] for request in proxy.requests] == ["/model/info", "/router/settings"]
    assert len(store.tables[LITELLM_DEPLOYMENTS]) == 16
    assert [entry.item for entry in store.quarantine] == ["router/settings"]


def test_only_the_five_endpoints_are_asked():
    with serve_recording("gateway") as proxy:
        load(proxy)
        paths = {request.partition("?")[0] for request in proxy.requests}
    assert paths == {SPEND_LOGS, "/user/daily/activity", "/key/list", "/model/info", "/router/settings"}


# --- failures ---------------------------------------------------------------------------------------------------------


def test_429_waits_as_long_as_the_proxy_asks():
    waits: list[float] = []
    with serve_litellm(rows=[row("a", NOON)]) as proxy:
        proxy.faults.append(Fault(status=429, headers={"retry-after": "7"}))
        proxy.faults.append(Fault(status=503, headers={"retry-after": "Tue, 24 Nov 2099 14:00:30 GMT"}))
        store = load(proxy, sleep=waits.append, http=httpx.Client(transport=_Dated()))
    assert len(store.logs) == 1
    assert waits == [7.0, 30.0]


class _Dated(httpx.HTTPTransport):
    """A proxy whose clock shows 14:00:00: dates are meant by the proxy's own clock."""

    def handle_request(self, request):
        response = super().handle_request(request)
        response.headers["date"] = "Tue, 24 Nov 2099 14:00:00 GMT"
        return response


@pytest.mark.parametrize("retry_after", ["soon", "", "-5", "Tue, 24 Nov 2099"])
def test_a_retry_after_that_says_nothing_is_backed_off_from(retry_after):
    waits: list[float] = []
    with serve_litellm() as proxy:
        proxy.faults.append(Fault(status=429, headers={"retry-after": retry_after}))
        load(proxy, sleep=waits.append)
    assert len(waits) == 1
    assert 0.5 <= waits[0] <= 1.0


def test_a_wait_longer_than_anyone_has_is_reported_at_once():
    with serve_litellm() as proxy:
        proxy.faults.append(Fault(status=429, headers={"retry-after": str(MAX_WAIT_SECONDS * 30)[:-2]}))
        error = failure(proxy)
        assert len(proxy.requests) == 1
    assert "asks to wait 3600 s" in str(error)


def test_trouble_is_backed_off_from_with_growing_jittered_waits():
    waits: list[float] = []
    faults = [
        Fault(status=502),
        Fault(drop=True),
        Fault(status=504, body=b"<html>gateway</html>"),
        Fault(drop=True, body=b'{"data": [' + b" " * 500),
    ]
    with serve_litellm(rows=[row("a", NOON)]) as proxy:
        proxy.faults.extend(faults)
        store = load(proxy, sleep=waits.append)
    assert len(store.logs) == 1
    for wait, longest in zip(waits, (1.0, 2.0, 4.0, 8.0), strict=True):
        assert longest / 2 <= wait <= longest


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(status=429), "HTTP 429 from /spend/logs/v2, 5 times"),
        (Fault(status=503, body=b"<html>secret-words</html>"), "HTTP 503 from /spend/logs/v2, 5 times"),
        (Fault(status=500, body=b"<html>secret-words</html>"), "HTTP 500 from /spend/logs/v2, 5 times"),
        (Fault(drop=True), "the connection broke"),
        (Fault(drop=True, body=b'{"data": ["secret-words"'), "the connection broke"),
        (Fault(hang=True), "no answer in time, 5 times"),
    ],
)
def test_after_five_tries_the_reader_gives_up_and_says_what_to_do(fault, said):
    with serve_litellm() as proxy:
        proxy.faults.extend([fault] * 20)
        error = failure(proxy, http=httpx.Client(timeout=0.1))
        assert len(proxy.requests) == TRIES
    assert error.setting == "AGENTOPS_LITELLM_BASE_URL"
    assert error.value == proxy.base_url
    assert said in error.problem
    assert error.remedy
    assert "secret-words" not in str(error)


@pytest.mark.parametrize(
    ("fault", "setting", "said"),
    [
        (Fault(status=401, body=b"secret-words"), "AGENTOPS_LITELLM_API_KEY", "does not accept this key"),
        (Fault(status=403, body=b"secret-words"), "AGENTOPS_LITELLM_API_KEY", "may not read spend logs"),
        (Fault(status=404, body=b"secret-words"), "AGENTOPS_LITELLM_BASE_URL", "without /v1"),
        (Fault(status=400, body=b"secret-words"), "AGENTOPS_LITELLM_BASE_URL", "HTTP 400"),
        (Fault(status=200, body=b"<html>secret-words</html>"), "AGENTOPS_LITELLM_BASE_URL", "not LiteLLM's JSON"),
        (Fault(status=200, body=b'["secret-words"]'), "AGENTOPS_LITELLM_BASE_URL", "not LiteLLM's JSON"),
        (Fault(status=200, body=b""), "AGENTOPS_LITELLM_BASE_URL", "not LiteLLM's JSON"),
        (
            Fault(status=307, headers={"location": "https://elsewhere.example/?secret-words"}),
            "AGENTOPS_LITELLM_BASE_URL",
            "a redirect to elsewhere.example",
        ),
        (Fault(status=302, headers={"location": "/sso/login"}), "AGENTOPS_LITELLM_BASE_URL", "a redirect to another"),
    ],
)
def test_refusals_are_explained_at_once(fault, setting, said):
    with serve_litellm() as proxy:
        proxy.faults.append(fault)
        error = failure(proxy)
        assert len(proxy.requests) == 1
        assert proxy.api_key not in str(error)
        assert error.value == (proxy.base_url if setting.endswith("URL") else "sk-…(hidden)")
    assert error.setting == setting
    assert said in str(error)
    assert "secret-words" not in str(error)


def test_a_redirect_is_never_followed_with_the_key():
    with serve_litellm() as elsewhere, serve_litellm() as proxy:
        proxy.faults.append(Fault(status=307, headers={"location": elsewhere.base_url + SPEND_LOGS}))
        failure(proxy, http=httpx.Client(follow_redirects=True))
        assert elsewhere.requests == []


def test_a_wrong_key_names_the_setting_and_not_the_key():
    with serve_litellm() as proxy:
        error = failure(proxy, api_key="sk-wrong-and-secret")
    assert error.setting == "AGENTOPS_LITELLM_API_KEY"
    assert "sk-wrong" not in _everything(error)


@pytest.mark.parametrize("key", ["sk-with\nnewline", "sk-with space", "sk-ключ", "sk-\x00"])
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(key):
    with serve_litellm() as proxy:
        error = failure(proxy, api_key=key)
        assert proxy.requests == []
    assert error.setting == "AGENTOPS_LITELLM_API_KEY"
    assert key not in _everything(error)
    assert repr(key) not in _everything(error)


def test_without_a_key_no_header_is_sent():
    with serve_litellm() as proxy:
        error = failure(proxy, api_key="")
        assert proxy.authorizations == [""]
    assert (error.setting, error.value) == ("AGENTOPS_LITELLM_API_KEY", "")
    assert "asks for a key" in error.problem


def test_nothing_at_the_address_is_explained():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    error = _failure_at(url)
    assert (error.setting, error.value) == ("AGENTOPS_LITELLM_BASE_URL", url)
    assert "connection refused" in error.problem


def test_https_where_http_is_spoken_is_explained():
    with serve_litellm() as proxy:
        error = _failure_at(proxy.base_url.replace("http://", "https://"))
    assert "TLS" in error.problem
    assert any(isinstance(cause, ssl.SSLError) for cause in _causes(error))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:4000",
        "ftp://localhost",
        "http://",
        "http://[::1",
        "http://host:port",
        "http://user:hush-hush@localhost:4000",
        "http://user:hush-hush#x@localhost:4000",
        "http://localhost:4000/?token=hush-hush",
        "http://localhost:4000/#hush-hush",
    ],
)
def test_an_address_that_is_none_is_explained_without_its_secrets(url):
    error = _failure_at(url)
    assert error.setting == "AGENTOPS_LITELLM_BASE_URL"
    assert "hush" not in _everything(error)


def test_a_slash_at_the_end_makes_no_difference():
    with serve_litellm(rows=[row("a", NOON)]) as proxy:
        store = load(proxy, base_url=proxy.base_url + "/")
        assert {host for host, _ in store.entries} == {proxy.base_url}
    assert len(store.logs) == 1


def _failure_at(url: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        list(
            read_api(
                base_url=url,
                api_key="sk-secret",
                ledger=Ledger(source="litellm"),
                since=SINCE,
                until=UNTIL,
                sleep=lambda seconds: None,
            )
        )
    assert "sk-secret" not in _everything(caught.value)
    return caught.value


def _causes(error):
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _everything(error: BaseException) -> str:
    """All that a log could show of an error and its causes."""
    return "".join(traceback.format_exception(error)) + "".join(
        repr(cause) + repr(vars(cause)) for cause in _causes(error)
    )


# --- privacy ----------------------------------------------------------------------------------------------------------


def test_key_and_texts_appear_nowhere(caplog):
    caplog.set_level(logging.DEBUG)
    secret = "the-secret-words-of-a-person"
    information = {"error_class": "Exception", "error_message": secret, "traceback": secret, "normalized_error": secret}
    rows = [
        row(
            "failed",
            NOON,
            status="failure",
            metadata={"error_information": information, "proxy_server_request": {"body": secret}},
            messages=[{"content": secret}],
            response={"content": secret},
            proxy_server_request={"headers": secret},
            api_base=secret,
        ),
        row("broken", NOON, prompt_tokens=secret),
    ]
    keys = [{"token": "a" * 64, "key_name": secret, "metadata": {"note": secret}}]
    models = [{"model_name": "x", "litellm_params": {"api_base": secret, "api_key": secret}, "model_info": {"id": "x"}}]
    with serve_litellm(rows=rows, keys=keys, models=models) as proxy:
        store = load(proxy)
        api_key = proxy.api_key
    shown = repr(store) + caplog.text + "".join(repr(vars(record)) for record in caplog.records)
    assert len(store.logs) == 1
    assert len(store.quarantine) == 1
    for hidden in (secret, api_key):
        assert hidden not in shown
