"""What becomes of one spend log, from the API or from the table."""

import copy
import json
import math
import os
from collections import Counter
from datetime import datetime
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentops_pipelines.sources.litellm.dimensions import key_row
from agentops_pipelines.sources.litellm.rows import UnusableRow, spend_log_frame, spend_log_row
from agentops_pipelines.sources.litellm.values import parse_time
from agentops_pipelines.sources.schemas import LITELLM_KEYS, LITELLM_SPEND_LOGS
from agentops_pipelines_tests.litellm_server import api_row, recorded_rows, recorded_truth

SENTINEL = "the-secret-words-of-a-person"

FAILED = {
    "budget_cap": "budget",
    "zero_budget_paid_model": "budget",
    "key_rpm": "key_rpm_limit",
    "key_tpm": "key_tpm_limit",
    "deployment_rpm": "deployment_limit",
    "context_window_all_gpt": "context_window",
    "fallback_model_group_alias": "provider_error",
    "disable_fallbacks": "provider_error",
    "allfail_500": "provider_error",
    "allfail_429": "vendor_rate_limit",
    "allfail_timeout": "timeout",
    "allfail_400": "bad_request",
    "nofallback_429": "vendor_rate_limit",
    "nofallback_500": "provider_error",
    "nofallback_500_stream": "provider_error",
    "nofallback_timeout": "timeout",
    "nofallback_content_filter": "content_filter",
    "nofallback_upstream_401": "provider_auth",
    "model_not_allowed": "model_denied",
    "blocked_key": "blocked_key",
    "expired_key": "expired_key",
    "invalid_key": "unknown_key",
    "unknown_model": "unknown_model",
    "malformed_body": "provider_error",
}
"""What each recorded scenario is, where the client got an error."""


@cache
def _recorded_success():
    return recorded_rows("gateway")[0]


def _log(**changes):
    """A recorded success with some fields changed; `metadata` is merged."""
    log = copy.deepcopy(_recorded_success())
    metadata = log["metadata"] | changes.pop("metadata", {})
    return log | changes | {"metadata": metadata}


@pytest.fixture(scope="module")
def gateway_rows():
    return [spend_log_row(log) for log in recorded_rows("gateway")]


@pytest.mark.parametrize("recording", ["gateway", "combined"])
def test_api_and_table_give_the_same_row_of_a_call(recording):
    logs = recorded_rows(recording)
    from_table = spend_log_frame([spend_log_row(log) for log in logs])
    from_api = spend_log_frame([spend_log_row(api_row(log)) for log in logs])
    assert from_table["created_at"].null_count() == 0
    assert from_api["created_at"].null_count() == len(logs)
    assert from_table.drop("created_at").equals(from_api.drop("created_at"))


@pytest.mark.parametrize(("recording", "count", "failures"), [("gateway", 417, 41), ("combined", 190, 32)])
def test_rows_tokens_and_spend_equal_the_recording(recording, count, failures):
    logs = recorded_rows(recording)
    frame = spend_log_frame([spend_log_row(log) for log in logs])
    assert frame.schema == LITELLM_SPEND_LOGS.frame_schema
    assert frame["request_id"].n_unique() == len(frame) == count
    assert (frame["status"] == "failure").sum() == failures
    assert math.fsum(frame["spend_usd"]) == math.fsum(log["spend"] for log in logs)
    for column, name in (("prompt_tokens",) * 2, ("output_tokens", "completion_tokens"), ("total_tokens",) * 2):
        assert frame[column].sum() == sum(log[name] for log in logs)


