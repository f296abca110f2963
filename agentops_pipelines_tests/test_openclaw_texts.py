"""Marks, empty-poll phrases, ticket keys, error kinds and usage: what is kept of a text, and nothing else of it."""

import math
from typing import Any

import pytest

from agentops_pipelines.sources.openclaw.errors import ERROR_KINDS, error_kind
from agentops_pipelines.sources.openclaw.keys import public_key, public_run_id
from agentops_pipelines.sources.openclaw.marks import MARKS, Mark, mark_of, ticket_keys
from agentops_pipelines.sources.openclaw.phrases import PollPhrases
from agentops_pipelines.sources.openclaw.usage import NO_USAGE, usage_of
from agentops_pipelines.sources.openclaw.values import BadValue, micros
from agentops_pipelines.sources.privacy import peer_label

_OUTSIDE = (
    "SECURITY NOTICE: The following content is from an EXTERNAL, UNTRUSTED source (e.g., email, webhook).\n- DO NOT"
)
_HEARTBEAT = "Read HEARTBEAT.md if it exists (workspace context). Follow it strictly. If nothing, reply HEARTBEAT_OK."
_RETRY = "[Retry after the previous model attempt failed or timed out]\n\n"


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        # 2026.9 and 2026.6
        ("[OpenClaw heartbeat poll]", Mark(kind="heartbeat_poll")),
        ("[OpenClaw cron wake]", Mark(kind="cron_wake")),
        ("[OpenClaw session event]", Mark(kind="session_event")),
        ("[OpenClaw exec completion]\nDisable automatic completion turns", Mark(kind="session_event")),
        # 2026.4: the prompts themselves
        (_HEARTBEAT, Mark(kind="heartbeat_poll")),
        (f"[Tue 2026-11-24 14:09 UTC] {_HEARTBEAT}", Mark(kind="heartbeat_poll")),
        ("Look around.\nWhen reading HEARTBEAT.md, use workspace file /ws/H.md", Mark(kind="heartbeat_poll")),
        (f"System (untrusted): [2026-11-24 14:05:24 UTC] New email\n\n{_HEARTBEAT}", Mark(kind="session_event")),
        (
            "System (untrusted): [2026-11-24 14:05:52 UTC] Hook A: x\nSystem: [2026-11-24 14:06:17 UTC] b\n\n"
            + _HEARTBEAT,
            Mark(kind="session_event"),
        ),
        (
            "System: [2026-11-24 14:03:21 UTC] standup\n\nA scheduled reminder has been triggered. The reminder",
            Mark(kind="cron_wake"),
        ),
        ("System: [2026-11-24 14:03:21 UTC] Node connected", Mark(kind="session_event")),
        ("System: [2026-11-24 14:03:21 UTC] Node connected\n\nPlease go on", None),
        # cron
        (
            "[cron:30949bfc-3279-475f-817b-1969ce07f3fc nightly-digest] Write it",
            Mark(kind="cron", id="30949bfc-3279-475f-817b-1969ce07f3fc", name="nightly-digest"),
        ),
        ("[cron:j1 [ops] sweep] go", Mark(kind="cron", id="j1", name="[ops] sweep")),
        ("[cron:j1] go", Mark(kind="cron", id="j1")),
        (f"{_RETRY}[cron:j1 sweep] go", Mark(kind="cron", id="j1", name="sweep")),
        # webhooks: with the task's name in front (2026.4, 2026.6) or inside (2026.9)
        (
            f"Task: Monitor | Job ID: w1 | Received: Tuesday\n\n{_OUTSIDE}",
            Mark(kind="webhook", id="w1", name="Monitor"),
        ),
        (
            f'Job ID: w2 | Received: Tuesday\n\n{_OUTSIDE}\n\n<<<EXTERNAL_UNTRUSTED_CONTENT id="7">>>\n'
            "Source: Webhook\nTask: Email\n---\nTask: other\n",
            Mark(kind="webhook", id="w2", name="Email"),
        ),
        (_OUTSIDE, Mark(kind="webhook")),
        # sessions that speak to sessions
        ("[Subagent Context] You are running as a subagent (depth 1/1).", Mark(kind="subagent_context")),
        ("[Tue 2026-11-24 14:01 UTC] [Subagent Context] You are", Mark(kind="subagent_context")),
        ("<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>\nOpenClaw runtime context", Mark(kind="inter_session")),
        ("[Inter-session message] sourceTool=sessions_send", Mark(kind="inter_session")),
        ("Pre-compaction memory flush. Store durable memories", Mark(kind="memory_flush")),
        ("A new session was started via /new or /reset. Greet", Mark(kind="new_session")),
        (f"{_RETRY}status update", Mark(kind="retry")),
        # people
        ("Hello, what is on today?", None),
        ("[Tue 2026-11-24 14:00 UTC] Hello", None),
        ("Task: write a poem", None),
        ("[1] first point", None),
        ("System: is it down?", None),
        ("Tell me what HEARTBEAT_OK means", None),
        ("", None),
    ],
)
def test_the_opening_of_a_user_line_says_what_the_turn_is(text: str, mark: Mark | None) -> None:
    assert mark_of(text, provenance={}) == mark
    assert mark is None or mark.kind in MARKS


