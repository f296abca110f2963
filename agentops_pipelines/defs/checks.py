"""What is checked after the tables are made, with the numbers that decided.

Belongs here: the checks, their SQL and their severity. Does not belong here: thresholds (agentops.toml) or what a
failing check does (tables.py: only a blocking one stops the publishing).

`unique_calls` and `totals_equal_raw` block: figures that count twice or lose rows must never be seen. The others warn:
they say how much of the last 7 days is known, priced, matched and fresh.
"""

from collections.abc import Collection, Iterator
from datetime import timedelta
from decimal import Decimal

import dagster as dg
import duckdb

from agentops_pipelines.settings import Thresholds

CALLS = dg.AssetKey(["core", "calls"])
SUMMARY = dg.AssetKey(["mart", "weekly_summary"])
RECONCILIATION = dg.AssetKey(["mart", "source_reconciliation"])
COUNTERS = dg.AssetKey(["mart", "gateway_reconciliation"])
WINDOW = "trailing_7d"

_TOKENS = " + ".join(f"coalesce({kind}_tokens, 0)" for kind in ("input", "cache_read", "cache_write", "output"))

# Each figure as the sources have it and as core.calls has it. A fork or a resumed checkpoint copies lines, so raw lines
# are compared, as distinct contents, with core.transcript_lines, and these with the calls that were made from them.
# A line recovered from a trajectory is one more copy when a transcript holds the call too.
_TOTALS = f"""
WITH raw_lines AS (
  SELECT DISTINCT agent_id, line_id, written_at, {_TOKENS} AS tokens, estimate_usd
  FROM raw.openclaw_lines WHERE kind = 'assistant' AND NOT (origin = 'trajectory' AND EXISTS (
    SELECT 1 FROM raw.openclaw_lines t
    WHERE t.agent_id = openclaw_lines.agent_id AND t.response_id = openclaw_lines.response_id
      AND t.started_at = openclaw_lines.started_at AND t.origin <> 'trajectory'
  ))
),
core_lines AS (
  SELECT DISTINCT agent_id, line_id, written_at, {_TOKENS} AS tokens, estimate_usd
  FROM core.transcript_lines WHERE kind = 'assistant'
),
lines AS (
  SELECT estimate_usd, {_TOKENS} AS tokens, EXISTS (
      SELECT 1 FROM core.matches m
      WHERE m.session_no = l.session_no AND m.line_no = l.line_no
    ) AS is_matched
  FROM core.transcript_lines l WHERE kind = 'assistant'
),
gateway AS (
  SELECT spend_usd, CASE WHEN status = 'failure' OR coalesce(is_client_disconnect, false) THEN 0 ELSE greatest(
      coalesce(prompt_tokens, 0), coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
    ) + coalesce(output_tokens, 0) END AS tokens
  FROM raw.litellm_spend_logs
)
SELECT 'OpenClaw lines, each once: tokens' AS figure,
  (SELECT coalesce(sum(tokens), 0) FROM raw_lines) AS sources,
  (SELECT coalesce(sum(tokens), 0) FROM core_lines) AS core
UNION ALL SELECT 'OpenClaw lines, each once: estimate (USD)',
  (SELECT coalesce(sum(estimate_usd), 0) FROM raw_lines),
  (SELECT coalesce(sum(estimate_usd), 0) FROM core_lines)
UNION ALL SELECT 'OpenClaw calls',
  (SELECT count(*) FROM lines),
  (SELECT count(DISTINCT agent_id || '/' || session_id || '/' || line_id) FROM core.calls)
UNION ALL SELECT 'OpenClaw calls: estimate (USD)',
  (SELECT coalesce(sum(estimate_usd), 0) FROM lines),
  (SELECT coalesce(sum(estimate_usd), 0) FROM core.calls)
UNION ALL SELECT 'OpenClaw calls without a gateway row: tokens',
  (SELECT coalesce(sum(tokens), 0) FROM lines WHERE NOT is_matched),
  (SELECT coalesce(sum(total_tokens), 0) FROM core.calls WHERE source = 'openclaw')
UNION ALL SELECT 'LiteLLM rows',
  (SELECT count(*) FROM gateway),
  (SELECT count(request_id) FROM core.calls)
UNION ALL SELECT 'LiteLLM rows: tokens as logged, estimates apart',
  (SELECT coalesce(sum(tokens), 0) FROM gateway),
  (SELECT coalesce(sum(total_tokens), 0) FROM core.calls
    WHERE source IN ('both', 'litellm') AND tokens_basis <> 'estimated')
UNION ALL SELECT 'LiteLLM rows: spend (USD)',
  (SELECT coalesce(sum(spend_usd), 0) FROM gateway),
  (SELECT coalesce(sum(spend_usd), 0) FROM core.calls WHERE source <> 'otel')
UNION ALL SELECT 'Spans of calls that no other source has: tokens',
  (SELECT coalesce(sum(prompt_tokens + output_tokens), 0) FROM raw.otel_spans
    WHERE (trace_id, span_id) IN (SELECT (trace_id, span_id) FROM core.spans WHERE state = 'gap')),
  (SELECT coalesce(sum(total_tokens), 0) FROM core.calls WHERE source = 'otel')
"""


