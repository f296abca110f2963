"""Model calls in groups and one by one: two ways to the same columns."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agentops_pipelines.sources.openclaw.calls import CALL_COLUMNS, CallRows
from agentops_pipelines.sources.openclaw.linerows import LineRows
from agentops_pipelines.sources.openclaw.phrases import PollPhrases
from agentops_pipelines.sources.openclaw.places import Place
from agentops_pipelines_tests.openclaw_states import assistant, usage

PHRASES = PollPhrases(("No tasks available",))
PLACE = Place(host="h", agent_id="a", session_id="s", path="p", origin="jsonl", item="i", counts_from=1)

_TEXTS = st.sampled_from(
    [
        "",
        "done",
        "HEARTBEAT_OK",
        "NO_REPLY",
        "No tasks available.",
        "x" * 600,
        "[assistant turn failed before producing content]",
    ]
)
_PARTS = st.lists(
    st.one_of(
        st.builds(lambda text: {"type": "text", "text": text}, _TEXTS),
        st.just({"type": "thinking", "thinking": "hm"}),
        st.builds(
            lambda name, notify: {"type": "toolCall", "id": "c", "name": name, "arguments": {"notify": notify}},
            st.sampled_from(["exec", "heartbeat_respond"]),
            st.booleans(),
        ),
        st.sampled_from(["text", 7, {"type": 7}, {"type": "text", "text": 7}, {"text": "x"}, {"type": "image"}]),
    ),
    max_size=4,
)
_COUNTS = st.sampled_from([0, 1, 10, 10, 10, -1, 10**12, "7", None, True, 2.5])
_COSTS = st.sampled_from([0, 0.0, 0.25, 1, -1.0, 1e9, "x", None])


@st.composite
def _calls(draw: st.DrawFn) -> dict[str, Any]:
    strange = draw(st.integers(0, 3)) == 0
    given_usage: Any = usage(10, 5, 100, 0, draw(_COSTS))
    if strange:
        given, output, read, write = draw(st.tuples(_COUNTS, _COUNTS, _COUNTS, _COUNTS))
        given_usage = usage(given, output, read, write, draw(_COSTS), reasoningTokens=draw(_COUNTS))
        given_usage = draw(
            st.sampled_from(
                [given_usage, None, "x", {"input_tokens": 4, "cached_tokens": 1}, {**given_usage, "cost": 1}]
            )
        )
    more: dict[str, Any] = {
        "usage": given_usage,
        "stopReason": draw(st.sampled_from(["stop", "toolUse", "error", "aborted"])),
    }
    if strange:
        more["stopReason"] = draw(st.sampled_from(["stop", "error", "end_turn", None, 7, ["x"]]))
        more["provider"] = draw(st.sampled_from(["litellm", "openclaw", "", None, 7]))
        more["model"] = draw(st.sampled_from(["standard", "delivery-mirror", "", None]))
    if draw(st.integers(0, 4)) == 0:
        more["errorMessage"] = draw(st.sampled_from(["429 too many requests", "x", 7]))
    if draw(st.integers(0, 4)) == 0:
        more["__openclaw"] = draw(st.sampled_from([{"runId": "r1"}, {}, 7]))
    text = draw(st.one_of(_TEXTS, _PARTS)) if not strange else draw(st.one_of(_TEXTS, _PARTS, st.just({"a": 1})))
    line = assistant(draw(st.sampled_from(["a1", "a2"])), text, **more)
    if strange:
        line.pop(draw(st.sampled_from(["id", "parentId", "timestamp", "type"])))
    return line


@settings(max_examples=150, deadline=None)
@given(lines=st.lists(_calls(), min_size=1, max_size=6))
def test_a_group_of_messages_gives_the_columns_that_each_alone_gives(lines: list[dict[str, Any]]) -> None:
    problems: tuple[list[Any], list[Any]] = ([], [])
    together = CallRows(PHRASES, refuse=lambda *problem: problems[0].append(problem))
    alone = CallRows(PHRASES, refuse=lambda *problem: problems[1].append(problem))
    for index, line in enumerate(lines):
        together.add(PLACE, index, line, line["message"])
    together.settle()
    for index, line in enumerate(lines):
        # A message that no group takes: it goes the careful way.
        alone.add(PLACE, index, line, {**line["message"], "content": _unusual(line["message"].get("content"))})
        alone.settle()
    assert problems[0] == problems[1]
    for name, values, expected in zip(CALL_COLUMNS, together.columns, alone.columns, strict=True):
        assert values == expected, name


def _unusual(content: Any) -> Any:
    return [*content, {"type": "unusual"}] if isinstance(content, list) else content


@settings(max_examples=50, deadline=None)
@given(lines=st.lists(_calls(), max_size=8))
def test_whatever_stands_in_a_message_the_frame_has_its_schema(lines: list[dict[str, Any]]) -> None:
    problems: list[tuple[str, int, str]] = []
    rows = LineRows(phrases=PHRASES, refuse=lambda *problem: problems.append(problem))
    for index, line in enumerate(lines):
        rows.calls.add(PLACE, index, line, line["message"])
    frame = rows.frame()
    assert frame.height <= len(lines)
    assert frame["line_id"].null_count() == 0
