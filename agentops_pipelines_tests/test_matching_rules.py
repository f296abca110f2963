"""Each condition of a pair, alone: one world, an hour a case, and a call of its own size in each.

Five calls with ids make the key `k` alec's and say that clocks agree; every case is such a call once more with one
thing changed.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from agentops_pipelines_tests.rows import batch, line, request
from agentops_pipelines_tests.world import built, rows

T = datetime(2026, 11, 20)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)

Case = tuple[dict[str, Any], dict[str, Any], str]
"""What is changed about the line, about the LiteLLM row, and the rule that then joins them."""

OTHER_KEY = {"key_hash": "k9", "key_alias": "costaff"}
CASES: dict[str, Case] = {
    # by id
    "id and tokens": ({"response_id": "r"}, {}, "response_id"),
    "id, whatever the clocks say": ({"response_id": "r"}, {"started_at": T - HOUR, "ended_at": T}, "response_id"),
    "id, another agent's key": ({"response_id": "r"}, {**OTHER_KEY, "key_hash": "k8"}, "response_id"),
    "id, other prompt tokens": ({"response_id": "r", "input_tokens": 1}, {}, "none"),
    "id, other output tokens": ({"response_id": "r", "output_tokens": 9}, {}, "none"),
    "id of a failed row": ({"response_id": "r"}, {"status": "failure"}, "none"),
    # without an id
    "tokens and time": ({}, {}, "tokens_time"),
    "cache writes counted as input": ({}, {"cache_write_tokens": 30}, "tokens_time"),
    "ends 5 s apart": ({"written_at": 5 * SECOND}, {}, "tokens_time"),
    "ends 6 s apart": ({"written_at": 6 * SECOND}, {}, "none"),
    "ends 6 s before": ({"written_at": -6 * SECOND}, {}, "none"),
    "retried inside the gateway": ({"started_at": -40 * SECOND}, {}, "tokens_time"),
    "began 6 s before the agent asked": ({"started_at": 6 * SECOND}, {}, "none"),
    "another group": ({"model": "heavy"}, {}, "none"),
    "other prompt tokens": ({"input_tokens": 1}, {}, "none"),
    "other output tokens": ({"output_tokens": 9}, {}, "none"),
    "a failed row": ({}, {"status": "failure"}, "none"),
    "a health check": ({}, {"is_health_check": True}, "none"),
    "a pipeline step": ({}, {"pipeline": "dod-verify"}, "none"),
    "another agent's key": ({}, OTHER_KEY, "none"),
    "a key that nobody owns": ({}, {"key_hash": "k0", "key_alias": "team"}, "tokens_time"),
    "no key": ({}, {"key_hash": None, "key_alias": None}, "tokens_time"),
    "another id": ({"response_id": "other"}, {}, "none"),
    "another id, the gateway logs its own": ({"response_id": "other"}, {"litellm_call_id": "r"}, "tokens_time"),
    "another id, the gateway logs an encoded one": (
        {"response_id": "other"},
        {"request_id": "resp_{id}"},
        "tokens_time",
    ),
    "another id, answered from the cache": ({"response_id": "x"}, {"request_id": "{id}_cache_hit1"}, "tokens_time"),
    "a line without tokens": (
        {"input_tokens": 0, "cache_read_tokens": 0, "output_tokens": 0},
        {"prompt_tokens": 0, "cache_read_tokens": 0, "output_tokens": 0},
        "none",
    ),
    "a failed line": ({"stop_reason": "error"}, {}, "none"),
    "a user line": ({"kind": "user"}, {}, "none"),
}


def _at(number: int) -> datetime:
    return T + (number + 24) * HOUR


def _case(number: int, change: dict[str, Any], row_change: dict[str, Any]) -> tuple[dict, dict]:
    at, prompt = _at(number), 1_000 + number
    moved = {name: at + value if isinstance(value, timedelta) else value for name, value in change.items()}
    row: dict[str, Any] = {"prompt_tokens": prompt, **row_change}
    request_id = row.pop("request_id", "{id}").format(id=f"r{number}")
    if "litellm_call_id" in row:
        row["litellm_call_id"] = request_id
    if "started_at" in row:
        row |= {"started_at": at - 30 * HOUR, "ended_at": at - 30 * HOUR}
    if moved.get("response_id") == "r":
        moved["response_id"] = request_id
    said = {"input_tokens": prompt - 50, **moved}
    return dict(line(f"case-{number}", at, session_id=f"s{number}", **said)), dict(
        request(request_id, row.pop("started_at", at), **row)
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[str | None, str]]]:
    """Line id -> the row it is joined to, and by which rule."""
    lines, requests = [], []
    for number in range(5):
        lines.append(line(f"known-{number}", T + number * HOUR, session_id=f"k{number}", response_id=f"known-{number}"))
        requests.append(request(f"known-{number}", T + number * HOUR))
    lines.append(line("costaff", T, agent_id="costaff", session_id="c", response_id="costaff"))
    requests.append(request("costaff", T, key_hash="k9", key_alias="costaff"))
    for number, (change, row_change, _) in enumerate(CASES.values()):
        a_line, a_row = _case(number, change, row_change)
        lines.append(a_line)
        requests.append(a_row)
    at = _at(len(CASES)) + HOUR
    # two equal calls in the same second: nobody can tell which is which
    for number in range(2):
        lines.append(line(f"twin-{number}", at, session_id=f"t{number}", input_tokens=7_000))
        requests.append(request(f"twin-{number}", at, prompt_tokens=7_050))
    # one line and two rows, two lines and one row
    lines.append(line("one", at, session_id="o", input_tokens=8_000))
    requests += [request(f"two-{number}", at, prompt_tokens=8_050) for number in range(2)]
    lines += [line(f"pair-{number}", at, session_id=f"p{number}", input_tokens=9_000) for number in range(2)]
    requests.append(request("single", at, prompt_tokens=9_050))
    with built(tmp_path_factory.mktemp("rules"), batch(lines=lines, requests=requests), only=["core.matches"]) as con:
        yield {
            row["line_id"]: (row["request_id"], row["match_rule"])
            for row in rows(
                con,
                "SELECT l.line_id, m.request_id, m.match_rule FROM core.matches m "
                "JOIN core.transcript_lines l USING (session_no, line_no)",
            )
        }


@pytest.mark.parametrize("name", CASES)
def test_a_pair_needs(name: str, found: dict[str, tuple[str | None, str]]) -> None:
    number = list(CASES).index(name)
    _, rule = found.get(f"case-{number}", (None, "none"))
    assert rule == CASES[name][2]


@pytest.mark.parametrize("line_id", ["twin-0", "twin-1", "one", "pair-0", "pair-1"])
def test_among_equals_nothing_is_guessed(line_id: str, found: dict[str, tuple[str | None, str]]) -> None:
    assert line_id not in found