def test_every_line_of_the_truth_has_its_row(gateway_rows):
    by_id = {row["request_id"]: row for row in gateway_rows}
    by_call = {row["litellm_call_id"]: row for row in gateway_rows}
    unjoined = Counter()
    for line in recorded_truth():
        row = by_id.get(line["response_id"]) or by_call.get(line["call_id"])
        if row is None:  # rejected before LiteLLM gave it an id: only countable
            alias = None if line["scenario"] == "invalid_key" else line["key_alias"]
            unjoined[(alias, FAILED[line["scenario"]])] += 1
            continue
        _check(line, row)
    calls = {line["call_id"] for line in recorded_truth()}
    rejected = Counter(
        (row["key_alias"], row["error_kind"])
        for row in gateway_rows
        if row["status"] == "failure" and row["litellm_call_id"] not in calls and not row["is_attempt"]
    )
    assert unjoined == rejected
    assert unjoined.total() == 12


def _check(line, row):
    """One call as its client saw it against its row."""
    scenario = line["scenario"]
    assert row["status"] == ("success" if line["status"] == 200 else "failure"), scenario
    assert row["error_kind"] == (None if line["status"] == 200 else FAILED[scenario]), scenario
    assert row["key_alias"] == (None if scenario == "master_key" else line["key_alias"]), scenario
    assert row["end_user"] == line["end_user"] or scenario == "header_tags", scenario
    if scenario != "unknown_model" and line["path"] == "/v1/chat/completions":
        assert (row["original_model_group"] or row["model_group"]) == line["model"], scenario
    if line["category"] is not None:
        assert row["category"] == line["category"], scenario
    if line["status"] != 200:
        return
    if line["model_id"] is not None:
        assert row["deployment_id"] == line["model_id"], scenario
    if line["attempted_fallbacks"] is not None:
        assert row["attempted_fallbacks"] == int(line["attempted_fallbacks"]), scenario
    if scenario == "stream_cut_upstream":  # LiteLLM's own estimate
        return
    seed = line["seed"]
    if "out" in seed:
        assert row["prompt_tokens"] == seed["in"], scenario
        assert row["output_tokens"] == seed["out"], scenario
    if line["cached_tokens"] is not None or "cached" in seed:
        assert row["cache_read_tokens"] == seed.get("cached", line["cached_tokens"]), scenario
    if line["response_cost"] is not None:
        assert row["spend_usd"] == pytest.approx(float(line["response_cost"]), rel=1e-9), scenario


def test_kinds_of_rows_are_told_apart(gateway_rows):
    counts = Counter()
    for row in gateway_rows:
        counts.update(name for name, value in row.items() if name.startswith("is_") and value)
        counts["fallback"] += (row["attempted_fallbacks"] or 0) > 0
        counts["unknown fallback"] += row["attempted_fallbacks"] is None
    assert counts["is_health_check"] == 15
    assert counts["is_attempt"] == 3
    assert counts["is_response_cache_hit"] == counts["is_client_disconnect"] == 0
    health = [row for row in gateway_rows if row["is_health_check"]]
    assert {row["model_group"] for row in health} == {None}
    assert counts["fallback"] == sum(
        (log["metadata"]["attempted_fallbacks"] or 0) > 0 for log in recorded_rows("gateway")
    )
    assert counts["unknown fallback"] == sum(
        log["metadata"]["attempted_fallbacks"] is None for log in recorded_rows("gateway")
    )


def test_a_budget_rejection_keeps_category_limit_and_spend(gateway_rows):
    capped = [row for row in gateway_rows if row["error_kind"] == "budget" and row["key_alias"] == "shared-capped"]
    assert len(capped) == 6
    assert {row["error_budget_limit_usd"] for row in capped} == {0.004}
    assert all(row["error_budget_spend_usd"] == pytest.approx(0.0057) for row in capped)
    assert all(row["category"] for row in capped)


def test_prices_in_force_are_taken_from_the_row(gateway_rows):
    paid = next(row for row in gateway_rows if row["model_group"] == "paid-claude-sonnet-4-6")
    assert (paid["input_price"], paid["output_price"], paid["cache_read_price"]) == (3e-6, 1.5e-5, 3e-7)
    excluded = spend_log_row(_log(metadata={"model_map_information": None}))
    assert excluded["input_price"] is excluded["output_price"] is excluded["cache_read_price"] is None