@pytest.mark.parametrize(
    ("text", "provenance", "mark"),
    [
        (
            "[cron:j1 a] b] go",
            {"kind": "internal_system", "sourceTool": "cron", "sourcePromptPrefix": "[cron:j1 a] b]", "jobId": "j1"},
            Mark(kind="cron", id="j1", name="a] b"),
        ),
        (
            "own words",
            {"kind": "internal_system", "sourceTool": "cron", "jobId": "j1"},
            Mark(kind="cron", id="j1"),
        ),
        ("own words", {"kind": "internal_system", "sourceTool": "heartbeat"}, Mark(kind="heartbeat_poll")),
        ("own words", {"kind": "internal_system", "sourceTool": "cron"}, Mark(kind="cron_wake")),
        ("own words", {"kind": "internal_system", "sourceTool": "hook"}, Mark(kind="session_event")),
        ("own words", {"kind": "internal_system", "sourceTool": "restart-sentinel"}, None),
        ("own words", {"kind": "inter_session", "sourceTool": "subagent_announce"}, Mark(kind="inter_session")),
        ("own words", {"kind": "external_user"}, None),
        ("[OpenClaw heartbeat poll]", {"kind": 7, "sourceTool": ["x"]}, Mark(kind="heartbeat_poll")),
    ],
)
def test_provenance_fills_in_where_the_text_is_silent(text: str, provenance: dict[str, Any], mark: Mark | None) -> None:
    assert mark_of(text, provenance=provenance) == mark


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("HEARTBEAT_OK", "HEARTBEAT_OK"),
        ("  HEARTBEAT_OK\n", "HEARTBEAT_OK"),
        ("**HEARTBEAT_OK**", "HEARTBEAT_OK"),
        ("<b>HEARTBEAT_OK</b>", "HEARTBEAT_OK"),
        ("HEARTBEAT_OK!!!", "HEARTBEAT_OK"),
        ("HEARTBEAT_OK " + "x" * 300, "HEARTBEAT_OK"),
        ("Nothing new. HEARTBEAT_OK.", "HEARTBEAT_OK"),
        ("HEARTBEAT_OK " + "x" * 301, None),
        ("x" * 301 + " HEARTBEAT_OK", None),
        ("I would say HEARTBEAT_OK but the disk is full", None),
        ("NO_REPLY", "NO_REPLY"),
        ("no_reply", "NO_REPLY"),
        ("NO_REPLY NO_REPLY", "NO_REPLY"),
        ("**NO_REPLY**.", "NO_REPLY"),
        ('{"action": "NO_REPLY"}', "NO_REPLY"),
        ("The mail says NO_REPLY", None),
        ("NO_REPLY because the inbox is empty", None),
        ("No tasks available", "phrase:1"),
        ("No tasks available.", "phrase:1"),
        ("*no  tasks\navailable!*", "phrase:1"),
        ("No tasks available, but the disk is full", None),
        ("nichts zu tun", "phrase:2"),
        ("Inbox has 2 urgent mails", None),
        ("", None),
        ("   ", None),
    ],
)
def test_an_answer_that_says_nothing_is_known_by_its_phrase(text: str, phrase: str | None) -> None:
    assert PollPhrases(("No tasks available", "Nichts zu tun.", "")).id_of(text) == phrase


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Work on FAD-31 checkout bug", "FAD-31"),
        ("FAD-31, FAD-12 and FAD-31 again (ABC-1)", "FAD-31 FAD-12 ABC-1"),
        ("branch feature/FAD-31-checkout", "FAD-31"),
        ("AA-1 AA-2 AA-3 AA-4 AA-5 AA-6", "AA-1 AA-2 AA-3 AA-4 AA-5"),
        ("UTF-8, SHA-256, GPT-5, RFC-2616, ISO-8601", None),
        ("id 0A1B2C3D-1111-4222-8333-444455556666", None),
        ("fad-31 and B-12 and A-", None),
        ("no hyphen", None),
        ("2026-11-24", None),
    ],
)
def test_ticket_shaped_keys_are_found(text: str, keys: str | None) -> None:
    assert ticket_keys(text) == keys


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"errorMessage": "429 Rate limit reached", "errorType": "rate_limit_error"}, "rate_limit"),
        (
            {
                "errorMessage": "422 Budget has been exceeded!",
                "errorCode": "422",
                "errorType": "budget_exceeded",
            },
            "budget",
        ),
        ({"errorMessage": "400 Budget has been exceeded! Key=x"}, "budget"),
        ({"errorMessage": "400 invalid request: x", "errorType": "invalid_request_error"}, "bad_request"),
        ({"errorMessage": "400 invalid request: x"}, "bad_request"),
        (
            {"errorMessage": "400 This model's maximum context length is 8192", "errorType": "invalid_request_error"},
            "context_window",
        ),
        ({"errorMessage": "429 x", "errorCode": "429", "errorType": "throttling_error"}, "rate_limit"),
        ({"errorMessage": "500 litellm.APIError: exploded", "errorType": "internal_server_error"}, "provider_error"),
        ({"errorMessage": "502 x"}, "provider_error"),
        ({"errorMessage": "Request timed out."}, "timeout"),
        ({"errorMessage": "401 Incorrect API key provided"}, "auth"),
        ({"errorMessage": "404 The model `x` does not exist"}, "unknown_model"),
        ({"errorMessage": "fetch failed"}, "provider_error"),
        ({"errorMessage": "529 Overloaded"}, "provider_error"),
        ({"errorMessage": "the content filter triggered: content_filter"}, "content_filter"),
        ({"errorMessage": "something else"}, "other"),
        ({"errorMessage": 7, "errorCode": {"a": 1}, "errorType": None}, "other"),
        ({}, "other"),
    ],
)
def test_an_error_is_one_word_from_a_fixed_list(fields: dict[str, Any], kind: str) -> None:
    assert error_kind(fields, stop_reason="error") == kind
    assert kind in ERROR_KINDS


