"""The OTel reader: every spelling, every kind of bad input, and files that grow, are rewritten, rotated or packed."""

import gzip
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard

from agentops_pipelines.defs.ingest import load_parts, warehouse_of
from agentops_pipelines.defs.otel import directory_parts
from agentops_pipelines.doctor import examine
from agentops_pipelines.settings import load_settings
from agentops_pipelines.sources.batches import Batch, Ledger, LedgerEntry, SourceError
from agentops_pipelines.sources.openclaw.lines import MAX_LINE
from agentops_pipelines.sources.openclaw.problems import REASONS
from agentops_pipelines.sources.otlp.reader import read_otlp
from agentops_pipelines.sources.schemas import OTEL_READS, OTEL_SPANS
from agentops_pipelines_tests.otlp_files import (
    NOON,
    Span,
    attributes,
    classic,
    line,
    lines,
    messages,
    model_call,
    second_tree,
    span,
    usage_of_a_run,
)

DAY = 24 * 3600


class Memory:
    """What a warehouse would hold after loading a directory again and again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.spans: dict[tuple[str, str], dict[str, Any]] = {}
        self.reads: dict[tuple[str, int], dict[str, Any]] = {}
        self.quarantine: dict[tuple[str, int], str] = {}
        self.ledger: dict[tuple[str, str], LedgerEntry] = {}
        self.newest: Any = None

    def load(self) -> list[Batch]:
        """Read what is new; returns the batches."""
        batches = list(read_otlp(self.directory, ledger=Ledger(source="otel", entries=dict(self.ledger))))
        for batch in batches:
            empty = pl.DataFrame()
            self.spans |= {(r["trace_id"], r["span_id"]): r for r in batch.tables.get(OTEL_SPANS, empty).to_dicts()}
            self.reads |= {(r["path"], r["first_line"]): r for r in batch.tables.get(OTEL_READS, empty).to_dicts()}
            self.ledger |= {(entry.host, entry.item): entry for entry in batch.ledger}
            for entry in batch.quarantine:
                self.quarantine.setdefault((entry.item, entry.position), entry.reason)
            self.newest = batch.newest_data_at or self.newest
        assert set(self.quarantine.values()) <= REASONS.keys()
        return batches

    @property
    def bytes_read(self) -> int:
        """Bytes that one more load reads."""
        return sum(batch.bytes_read for batch in self.load())


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path)


def only(memory: Memory, content: bytes) -> dict[str, Any]:
    """The one row of a file."""
    (memory.directory / "spans.jsonl").write_bytes(content)
    memory.load()
    (row,) = memory.spans.values()
    return row


def tokens(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[f"{name}_tokens"] for name in ("prompt", "cache_read", "cache_write", "output", "reasoning"))


def settle(path: Path) -> None:
    """As if nobody had written the file for two days."""
    then = time.time() - 2 * DAY
    os.utime(path, (then, then))


# --- what a span says


def test_the_classic_callback_of_litellm(memory: Memory) -> None:
    row = only(memory, lines(line(span(1, "litellm_request", classic("c1")))))
    assert tokens(row) == (100, 40, 0, 10, 3)
    assert (row["kind"], row["service"], row["operation"]) == ("call", "litellm", "acompletion")
    assert (row["provider"], row["request_model"], row["model_group"]) == ("azure", "gpt-5.4", "standard")
    assert row["served_model"] == "azure/gpt-5.4"
    assert (row["response_id"], row["litellm_call_id"]) == ("chatcmpl-c1", "c1")
    assert (row["key_alias"], row["key_hash"][:4]) == ("alec", "88dc")
    assert (row["request_ticket_key"], row["method"]) == ("OPS-1", "tdd")
    assert (row["span_ticket_key"], row["resource_ticket_key"], row["ticket_attribute"]) == (None, None, None)
    assert (row["cost_usd"], row["status"], row["error_kind"]) == (0.002, "ok", None)
    assert (row["ended_at"], row["path"], row["position"]) == (NOON, "spans.jsonl", 1)
    assert memory.newest == NOON


def test_the_second_tree_of_litellm_with_its_spans_of_other_things(memory: Memory) -> None:
    """Baggage puts the model on every span of the tree: only the model call states usage."""
    shared = {"gen_ai.request.model": "standard", "litellm.api_key.hash": "88dc"}
    tool = {"gen_ai.operation.name": "execute_tool", "litellm.call_id": "t1", "litellm.cost.total": 1.0, **shared}
    listing = {"mcp.method.name": "tools/list", "litellm.call_id": "t2", **shared}
    content = line(
        span(1, "POST /chat/completions", {"http.request.method": "POST", **shared}),
        span(2, "chat standard", second_tree("c1")),
        span(3, "redis", {"db.system.name": "redis", **shared}),
        span(4, "execute_tool grep", tool),
        span(5, "tools/list", listing),
    )
    row = only(memory, lines(content))
    assert tokens(row) == (100, 40, 5, 10, 0)
    assert (row["provider"], row["served_model"], row["key_alias"]) == ("azure", "azure/gpt-5.4", "alec")
    assert [(r["spans"], r["kept_spans"], r["skipped_spans"]) for r in memory.reads.values()] == [(5, 1, 4)]


def test_a_run_of_an_older_openclaw_names_its_session_and_hides_who_is_talking(memory: Memory) -> None:
    row = only(memory, lines(line(span(1, "openclaw.model.usage", usage_of_a_run()))))
    assert tokens(row) == (100, 40, 0, 10, 0)
    assert (row["kind"], row["agent_id"], row["session_id"]) == ("run", "alec", "s-old")
    assert row["session_key"].startswith("agent:alec:whatsapp:direct:~")


@pytest.mark.parametrize(
    ("named", "kind"),
    [
        (model_call(), "call"),
        (model_call(**{"openclaw.model_call.observation_unit": "turn"}), "run"),
        (
            usage_of_a_run(**{"gen_ai.usage.input_tokens": 100, "openclaw.sessionKey": "", "openclaw.sessionId": ""}),
            "run",
        ),
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 100}, "run"),
        ({"gen_ai.usage.input_tokens": 100}, "call"),
    ],
)
def test_sums_of_several_calls_are_told_from_calls(memory: Memory, named: dict[str, Any], kind: str) -> None:
    row = only(memory, lines(line(span(1, "x", named))))
    assert (row["kind"], row["prompt_tokens"]) == (kind, 100)


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 2}, (7, 0, 0, 2, 0)),
        ({"gen_ai.usage.prompt_tokens": 7, "gen_ai.usage.completion_tokens": 2}, (7, 0, 0, 2, 0)),
        ({"llm.usage.prompt_tokens": 7, "llm.usage.completion_tokens": 2}, (7, 0, 0, 2, 0)),
        (
            {
                "llm.token_count.prompt": 7,
                "llm.token_count.completion": 2,
                "llm.token_count.prompt_details.cache_read": 3,
                "llm.token_count.prompt_details.cache_write": 1,
                "llm.token_count.completion_details.reasoning": 1,
            },
            (7, 3, 1, 2, 1),
        ),
        ({"gen_ai.usage.input_tokens": 7, "gen_ai.usage.cache_write.input_tokens": 4}, (7, 0, 4, 0, 0)),
        ({"gen_ai.usage.input_tokens": 7, "gen_ai.usage.cache_creation.input_tokens": 4}, (7, 0, 4, 0, 0)),
        # an instrumentation that counts as its provider does, cached tokens beside the others
        ({"gen_ai.usage.input_tokens": 7, "gen_ai.usage.cache_read.input_tokens": 90}, (97, 90, 0, 0, 0)),
        ({"gen_ai.usage.input_tokens": 7, "metadata.usage_object": "Usage(broken='"}, (7, 0, 0, 0, 0)),
        ({"gen_ai.usage.input_tokens": 7.0, "gen_ai.usage.output_tokens": ""}, (7, 0, 0, 0, 0)),
        ({"gen_ai.usage.output_tokens": 2}, (0, 0, 0, 2, 0)),
    ],
)
def test_tokens_under_every_name(memory: Memory, named: dict[str, Any], expected: tuple[int, ...]) -> None:
    assert tokens(only(memory, lines(line(span(1, "x", named))))) == expected


def test_a_whole_number_may_be_text_or_number(memory: Memory) -> None:
    counts = [
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}},
        {"key": "gen_ai.usage.output_tokens", "value": {"intValue": 3}},
    ]
    named = span(1, "x", {}, startTimeUnixNano=1_795_000_000_000_000_000, attributes=counts)
    assert tokens(only(memory, lines(line(named)))) == (12, 0, 0, 3, 0)


@pytest.mark.parametrize(
    ("named", "resource", "expected"),
    [
        ({"jira.issue.key": "OPS-7"}, {}, ("OPS-7", None, "jira.issue.key")),
        ({"ticket.key": " ops-7 "}, {"ticket.key": "OPS-8"}, ("OPS-7", "OPS-8", "ticket.key")),
        ({}, {"jira.issue.key": "OPS-8"}, (None, "OPS-8", "jira.issue.key")),
        ({"ticket": "call +4915112345678", "ticket.id": "OPS-9"}, {}, ("OPS-9", None, "ticket.id")),
    ],
)
def test_tickets_of_spans_and_of_programs(memory: Memory, named: Any, resource: Any, expected: tuple) -> None:
    """Also on a span that is no model call: the calls below it are in its trace."""
    row = only(memory, lines(line(span(1, "work on it", named), resource=resource)))
    assert (row["span_ticket_key"], row["resource_ticket_key"], row["ticket_attribute"]) == expected
    assert (row["kind"], row["prompt_tokens"]) == ("other", None)


def test_where_a_program_names_the_ticket_one_span_of_each_trace_is_kept_beside_the_calls(memory: Memory) -> None:
    others = [span(number, "query", {}, trace=trace) for number, trace in ((1, 1), (2, 1), (3, 2), (4, 2))]
    calls = [span(5, "x", classic("c1"), trace=2), span(6, "x", classic("c2"), trace=2)]
    named = span(7, "step", {"ticket.key": "OPS-9"}, trace=2)
    content = line(*others, *calls, named, resource={"ticket.key": "OPS-8"})
    (memory.directory / "spans.jsonl").write_bytes(lines(content))
    memory.load()
    assert [(row["span_id"][-1], row["kind"]) for row in memory.spans.values()] == [
        ("1", "other"),
        ("3", "other"),
        ("5", "call"),
        ("6", "call"),
        ("7", "other"),
    ]


def test_what_went_wrong_is_one_word_of_our_list(memory: Memory) -> None:
    named = classic("c1", **{"error.type": "RateLimitError", "error.message": "No deployments available: sk-secret"})
    for name in ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"):
        del named[name]
    row = only(memory, lines(line(span(1, "litellm_request", named, status={"code": 2, "message": "sk-secret"}))))
    assert (row["kind"], row["status"], row["error_kind"], row["prompt_tokens"]) == (
        "call",
        "error",
        "no_deployment",
        None,
    )


# --- bad input


def bad(**changes: Any) -> bytes:
    return line({**span(9, "x", {"gen_ai.usage.input_tokens": 1}), **changes})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"resourceSpans":[{"scop', "broken_json"),
        (b"not json", "broken_json"),
        (b"[1,2]", "wrong_type"),
        (b'"text"', "wrong_type"),
        (b'{"something":"else"}', "unknown_line_type"),
        (b'{"resourceSpans":7}', "wrong_type"),
        (b'{"resourceSpans":[7]}', "wrong_type"),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":{}}]}]}', "wrong_type"),
        (b'\0\0{"a', "nul_block"),
        (bad(traceId="00"), "wrong_type"),
        (bad(spanId=None), "wrong_type"),
        (bad(startTimeUnixNano="0", endTimeUnixNano=None), "no_timestamp"),
        (bad(startTimeUnixNano="99", endTimeUnixNano="99"), "timestamp_out_of_range"),
        (bad(startTimeUnixNano="soon"), "timestamp_out_of_range"),
        (bad(attributes=attributes({"gen_ai.usage.input_tokens": -4})), "negative_tokens"),
        (bad(attributes=attributes({"gen_ai.usage.input_tokens": 10**9})), "tokens_out_of_range"),
        (bad(attributes=attributes({"gen_ai.usage.input_tokens": "many"})), "wrong_type"),
        (bad(attributes=attributes({"gen_ai.usage.input_tokens": True})), "wrong_type"),
    ],
)
def test_bad_input_costs_only_itself_and_never_vanishes(memory: Memory, content: bytes, reason: str) -> None:
    good = [line(span(number, "litellm_request", classic(f"c{number}"))) for number in (1, 2)]
    (memory.directory / "spans.json").write_bytes(lines(good[0], content, good[1]))
    memory.load()
    assert memory.quarantine == {("spans.json", 2): reason}
    assert [row["litellm_call_id"] for row in memory.spans.values()] == ["c1", "c2"]


@pytest.mark.parametrize(
    ("changes", "column", "expected"),
    [
        ({"attributes": "none"}, None, None),
        ({"attributes": [7, {"key": 1}, *attributes(classic("c1"))]}, "litellm_call_id", "c1"),
        ({"status": "fine", "attributes": attributes(classic("c1"))}, "status", "ok"),
        ({"attributes": attributes(classic("c1", **{"metadata.spend_logs_metadata": "{'ticket': "}))}, "method", None),
        ({"attributes": attributes(classic("c1", hidden_params="{"))}, "served_model", "gpt-5.4-2026-03-05"),
        ({"attributes": attributes({**classic("c1"), "gen_ai.cost.total_cost": 1e9})}, "cost_usd", None),
        ({"endTimeUnixNano": "0", "attributes": attributes(classic("c1"))}, "litellm_call_id", "c1"),
    ],
)
def test_odd_parts_leave_the_rest_of_a_span(memory: Memory, changes: Any, column: str | None, expected: Any) -> None:
    (memory.directory / "spans.json").write_bytes(lines(line({**span(1, "x", {}), **changes})))
    memory.load()
    assert [row[column] for row in memory.spans.values() if column] == ([expected] if column else [])


def test_lines_of_metrics_and_logs_are_counted_and_left(memory: Memory) -> None:
    others = (b'{"resourceMetrics":[{"x":1}]}', b'{ "resourceLogs":[]}', b'{"a":1,"resourceLogs":[]}')
    (memory.directory / "all.jsonl").write_bytes(lines(*others, line(span(1, "x", classic("c1")))))
    memory.load()
    assert memory.quarantine == {}
    assert [(r["lines"], r["skipped_lines"], r["kept_spans"]) for r in memory.reads.values()] == [(4, 3, 1)]


def test_two_lines_that_a_crash_has_glued_together_are_two(memory: Memory) -> None:
    whole = line(span(1, "x", classic("c1")))
    (memory.directory / "spans.jsonl").write_bytes(lines(b'{"resourceMetrics":[{"res' + whole, whole[:50] + whole))
    memory.load()
    assert set(memory.quarantine.values()) == {"torn_line"}
    assert len(memory.spans) == 1


def test_a_line_longer_than_memory_allows_is_refused(memory: Memory) -> None:
    with (memory.directory / "spans.jsonl").open("wb") as file:
        file.write(b'{"resourceSpans":[{"x":"' + b"x" * MAX_LINE + b'"}]}\n' + lines(line(span(1, "x", classic("c1")))))
    memory.load()
    assert (list(memory.quarantine.values()), len(memory.spans)) == (["line_too_long"], 1)


def test_a_directory_that_is_missing_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"AGENTOPS_OTLP_DIR=.*nowhere: there is no such directory"):
        read_otlp(tmp_path / "nowhere", ledger=Ledger(source="otel"))


def test_a_load_fills_the_raw_tables_and_a_source_that_is_not_configured_has_no_part(
    home: Path, tmp_path: Path
) -> None:
    assert directory_parts(load_settings({"AGENTOPS_HOME": str(home)})) == []
    (tmp_path / "spans.jsonl").write_bytes(lines(line(span(1, "x", classic("c1"))), b"not json"))
    settings = load_settings({"AGENTOPS_HOME": str(home), "AGENTOPS_OTLP_DIR": str(tmp_path)})
    (part,) = parts = directory_parts(settings)
    loaded = load_parts(warehouse_of(settings), "otel", parts, observed_at=NOON)
    assert (loaded.problems, loaded.quarantined) == ([], 1)
    assert loaded.counts == {"raw.otel_spans": 1, "raw.otel_reads": 1}
    assert load_parts(warehouse_of(settings), "otel", parts, observed_at=NOON).bytes_read == 0
    assert part.scope == str(tmp_path)


def test_the_doctor_counts_files_and_says_when_there_are_none(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.parent / "openclaw/agents/a").mkdir(parents=True)
    monkeypatch.setenv("AGENTOPS_OPENCLAW_STATE_DIRS", str(home.parent / "openclaw"))
    folder = tmp_path / "otlp"
    monkeypatch.setenv("AGENTOPS_OTLP_DIR", str(folder))
    found = []
    for prepare in (lambda: None, folder.mkdir, (folder / "spans.jsonl").touch):
        prepare()
        found += [(one.status, one.detail) for one in examine() if one.subject == "OpenTelemetry"]
    assert found == [
        ("fail", f"AGENTOPS_OTLP_DIR={folder}: there is no such directory"),
        ("warn", f"{folder}: 0 files of spans"),
        ("ok", f"{folder}: 1 file of spans"),
    ]


# --- files


def test_only_what_is_new_is_read_and_a_last_line_waits_for_its_end(memory: Memory) -> None:
    path = memory.directory / "below" / "spans.jsonl"
    path.parent.mkdir()
    first, second = line(span(1, "x", classic("c1"))), line(span(2, "x", classic("c2")))
    path.write_bytes(lines(first) + second[:40])
    memory.load()
    assert (len(memory.spans), memory.quarantine, memory.bytes_read) == (1, {}, 0)
    with path.open("ab") as file:
        file.write(second[40:] + b"\n")
    assert memory.bytes_read == len(second) + 1
    assert (len(memory.spans), memory.bytes_read, memory.quarantine) == (2, 0, {})
    assert [row["position"] for row in memory.spans.values()] == [1, 2]


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_last_line_without_an_end_is_read_once_nobody_writes_any_more(memory: Memory, is_whole: bool) -> None:
    path = memory.directory / "spans.jsonl"
    content = line(span(1, "x", classic("c1")))
    path.write_bytes(content if is_whole else content[:-9])
    settle(path)
    memory.load()
    assert len(memory.spans) == int(is_whole)
    assert memory.quarantine == ({} if is_whole else {("spans.jsonl", 1): "unterminated_line"})


def test_a_rewritten_and_a_shrunk_file_are_read_again(memory: Memory) -> None:
    path = memory.directory / "spans.jsonl"
    path.write_bytes(lines(*(line(span(n, "x", classic(f"c{n}"))) for n in (1, 2))))
    memory.load()
    path.write_bytes(lines(line(span(3, "x", classic("c3")))))
    memory.load()
    path.write_bytes(lines(*(line(span(n, "x", classic(f"c{n}"))) for n in (4, 5, 6))))
    memory.load()
    assert sorted(row["litellm_call_id"] for row in memory.spans.values()) == ["c1", "c2", "c3", "c4", "c5", "c6"]


def packings() -> Iterator[Any]:
    content = [line(span(n, "x", classic(f"c{n}"))) for n in (1, 2)]
    yield pytest.param("a.jsonl.gz", gzip.compress(lines(*content)), id="gzip")
    yield pytest.param("a.json.gz", gzip.compress(lines(content[0])) + gzip.compress(content[1]), id="two members")
    yield pytest.param("a.jsonl.zst", zstandard.ZstdCompressor().compress(lines(*content)), id="zstd")
    yield pytest.param("a.json.zst", messages(content), id="messages")
    yield pytest.param("a.json", messages(content), id="messages under a plain name")


@pytest.mark.parametrize(("name", "content"), list(packings()))
def test_compressed_files_are_read_as_a_whole_once(memory: Memory, name: str, content: bytes) -> None:
    (memory.directory / name).write_bytes(content)
    memory.load()
    assert sorted(row["litellm_call_id"] for row in memory.spans.values()) == ["c1", "c2"]
    assert (memory.quarantine, memory.bytes_read) == ({}, 0)


@pytest.mark.parametrize(("name", "content"), list(packings()))
def test_damaged_compression_is_noted_and_what_came_before_is_kept(memory: Memory, name: str, content: bytes) -> None:
    path = memory.directory / name
    path.write_bytes(content[:-6])
    settle(path)
    memory.load()
    assert set(memory.quarantine.values()) == {"corrupt_gzip" if name.endswith("gz") else "corrupt_zstd"}
    if content == messages([line(span(n, "x", classic(f"c{n}"))) for n in (1, 2)]):
        assert len(memory.spans) == 1


def test_messages_that_are_being_written_are_no_damage(memory: Memory) -> None:
    path = memory.directory / "spans.json"
    content = messages([line(span(n, "x", classic(f"c{n}"))) for n in (1, 2)])
    path.write_bytes(content[:-6])
    memory.load()
    assert (len(memory.spans), memory.quarantine) == (1, {})
    path.write_bytes(content)
    memory.load()
    assert (len(memory.spans), memory.quarantine, memory.bytes_read) == (2, {}, 0)


def test_other_files_and_links_to_files_of_the_directory_are_none(memory: Memory, tmp_path_factory: Any) -> None:
    content = lines(line(span(1, "x", classic("c1"))))
    (memory.directory / "spans.jsonl").write_bytes(content)
    (memory.directory / "spans.txt").write_bytes(content)
    (memory.directory / "current.jsonl").symlink_to(memory.directory / "spans.jsonl")
    (memory.directory / "gone.jsonl").symlink_to(memory.directory.parent / "nowhere.jsonl")
    outside = tmp_path_factory.mktemp("outside") / "spans.jsonl"
    outside.write_bytes(lines(line(span(2, "x", classic("c2")))))
    (memory.directory / "linked.jsonl").symlink_to(outside)
    (memory.directory / "pipe.json").mkdir()
    memory.load()
    assert [(row["path"], row["litellm_call_id"]) for row in memory.spans.values()] == [
        ("linked.jsonl", "c2"),
        ("spans.jsonl", "c1"),
    ]


def test_whatever_happens_to_the_files_every_span_is_there_once(memory: Memory) -> None:
    """Appended in pieces, rotated, compressed, in any order: at the end all spans that were ever whole, each once."""
    dice = random.Random(7)
    path = memory.directory / "spans.jsonl"
    written: list[Span] = []
    pending = b""
    for step in range(60):
        action = dice.choice(("append", "append", "finish", "rotate", "pack", "load"))
        if action == "append" and not pending:
            written.append(span(len(written) + 1, "x", classic(f"c{len(written) + 1}")))
            content = line(written[-1]) + b"\n"
            cut = dice.randrange(len(content))
            with path.open("ab") as file:
                file.write(content[:cut])
            pending = content[cut:]
        elif action == "finish" or (action in ("rotate", "pack") and pending):
            with path.open("ab") as file:
                file.write(pending)
            pending = b""
        elif action == "rotate" and path.exists():
            path.rename(memory.directory / f"spans-2026-11-18T12-00-{step:02}.000.jsonl")
        elif action == "pack":
            for rotated in memory.directory.glob("spans-*.jsonl"):
                rotated.with_suffix(".jsonl.gz").write_bytes(gzip.compress(rotated.read_bytes()))
                rotated.unlink()
        else:
            memory.load()
    with path.open("ab") as file:
        file.write(pending)
    memory.load()
    assert sorted(key[1] for key in memory.spans) == [one["spanId"] for one in written]
    assert memory.quarantine == {}
    assert memory.bytes_read == 0