def test_cache_writes_of_an_hour_are_kept_apart():
    details = {
        "cached_tokens": 10,
        "cache_creation_tokens": 30,
        "cache_creation_token_details": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
    }
    usage = {"prompt_tokens_details": details, "completion_tokens_details": {"reasoning_tokens": 7}}
    values = {"cache_read_input_tokens": 10, "cache_creation_input_tokens": 30}
    row = spend_log_row(_log(metadata={"usage_object": usage, "additional_usage_values": values}))
    assert (row["cache_read_tokens"], row["cache_write_tokens"], row["cache_write_1h_tokens"]) == (10, 30, 20)
    assert row["reasoning_tokens"] == 7


def test_cached_tokens_come_from_the_usage_where_the_operator_excluded_the_other_place():
    details = {"cached_tokens": 10, "cache_creation_tokens": 30}
    row = spend_log_row(
        _log(metadata={"usage_object": {"prompt_tokens_details": details}, "additional_usage_values": None})
    )
    assert (row["cache_read_tokens"], row["cache_write_tokens"]) == (10, 30)


def test_labels_of_the_body_come_before_tags():
    tags = ["category:from-tag", "ticket:TAG-1", "User-Agent: x"]
    labels = {"category": "from-body", "ticket": "FAD-12", "method": "m", "pipeline": "p", "step": "s", "task_id": "t"}
    row = spend_log_row(_log(request_tags=tags, metadata={"spend_logs_metadata": labels}))
    assert [row[name] for name in ("category", "ticket_key", "method", "pipeline", "step", "task_id")] == [
        "from-body",
        "FAD-12",
        "m",
        "p",
        "s",
        "t",
    ]
    row = spend_log_row(_log(request_tags=tags, metadata={"spend_logs_metadata": None}))
    assert (row["category"], row["ticket_key"], row["method"]) == ("from-tag", "TAG-1", None)


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"request_id": "0f3c-attempt-2"}, "is_attempt"),
        ({"metadata": {"billed_retry_attempt": True}}, "is_attempt"),
        ({"api_key": "litellm-internal-health-check"}, "is_health_check"),
        ({"team_id": "litellm-internal-health-check"}, "is_health_check"),
        ({"request_tags": ["litellm-internal-health-check"]}, "is_health_check"),
        ({"cache_hit": "True"}, "is_response_cache_hit"),
        ({"request_id": "chatcmpl-1_cache_hit1764000000.1"}, "is_response_cache_hit"),
        ({"metadata": {"error_information": {"error_class": "ClientDisconnected"}}}, "is_client_disconnect"),
    ],
)
def test_special_rows_are_flagged(changes, flag):
    flags = ("is_attempt", "is_health_check", "is_response_cache_hit", "is_client_disconnect")
    row = spend_log_row(_log(**changes))
    assert [name for name in flags if row[name]] == [flag]


def test_a_client_that_hung_up_is_a_success_with_an_error_kind():
    row = spend_log_row(_log(metadata={"error_information": {"error_class": "ClientDisconnected"}}))
    assert (row["status"], row["error_kind"]) == ("success", "client_disconnect")


def test_an_old_proxy_lacks_columns_and_says_nothing_about_fallbacks():
    log = _log()
    for name in ("status", "litellm_call_id", "organization_id", "request_duration_ms", "created_at", "session_id"):
        log.pop(name)
    for name in ("attempted_fallbacks", "original_model_group", "attempted_retries", "billed_retry_attempt"):
        log["metadata"].pop(name)
    row = spend_log_row(log)
    assert row["status"] == "success"
    assert row["litellm_call_id"] == log["metadata"]["litellm_call_id"]
    assert row["attempted_fallbacks"] is row["original_model_group"] is row["attempted_retries"] is None
    log["metadata"]["status"] = "failure"
    assert spend_log_row(log)["status"] == "failure"