def test_only_failed_and_stopped_calls_have_an_error_kind() -> None:
    assert error_kind({}, stop_reason="stop") is None
    assert error_kind({}, stop_reason=None) is None
    assert error_kind({"errorMessage": "429"}, stop_reason="stop") == "rate_limit"
    assert error_kind({"errorMessage": "x"}, stop_reason="aborted") == "aborted"


_PRICED = {"cost": {"input": 0.1, "output": 0.2, "cacheRead": 0, "cacheWrite": 0, "total": 0.3}}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"input": 7, "output": 2, "cacheRead": 3, "cacheWrite": 4, "reasoningTokens": 1}, (7, 3, 4, 2, 1, None)),
        ({"input": 7, "output": 2}, (7, 0, 0, 2, None, None)),
        ({"inputTokens": 7, "outputTokens": 2}, (7, 0, 0, 2, None, None)),
        (
            {"input_tokens": 7, "output_tokens": 2, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 4},
            (7, 3, 4, 2, None, None),
        ),
        # OpenAI and codex count cached tokens inside the input
        (
            {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
            (6, 4, 0, 2, None, None),
        ),
        ({"promptTokens": 10, "completionTokens": 2, "cached_tokens": 4}, (6, 4, 0, 2, None, None)),
        ({"input_tokens": 10, "output_tokens": 2, "cached_input_tokens": 4}, (6, 4, 0, 2, None, None)),
        ({"input_tokens": 3, "output_tokens": 2, "cached_tokens": 4}, (0, 4, 0, 2, None, None)),
        ({"input": 7, "output": 2, "completion_tokens_details": {"reasoning_tokens": 1}}, (7, 0, 0, 2, 1, None)),
        ({"input": None, "input_tokens": 7, "output": 2.0}, (7, 0, 0, 2, None, None)),
        ({"totalTokens": 12}, NO_USAGE),
        ({}, NO_USAGE),
        (None, NO_USAGE),
        # cost: OpenClaw's total; zeros are evidence only when something says so
        ({"input": 7, "output": 2, "cacheRead": 0, "cacheWrite": 0, **_PRICED}, (7, 0, 0, 2, None, 0.3)),
        ({"input": 7, "output": 2, "cacheRead": 0, "cacheWrite": 0, "cost": {"total": 0}}, (7, 0, 0, 2, None, None)),
        ({"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0, "cost": {"total": 0}}, (0, 0, 0, 0, None, 0.0)),
        (
            {
                "input": 7,
                "output": 2,
                "cacheRead": 0,
                "cacheWrite": 0,
                "cost": {"total": 0, "totalOrigin": "provider-billed"},
            },
            (7, 0, 0, 2, None, 0.0),
        ),
        ({"input": 7, "output": 2, "cost": {"total": -1}}, (7, 0, 0, 2, None, None)),
        ({"input": 7, "output": 2, "cost": {"total": "0.3"}}, (7, 0, 0, 2, None, None)),
        ({"input": 7, "output": 2, "cost": 0.3}, (7, 0, 0, 2, None, None)),
        ({"input": 7, "output": 2, "cost": {"total": math.inf}}, (7, 0, 0, 2, None, None)),
    ],
)
def test_usage_is_understood_under_every_name_it_goes_by(raw: Any, expected: tuple[Any, ...]) -> None:
    assert usage_of(raw) == expected


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("7", "wrong_type"),
        ([7], "wrong_type"),
        ({"input_tokens": "7"}, "wrong_type"),
        ({"input_tokens": True}, "wrong_type"),
        ({"input_tokens": -7}, "negative_tokens"),
        ({"input_tokens": 10**12}, "tokens_out_of_range"),
        ({"input_tokens": 1, "prompt_tokens_details": [1]}, "wrong_type"),
    ],
)
def test_usage_that_cannot_be_believed_is_refused(raw: Any, reason: str) -> None:
    with pytest.raises(BadValue, match=reason):
        usage_of(raw)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1970-01-01T00:00:00Z", None),
        ("2026-11-24T13:46:16.580Z", 1795527976580000),
        ("2026-11-24T14:46:16.580+01:00", 1795527976580000),
        ("2026-11-24T13:46:16.580", 1795527976580000),
        (1795527976580, 1795527976580000),
        (1795527976580.4, 1795527976580400),
        ("yesterday", None),
        ("", None),
        (-1, None),
        (10**30, None),
        (1e300, None),
        (True, None),
        ({}, None),
        ("9999-12-31T23:59:59Z", None),
    ],
)
def test_times_are_utc_and_inside_a_century(value: Any, expected: int | None) -> None:
    if expected is None:
        with pytest.raises(BadValue, match="timestamp_out_of_range"):
            micros(value)
    else:
        assert micros(value) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("agent:main:main", "agent:main:main"),
        (
            "agent:main:subagent:00000000-1111-2222-3333-444444444444",
            "agent:main:subagent:00000000-1111-2222-3333-444444444444",
        ),
        ("agent:main:cron:j1:run:1795528608693", "agent:main:cron:j1:run:1795528608693"),
        ("agent:main:incident-42", "agent:main:incident-42"),
        ("agent:main:telegram:group:-1001234567890", f"agent:main:telegram:group:{peer_label('-1001234567890')}"),
        ("agent:main:whatsapp:+4915112345678", f"agent:main:whatsapp:{peer_label('+4915112345678')}"),
        ("whatsapp:+4915112345678", f"whatsapp:{peer_label('+4915112345678')}"),
        ("agent:main:telegram:123456789", f"agent:main:telegram:{peer_label('123456789')}"),
        ("agent:main:openai-user:eve@example.com", f"agent:main:openai-user:{peer_label('eve@example.com')}"),
    ],
)
def test_session_keys_hide_people(key: str, expected: str) -> None:
    assert public_key(key) == expected


