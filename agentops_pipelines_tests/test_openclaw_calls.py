"""Assistant and user lines, decoded as ordinary ones and the careful way: the same rows and the same problems."""

from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from agentops_pipelines.sources.openclaw import ordinary as ordinary_module
from agentops_pipelines.sources.openclaw import transcripts as transcripts_module
from agentops_pipelines.sources.openclaw.ordinary import Line
from agentops_pipelines.sources.openclaw.phrases import PollPhrases
from agentops_pipelines.sources.openclaw.places import Place
from agentops_pipelines.sources.openclaw.rows import Sink
from agentops_pipelines.sources.openclaw.transcripts import Transcript
from agentops_pipelines.sources.schemas import OPENCLAW_LINES
from agentops_pipelines_tests.openclaw_states import assistant, dumps, header, usage, user

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


_PIECES = st.sampled_from(
    [
        b"",
        b"0",
        b"-",
        b"e999",
        b'"',
        b"\\",
        b"\\ud800",
        b"\xff",
        b"\x00",
        b"\x1f",
        b",",
        b"{",
        b"}",
        b"null",
        b'"type":"message",',
        b'{"type":"message","id":"',
        b'"x":1e9,',
    ]
)
"""What damage puts in the place of what it takes."""


@st.composite
def _users(draw: st.DrawFn) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if draw(st.integers(0, 2)) == 0:
        more["provenance"] = draw(
            st.sampled_from([None, {}, 7, {"kind": "internal_system", "sourceTool": "heartbeat"}])
        )
    if draw(st.integers(0, 2)) == 0:
        more["idempotencyKey"] = draw(st.sampled_from(["r1:user", "r1", 7, ""]))
    if draw(st.integers(0, 2)) == 0:
        more["__openclaw"] = draw(st.sampled_from([{"runId": "r2"}, {"runId": ""}, {}, None, 7]))
    text = draw(
        st.one_of(
            st.sampled_from(["[cron:j1 nightly] go", "[OpenClaw heartbeat poll]", "fix AB-12", "", "naïve 🦞"]),
            _PARTS,
            st.sampled_from([None, 7, {"type": "text", "text": "x"}]),
        )
    )
    return user(draw(st.sampled_from(["u1", "u2", ""])), text, **more)


@dataclass(kw_only=True)
class Read:
    """What a transcript of some lines gives, and how many of them were decoded as ordinary ones."""

    rows: pl.DataFrame
    problems: list[tuple[int, str]]
    ordinary: int = 0


def _read(raws: list[bytes], *, carefully: bool = False) -> Read:
    sink = Sink(source="openclaw", host="h", reader="r", phrases=PHRASES)
    transcript = Transcript(sink=sink, place=PLACE)
    ordinary = 0

    def line_of(raw: bytes) -> Line:
        nonlocal ordinary
        if carefully:
            raise msgspec.DecodeError
        line = ordinary_module.line_of(raw)
        ordinary += 1
        return line

    with patch.object(transcripts_module, "line_of", line_of):
        for index, raw in enumerate(raws):
            transcript.add(raw, index)
    batch = sink.take()
    if batch is None:
        return Read(rows=OPENCLAW_LINES.frame([]), problems=[], ordinary=ordinary)
    rows = batch.tables.get(OPENCLAW_LINES, OPENCLAW_LINES.frame([]))
    problems = [(problem.position, problem.reason) for problem in batch.quarantine]
    return Read(rows=rows, problems=problems, ordinary=ordinary)


def _assert_same_both_ways(raws: list[bytes]) -> Read:
    """Read lines the fast way where it takes them, then all of them the careful way."""
    fast, careful = _read(raws), _read(raws, carefully=True)
    assert careful.ordinary == 0
    assert fast.problems == careful.problems
    assert_frame_equal(fast.rows, careful.rows)
    return fast


@settings(max_examples=60, deadline=None)
@given(lines=st.lists(st.one_of(_calls(), _users()), min_size=1, max_size=12))
def test_both_ways_give_the_same_rows_and_problems(lines: list[dict[str, Any]]) -> None:
    _assert_same_both_ways([dumps(line) for line in lines])


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    raw = dumps(draw(st.one_of(_calls(), _users())))
    begin = draw(st.integers(0, len(raw)))
    end = min(len(raw), begin + draw(st.sampled_from([0, 1, 1, 2, 7, 40])))
    return raw[:begin] + draw(_PIECES) + raw[end:]


@settings(max_examples=60, deadline=None)
@given(raws=st.lists(_damaged(), min_size=4, max_size=12))
def test_both_ways_see_the_same_damage(raws: list[bytes]) -> None:
    """Bytes are lost or replaced anywhere: in what is read, in what is skipped, in the JSON around it."""
    _assert_same_both_ways(raws)