def test_a_row_without_metadata_is_still_a_row():
    log = _log()
    log["metadata"] = None
    row = spend_log_row(log)
    assert (row["cache_read_tokens"], row["key_alias"], row["category"]) == (0, None, "calendar")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24T14:02:19.298+00:00", datetime(2026, 11, 24, 14, 2, 19, 298_000)),
        ("2026-11-24T14:02:19.29", datetime(2026, 11, 24, 14, 2, 19, 290_000)),
        ("2026-11-24T14:02:19", datetime(2026, 11, 24, 14, 2, 19)),
        ("2026-11-24T14:02:19.298Z", datetime(2026, 11, 24, 14, 2, 19, 298_000)),
        ("2026-11-24T15:02:19.298+01:00", datetime(2026, 11, 24, 14, 2, 19, 298_000)),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("1970-01-01T00:00:00", None),
        ("soon", None),
        ("", None),
        (1764000000, None),
    ],
)
def test_times_are_naive_utc_or_nothing(text, expected):
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"request_id": None}, "no request_id"),
        ({"request_id": ""}, "no request_id"),
        ({"request_id": 7}, "no request_id"),
        ({"startTime": "yesterday"}, "startTime"),
        ({"endTime": None}, "endTime"),
        ({"endTime": "99999-01-01T00:00:00"}, "endTime"),
        ({"prompt_tokens": "many"}, "prompt_tokens"),
        ({"prompt_tokens": True}, "prompt_tokens"),
        ({"prompt_tokens": 10**12}, "prompt_tokens"),
        ({"prompt_tokens": 10**400}, "prompt_tokens"),
        ({"completion_tokens": -1}, "completion_tokens"),
        ({"completion_tokens": 1.5}, "completion_tokens"),
        ({"total_tokens": None}, "total_tokens"),
        ({"spend": -0.01}, "spend"),
        ({"spend": 1e9}, "spend"),
        ({"spend": float("nan")}, "spend"),
        ({"spend": float("inf")}, "spend"),
        ({"spend": "0.1"}, "spend"),
        ({"spend": None}, "spend"),
        ({"metadata": {"additional_usage_values": {"cache_read_input_tokens": -5}}}, "cache_read_input_tokens"),
    ],
)
def test_unusable_rows_say_which_field(changes, reason):
    with pytest.raises(UnusableRow, match=reason):
        spend_log_row(_log(**changes))


@pytest.mark.parametrize("log", [None, 7, "text", [], ["request_id"]])
def test_what_is_no_object_is_unusable(log):
    with pytest.raises(UnusableRow, match="not an object"):
        spend_log_row(log)


def test_no_prompt_answer_header_or_error_text_is_carried_over():
    secret = {"content": SENTINEL}
    row = spend_log_row(
        _log(
            messages=[secret],
            response=secret,
            proxy_server_request={"headers": secret},
            api_base=SENTINEL,
            request_tags=[SENTINEL, f"User-Agent: {SENTINEL}"],
            requester_ip_address=SENTINEL,
            status="failure",
            metadata={
                "error_information": {
                    "error_class": f"Error: {SENTINEL}",
                    "error_message": SENTINEL,
                    "traceback": SENTINEL,
                    "normalized_error": SENTINEL,
                },
                "requester_ip_address": SENTINEL,
                "proxy_server_request": secret,
                "guardrail_information": secret,
            },
        )
    )
    assert SENTINEL not in json.dumps(row, default=str)


def test_people_are_hidden_and_long_labels_cut():
    row = spend_log_row(
        _log(
            end_user="+49 151 2345 6789",
            user="theo@example.org",
            session_id="agent:main:whatsapp:direct:+4915123456789",
            metadata={"spend_logs_metadata": {"category": "mail to theo@example.org", "step": "x" * 10_000}},
        )
    )
    text = json.dumps(row, default=str)
    assert "6789" not in text
    assert "example.org" not in text
    assert len(str(row["step"])) == 120
    assert str(row["end_user"]).startswith("~")
    assert spend_log_row(_log(end_user="u-1"))["end_user"] == "u-1"