def test_a_key_that_only_contains_a_number_hides_it_too() -> None:
    assert public_key("agent:main:wa-+4915112345678-x") == f"agent:main:{peer_label('wa-+4915112345678-x')}"


@pytest.mark.parametrize(
    ("run_id", "expected"),
    [
        ("manual:j1:1795528608681:4", "manual:j1:1795528608681:4"),
        ("cron:j1:1795528608681", "cron:j1:1795528608681"),
        ("00000000-1111-2222-3333-444444444444", "00000000-1111-2222-3333-444444444444"),
        ("announce:v1:agent:main:x:+4915112345678:r", f"announce:v1:agent:main:x:{peer_label('+4915112345678')}:r"),
        ("announce:v1:agent:main:telegram:123456789:r", f"announce:v1:agent:main:telegram:{peer_label('123456789')}:r"),
        (
            "announce:v1:agent:main:slack:channel:c0123abc:thread:99.5:r",
            f"announce:v1:agent:main:slack:channel:{peer_label('c0123abc')}:thread:{peer_label('99.5')}:r",
        ),
        (
            "announce:v1:agent:main:telegram:group:-1001234567890:subagent:s1:1795528608681",
            f"announce:v1:agent:main:telegram:group:{peer_label('-1001234567890')}:subagent:s1:1795528608681",
        ),
        ("-1001234567890", peer_label("-1001234567890")),
        ("4915112345678", peer_label("4915112345678")),
        ("hook:eve@example.com:7", f"hook:{peer_label('eve@example.com')}:7"),
    ],
)
def test_run_ids_hide_people_and_keep_what_joins(run_id: str, expected: str) -> None:
    assert public_run_id(run_id) == expected


def test_a_session_key_is_the_same_inside_a_run_id() -> None:
    key = "agent:main:whatsapp:direct:+4915112345678:thread:777"
    assert public_run_id(f"announce:v1:{key}:r") == f"announce:v1:{public_key(key)}:r"