ODD: dict[str, tuple[bytes, bytes]] = {
    "surrogate nobody reads": (b'"thinking":"hm', b'"thinking":"\\ud83d'),
    "surrogate in the text": (b'"text":"done', b'"text":"\\udc00done'),
    "bad UTF-8 nobody reads": (b'"thinking":"hm', b'"thinking":"\xff'),
    "bad UTF-8 in the text": (b'"text":"done', b'"text":"\xc3\xff'),
    "bad escape nobody reads": (b'"thinking":"hm', b'"thinking":"\\x'),
    "control character nobody reads": (b'"thinking":"hm', b'"thinking":"\x01'),
    "NaN nobody reads": (b'"api":"openai-completions"', b'"api":NaN'),
    "leading zero nobody reads": (b'"totalTokens":0', b'"totalTokens":007'),
    "endless number nobody reads": (b'"api":"openai-completions"', b'"api":1e999'),
    "deep nesting nobody reads": (b'"api":"openai-completions"', b'"api":' + b"[" * 3000 + b"]" * 3000),
    "byte order mark": (b'{"type":"message"', b'\xef\xbb\xbf{"type":"message"'),
    "another type later": (b'"type":"message"', b'"type":"message","type":"session"'),
    "another type before": (b'"type":"message"', b'"type":"session","type":"message"'),
    "role twice": (b'"role":"assistant"', b'"role":"user","role":"assistant"'),
    "role not first": (b'"role":"assistant",', b'"x":1,"role":"assistant",'),
    "id twice": (b'"id":"a1"', b'"id":"a0","id":"a1"'),
    "no type": (b'"type":"message"', b'"kind":"message"'),
    "no role": (b'"role":"assistant"', b'"rule":"assistant"'),
    "a part without a type": (b'"type":"text","text":"done"', b'"kind":"text","text":"done"'),
    "no id": (b'"id":"a1"', b'"id":""'),
    "id a number": (b'"id":"a1"', b'"id":7'),
    "escaped name": (b'"stopReason"', b'"stop\\u0052eason"'),
    "null usage": (b'"usage":{', b'"usage":null,"other":{'),
    "usage beside the message": (b'"message":{', b'"usage":{"input":7},"message":{'),
    "usage under another name": (b'"input":10', b'"input":10,"cached_tokens":4'),
    "huge count": (b'"input":10', b'"input":' + b"9" * 30),
    "whole number as fraction": (b'"input":10', b'"input":10.0'),
    "negative count": (b'"input":10', b'"input":-1'),
    "cost without parts": (b'"total":0.25', b'"total":0'),
    "billed cost": (b'"total":0.25', b'"total":0,"totalOrigin":"provider-billed"'),
    "part of a cost": (b'"cost":{"input":0', b'"cost":{"input":0.1'),
    "negative cost": (b'"total":0.25', b'"total":-1'),
    "huge cost": (b'"total":0.25', b'"total":1e300'),
    "endless cost": (b'"total":0.25', b'"total":1e999'),
    "mirrored": (b'"stopReason"', b'"openclawDeliveryMirror":{"a":1},"stopReason"'),
    "mirrored, says null": (b'"stopReason"', b'"openclawDeliveryMirror":null,"stopReason"'),
    "mirror": (b'"provider":"litellm","model":"standard"', b'"provider":"openclaw","model":"delivery-mirror"'),
    "own provider": (b'"provider":"litellm"', b'"provider":"openclaw"'),
    "no provider": (b'"provider":"litellm"', b'"provider":""'),
    "error": (b'"stopReason":"stop"', b'"stopReason":"error","errorMessage":"429 too many requests"'),
    "no error": (b'"stopReason"', b'"errorMessage":null,"stopReason"'),
    "quiet heartbeat": (
        b'{"type":"thinking"',
        b'{"type":"toolCall","name":"heartbeat_respond","arguments":{"notify":false}},{"type":"thinking"',
    ),
    "two texts": (b'{"type":"thinking"', b'{"type":"text","text":""},{"type":"thinking"'),
    "type of a part last": (b'{"type":"text","text":"done"}', b'{"text":"done","type":"text"}'),
    "run": (b'"stopReason"', b'"__openclaw":{"runId":"r1"},"stopReason"'),
    "run of a person": (b'"stopReason"', b'"__openclaw":{"runId":"announce:v1:+4915112345678"},"stopReason"'),
    "run in the key": (b'"stopReason"', b'"idempotencyKey":"r2:user","stopReason"'),
    "run without a name": (b'"stopReason"', b'"__openclaw":{"runId":""},"idempotencyKey":"r2:user","stopReason"'),
    "run no text": (b'"stopReason"', b'"__openclaw":{"runId":7},"idempotencyKey":"r2:user","stopReason"'),
    "long ago": (b'"timestamp":"2026', b'"timestamp":"1026'),
}
"""A change of one ordinary assistant line."""


@pytest.mark.parametrize("name", ODD)
def test_odd_lines_are_the_same_both_ways(name: str) -> None:
    content = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "done"}]
    raw = dumps(assistant("a1", content))
    old, new = ODD[name]
    assert old in raw
    changed = raw.replace(old, new, 1)
    _assert_same_both_ways([changed, raw, changed + b"\0", changed + b" \r", b" " + changed])


def test_nearly_all_recorded_lines_are_ordinary() -> None:
    """Otherwise the fast way would be right and useless. The rest: failed calls, 2026.9's provenance, damage."""
    lines = [header("s1"), user("u1", "look into AB-12"), assistant("a1", parent="u1"), assistant("a2", parent="a1")]
    read = _assert_same_both_ways([dumps(line) for line in lines])
    assert read.ordinary == 3
    assert read.rows["line_id"].to_list() == ["a1", "a2", "u1"]


@settings(max_examples=50, deadline=None)
@given(lines=st.lists(_calls(), max_size=8))
def test_whatever_stands_in_a_message_the_frame_has_its_schema(lines: list[dict[str, Any]]) -> None:
    rows = _read([dumps(line) for line in lines]).rows
    assert rows.schema == OPENCLAW_LINES.frame([]).schema
    assert rows.height <= len(lines)
    assert rows["line_id"].null_count() == 0