def test_a_trace_id_keeps_its_digits():
    for trace_id in ("59388a1ee2e104a872284eca9321a1d5", "12345678-1234-1234-1234-123456789012"):
        assert spend_log_row(_log(session_id=trace_id))["trace_id"] == trace_id


@pytest.mark.parametrize(
    "name", ["FAD-12", "fad_31-1234567", "t-392481", "CS1234567", "59388a1ee2e104a872284eca9321a1d5"]
)
def test_ids_of_tickets_and_tasks_keep_their_digits(name):
    row = spend_log_row(_log(metadata={"spend_logs_metadata": {"ticket": name, "task_id": name}}))
    assert (row["ticket_key"], row["task_id"]) == (name, name)


@pytest.mark.parametrize("name", ["+49 151 2345 6789", "4915123456789", "theo@example.org", "ask theo@example.org"])
def test_a_person_in_place_of_an_id_or_alias_is_hidden(name):
    labels = {"ticket": name, "task_id": name}
    row = spend_log_row(_log(metadata={"spend_logs_metadata": labels, "user_api_key_alias": name}))
    key = key_row({"token": "a" * 64, "key_alias": name}, observed_at=datetime(2026, 11, 24))
    alias = LITELLM_KEYS.frame([key])["key_alias"].item()
    assert row["key_alias"] == alias
    for shown in (str(row["ticket_key"]), str(row["task_id"]), alias):
        assert "~" in shown
        assert name not in shown


def test_a_key_in_clear_is_hashed_like_litellm_does():
    row = spend_log_row(_log(api_key="sk-1234"))
    assert row["key_hash"] == "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
@given(st.dictionaries(st.sampled_from([*_log(), "messages"]), _JSON, max_size=5), st.data())
def test_whatever_stands_in_a_row_it_loads_or_is_unusable(changes, data):
    metadata = _log()["metadata"]
    changes["metadata"] = metadata | data.draw(st.dictionaries(st.sampled_from(list(metadata)), _JSON, max_size=5))
    try:
        row = spend_log_row(_log() | changes)
    except UnusableRow:
        return
    assert spend_log_frame([row]).height == 1


@pytest.mark.skipif("AGENTOPS_RECORDINGS" not in os.environ, reason="needs the full recordings")
@pytest.mark.parametrize(("recording", "folder"), [("gateway", "litellm/db"), ("combined", "combined/litellm")])
def test_trimmed_recordings_give_the_same_rows_as_the_full_ones(recording, folder):
    path = Path(os.environ["AGENTOPS_RECORDINGS"]) / folder / "LiteLLM_SpendLogs.jsonl"
    full = spend_log_frame([spend_log_row(json.loads(line)) for line in path.read_text().splitlines()])
    trimmed = spend_log_frame([spend_log_row(log) for log in recorded_rows(recording)])
    assert full.equals(trimmed)


@pytest.mark.skipif("AGENTOPS_RECORDINGS" not in os.environ, reason="needs the full recordings")
def test_answers_of_the_real_api_give_the_same_rows_as_its_table():
    folder = Path(os.environ["AGENTOPS_RECORDINGS"]) / "litellm" / "api"
    pages = [json.loads((folder / f"spend_logs_v2_page{page}.json").read_text())["data"] for page in (1, 2)]
    from_api = spend_log_frame([spend_log_row(log) for page in pages for log in page])
    from_table = spend_log_frame([spend_log_row(log) for log in recorded_rows("gateway")])
    joined = from_table.filter(pl.col("request_id").is_in(from_api["request_id"].to_list())).sort("request_id")
    assert from_api.height == 200
    assert from_api.drop("created_at").sort("request_id").equals(joined.drop("created_at"))