def check_specs() -> list[dg.AssetCheckSpec]:
    """Every check of the SQL step, for the asset graph."""
    return [
        dg.AssetCheckSpec(
            "unique_calls",
            asset=CALLS,
            blocking=True,
            description="No call_id stands twice: nothing is counted twice. Nothing is published when it fails.",
        ),
        dg.AssetCheckSpec(
            "totals_equal_raw",
            asset=CALLS,
            blocking=True,
            description="Calls, tokens and money of core.calls equal what the sources said, to the last digit. "
            "Nothing is published when it fails.",
        ),
        dg.AssetCheckSpec(
            "unknown_share", asset=SUMMARY, description="How much of the last 7 days has no known kind of session."
        ),
        dg.AssetCheckSpec(
            "unpriced_share", asset=SUMMARY, description="How many tokens of the last 7 days have no list price."
        ),
        dg.AssetCheckSpec(
            "match_rate", asset=SUMMARY, description="How many OpenClaw calls of the last 7 days LiteLLM has as well."
        ),
        dg.AssetCheckSpec(
            "pairs_agree",
            asset=RECONCILIATION,
            description="Whether both sides of the pairs of the last 7 days have the same tokens, and how far "
            "OpenClaw's estimates are from LiteLLM's spend.",
        ),
        dg.AssetCheckSpec(
            "logs_equal_counters",
            asset=COUNTERS,
            description="How many requests of the last 7 days LiteLLM counted but did not log.",
        ),
        dg.AssetCheckSpec("fresh", asset=SUMMARY, description="How old the newest data of each source is."),
    ]


def run_checks(
    con: duckdb.DuckDBPyConnection, keys: Collection[dg.AssetKey], *, thresholds: Thresholds
) -> Iterator[dg.AssetCheckResult]:
    """Check the tables that were just made."""
    if CALLS in keys:
        yield unique_calls(con)
        yield totals_equal_raw(con)
    if RECONCILIATION in keys:
        yield pairs_agree(con, thresholds)
    if COUNTERS in keys:
        yield logs_equal_counters(con, thresholds)
    if SUMMARY in keys:
        yield from _shares(con, thresholds)
        yield fresh(con, thresholds)


def unique_calls(con: duckdb.DuckDBPyConnection) -> dg.AssetCheckResult:
    """The grain of core.calls."""
    rows, ids = con.execute("SELECT count(*), count(DISTINCT call_id) FROM core.calls").fetchall()[0]
    return dg.AssetCheckResult(
        check_name="unique_calls",
        asset_key=CALLS,
        passed=rows == ids,
        description=None if rows == ids else f"core.calls has {rows:,} rows for {ids:,} different calls",
        metadata={"rows": rows, "call_ids": ids},
    )


def totals_equal_raw(con: duckdb.DuckDBPyConnection) -> dg.AssetCheckResult:
    """Every total of core.calls beside the raw one."""
    figures = [(figure, _plain(raw), _plain(core)) for figure, raw, core in con.execute(_TOTALS).fetchall()]
    wrong = [f"{figure}: {core} instead of {raw}" for figure, raw, core in figures if raw != core]
    return dg.AssetCheckResult(
        check_name="totals_equal_raw",
        asset_key=CALLS,
        passed=not wrong,
        description="; ".join(wrong) or None,
        metadata={
            "totals": dg.MetadataValue.md(
                "| figure | sources | core |\n|---|--:|--:|\n"
                + "\n".join(f"| {figure} | {raw} | {core} |" for figure, raw, core in figures)
            )
        },
    )


def pairs_agree(con: duckdb.DuckDBPyConnection, thresholds: Thresholds) -> dg.AssetCheckResult:
    """Tokens and money of the pairs of the last 7 days, as each side has them."""
    difference, estimate, spend = con.execute(
        "SELECT coalesce(sum(abs(s.token_difference)), 0), coalesce(sum(s.estimate_usd), 0), "
        "coalesce(sum(s.spend_usd), 0) FROM mart.source_reconciliation s CROSS JOIN conf.run r "
        "WHERE s.local_date >= CAST(r.as_of AS DATE) - 7"
    ).fetchall()[0]
    off = float(abs(spend - estimate) / spend) if spend else 0.0
    return _warning(
        "pairs_agree",
        asset=RECONCILIATION,
        passed=difference == 0 and off <= thresholds.estimate_off,
        description=f"pairs differ by {difference:,} tokens; OpenClaw estimates {_plain(estimate)} USD where LiteLLM "
        f"logs {_plain(spend)} USD",
        metadata={"token_difference": int(difference), "estimate_off": off},
    )


def logs_equal_counters(con: duckdb.DuckDBPyConnection, thresholds: Thresholds) -> dg.AssetCheckResult:
    """LiteLLM's spend logs against its own daily counters, over days that have ended."""
    counted, lost, usd = con.execute(
        "SELECT coalesce(sum(g.counted_requests), 0), coalesce(sum(g.lost_requests), 0), coalesce(sum(g.lost_usd), 0) "
        "FROM mart.gateway_reconciliation g CROSS JOIN conf.run r "
        "WHERE g.is_settled AND g.usage_date >= r.as_of - INTERVAL 8 DAY"
    ).fetchall()[0]
    return _warning(
        "logs_equal_counters",
        asset=COUNTERS,
        passed=_share(abs(int(lost)), int(counted)) <= thresholds.lost_requests,
        description=f"{lost:,} of {counted:,} counted requests are not in the spend logs ({_plain(usd)} USD)"
        if counted
        else "no counters of days that have ended",
        metadata={"counted_requests": int(counted), "lost_requests": int(lost)},
    )


def fresh(con: duckdb.DuckDBPyConnection, thresholds: Thresholds) -> dg.AssetCheckResult:
    """The newest data of each source that was ever loaded, against the time the run counts as now."""
    rows = con.execute(
        "SELECT l.source, max(l.newest_data_at), any_value(r.as_of) FROM ops.loads l CROSS JOIN conf.run r "
        "GROUP BY l.source HAVING max(l.newest_data_at) IS NOT NULL ORDER BY l.source"
    ).fetchall()
    limit = timedelta(hours=thresholds.stale_hours)
    stale = [
        f"{source}: newest data {newest:%Y-%m-%d %H:%M} UTC" for source, newest, now in rows if now - newest > limit
    ]
    return _warning(
        "fresh",
        passed=not stale,
        description="; ".join(stale),
        metadata={f"{source}_hours": round((now - newest) / timedelta(hours=1), 1) for source, newest, now in rows},
    )


def _shares(con: duckdb.DuckDBPyConnection, thresholds: Thresholds) -> Iterator[dg.AssetCheckResult]:
    columns = "calls, total_tokens, unknown_calls, unknown_tokens, unpriced_tokens, unpriced_models, matched_share"
    found = con.execute(f"SELECT {columns} FROM mart.weekly_summary WHERE window_id = ?", [WINDOW]).fetchall()
    calls, tokens, unknown_calls, unknown_tokens, unpriced_tokens, unpriced_models, matched = found[0]
    call_share, token_share = _share(unknown_calls, calls), _share(unknown_tokens, tokens)
    yield _warning(
        "unknown_share",
        passed=call_share <= thresholds.unknown_calls and token_share <= thresholds.unknown_tokens,
        description=f"{unknown_calls:,} of {calls:,} calls, {unknown_tokens:,} of {tokens:,} tokens have no known kind",
        metadata={"unknown_calls": call_share, "unknown_tokens": token_share},
    )
    unpriced = _share(unpriced_tokens, tokens)
    yield _warning(
        "unpriced_share",
        passed=unpriced <= thresholds.unpriced_tokens,
        description=f"{unpriced_tokens:,} of {tokens:,} tokens, of {unpriced_models} models, have no list price",
        metadata={"unpriced_tokens": unpriced, "unpriced_models": unpriced_models},
    )
    yield _warning(
        "match_rate",
        passed=matched is None or 1 - matched <= thresholds.unmatched_calls,
        description="only one source has calls"
        if matched is None
        else f"{matched:.1%} of OpenClaw's calls are matched",
        metadata={} if matched is None else {"matched_share": matched},
    )


def _warning(
    name: str, *, passed: bool, description: str, metadata: dict[str, float], asset: dg.AssetKey = SUMMARY
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=asset,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=description or None,
        metadata=metadata,
    )


def _plain(number: Decimal) -> str:
    """All digits, no exponent, no zeros that say nothing."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
