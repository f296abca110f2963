"""Report sections about the gateway: tiers and what they save, fallbacks, pools, keys, budgets, error storms, caches.

Belongs here: their queries, tables and sentences. What a section is: sections.py. Wording of figures: text.py.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from agentops_pipelines.report.sections import Finding, Row, Section, SectionColumn
from agentops_pipelines.report.text import count, many, percent, usd

KIND_WORDS: dict[str, str] = {
    "budget": "a spent budget",
    "rate_limit": "a rate limit",
    "key_rpm_limit": "the key's request limit",
    "key_tpm_limit": "the key's token limit",
    "key_parallel_limit": "the key's parallel limit",
    "key_limit": "a limit of the key",
    "deployment_limit": "a deployment's limit",
    "vendor_rate_limit": "the provider's rate limit",
    "no_deployment": "no deployment being available",
    "timeout": "timeouts",
    "content_filter": "a content filter",
    "guardrail": "a guardrail",
    "context_window": "too long prompts",
    "provider_auth": "the provider refusing the proxy's credentials",
    "auth": "refused credentials",
    "missing_key": "a missing key",
    "unknown_key": "an unknown key",
    "blocked_key": "a blocked key",
    "expired_key": "an expired key",
    "model_denied": "a model the key may not call",
    "unknown_model": "an unknown model",
    "provider_error": "provider failures",
    "bad_request": "bad requests",
}
"""Error kinds as parts of a sentence; kinds without words of their own are errors."""

_CACHE_USD = Decimal(1)
"""Broken caches that cost more than this in the window need a person."""

_FALLBACK_SHARE = 0.05
"""From this share of a tier's requests on, fallbacks need a person."""

_LITTLE_HEADROOM = 0.2
"""Under this headroom a pool needs a person."""

_SOON_WEEKS = 6
"""A limit that comes within so many weeks needs a person."""


def _words(kind: str | None) -> str:
    return KIND_WORDS.get(kind or "", "errors of another kind")


def _savings(rows: Sequence[Row]) -> Iterable[Finding]:
    total = next((row for row in rows if row["scope"] == "total"), None)
    if total is None or not total["saved_vs_heavy_share"] or total["saved_vs_heavy_share"] < 0:
        return
    yield Finding(
        severity="note",
        text=f"tiering saved {percent(total['saved_vs_heavy_share'])} of what the heavy tier alone would cost: "
        f"{usd(total['list_usd'])} instead of {usd(total['all_heavy_usd'])} at list prices "
        f"({percent(total['coverage_share'])} of tokens compared)",
    )
    if (total["saved_by_target_usd"] or 0) > 0 and total["saved_by_target_share"] >= 0.05:
        yield Finding(
            severity="note",
            text=f"the target mapping would save {usd(total['saved_by_target_usd'])} more "
            f"({percent(total['saved_by_target_share'])} of list cost)",
        )


def _fallbacks(rows: Sequence[Row]) -> Iterable[Finding]:
    failed = sum(row["calls"] for row in rows if row["kind"] == "all_failed")
    if failed:
        worst = max((row for row in rows if row["kind"] == "all_failed"), key=lambda row: row["calls"])
        yield Finding(
            severity="mild",
            text=f"{many(failed, 'request')} failed although the model has a fallback, "
            f"most by {_words(worst['reason'])} of {{model}}",
            names={"model": worst["asked"]},
        )
    moved = [row for row in rows if row["kind"] in ("gateway_fallback", "openclaw_fallback")]
    calls: dict[str, int] = {}
    for row in moved:
        calls[row["tier"]] = calls.get(row["tier"], 0) + row["calls"]
    of_tier = {row["tier"]: row["tier_calls"] for row in moved if row["tier_calls"]}
    shares = {tier: number / of_tier[tier] for tier, number in calls.items() if tier in of_tier}
    if not shares:
        return
    tier = max(shares, key=lambda name: (shares[name], name))
    if shares[tier] >= _FALLBACK_SHARE:
        whose = "requests outside the tiers" if tier == "none" else "{tier} requests"
        yield Finding(
            severity="mild",
            text=f"{percent(shares[tier])} of {whose} ({count(calls[tier])}) fell back to another model",
            names={"tier": tier},
        )


def _headroom(rows: Sequence[Row]) -> Iterable[Finding]:
    worst = rows[0]
    full = worst["rpm_minutes_100"] + worst["tpm_minutes_100"]
    if full or worst["rejections"]:
        refused = f"refused {many(worst['rejections'], 'request')}"
        if not full:
            said = f"{refused} at a rate limit"
        else:
            said = f"was at its limit in {many(full, 'minute')}" + (f" and {refused}" if worst["rejections"] else "")
        yield Finding(severity="mild", text=f"{{name}} {said}", names={"name": worst["name"]})
    elif worst["headroom"] is not None and worst["headroom"] < _LITTLE_HEADROOM:
        yield Finding(
            severity="mild",
            text=f"{{name}} has {percent(max(worst['headroom'], 0.0))} headroom on its busiest day "
            "(P99 minute against its limit)",
            names={"name": worst["name"]},
        )


def _forecast(rows: Sequence[Row]) -> Iterable[Finding]:
    soon = [row for row in rows if row["weeks_to_limit"] is not None and row["weeks_to_limit"] < _SOON_WEEKS]
    if not soon:
        return
    first = min(soon, key=lambda row: (row["weeks_to_limit"], row["name"]))
    free = [row for row in rows if row["could_take_load"] and row["scope"] == first["scope"] and row is not first]
    spare = max(free, key=lambda row: (row["headroom_7d"], row["name"]), default=None)
    weeks = first["weeks_to_limit"]
    when = "is at its limit by its trend" if weeks <= 0 else f"meets its limit in about {weeks:.0f} weeks by its trend"
    yield Finding(
        severity="mild",
        text=f"{{name}} {when}" + ("; {spare} could take load" if spare else ""),
        names={"name": first["name"], **({"spare": spare["name"]} if spare else {})},
    )


def _budgets(rows: Sequence[Row]) -> Iterable[Finding]:
    worst = rows[0]
    limit = f" of {usd(worst['limit_usd'])}" if worst["limit_usd"] is not None else ""
    seen = worst["agent_error_kind"]
    taken = f", which the agent took for {_words(seen)}" if seen and seen != "budget" else ""
    more = f"; {many(len(rows) - 1, 'more incident')}" if len(rows) > 1 else ""
    yield Finding(
        severity="severe",
        text=f"the budget{limit} of key {{key}} was spent: {many(worst['rejections'], 'request')} refused, most of "
        f"{{category}}{taken}{more}",
        names={"key": worst["key"], "category": worst["top_category"]},
    )


def _storms(rows: Sequence[Row]) -> Iterable[Finding]:
    worst = rows[0]
    seen = _words(worst["agent_error_kind"])
    if worst["gateway_reason"] == "none":
        cause = f"{seen}; the gateway has no failed request of it"
    elif _words(worst["gateway_reason"]) == seen:
        cause = f"{seen}, says the gateway too"
    else:
        cause = f"{_words(worst['gateway_reason'])}, says the gateway; it looked like {seen}"
    more = f" ({many(len(rows) - 1, 'more storm')})" if len(rows) > 1 else ""
    yield Finding(
        severity="mild",
        text=f"{{agent}} had {many(worst['error_lines'], 'error')} in a row: {cause}{more}",
        names={"agent": worst["agent_id"]},
    )


_HYGIENE_WORDS: dict[str, str] = {
    "master_key": "the master key is in use",
    "unknown_key_tried": "an unknown key was tried",
    "blocked_key_tried": "blocked key {key} was tried",
    "expired_key_tried": "expired key {key} was tried",
}


def _hygiene(rows: Sequence[Row]) -> Iterable[Finding]:
    serious = [row for row in rows if row["finding"] in _HYGIENE_WORDS]
    if serious:
        worst = serious[0]
        more = f"; {many(len(rows) - 1, 'more finding')} on keys" if len(rows) > 1 else ""
        yield Finding(
            severity="mild",
            text=f"{_HYGIENE_WORDS[worst['finding']]} ({many(worst['calls'], 'request')}){more}",
            names={"key": worst["key"]},
        )


def _caches(rows: Sequence[Row]) -> Iterable[Finding]:
    categories = [row for row in rows if row["scope"] == "category"]
    broken = max(categories, key=lambda row: (row["broken_usd"] or Decimal(0), row["name"]), default=None)
    if broken is not None and (broken["broken_usd"] or 0) >= _CACHE_USD:
        yield Finding(
            severity="mild",
            text=f"prompt caches of {{category}} broke {many(broken['broken_caches'], 'time')}: "
            f"{usd(broken['broken_usd'])} at list prices paid again",
            names={"category": broken["name"]},
        )
    beats = next((row for row in rows if row["scope"] == "session_type" and row["name"] == "heartbeat"), None)
    if beats is not None and (beats["expired_usd"] or 0) >= _CACHE_USD:
        yield Finding(
            severity="note",
            text=f"heartbeats come after their prompt cache has expired: {usd(beats['expired_usd'])} at list prices "
            f"for {many(beats['expired_caches'], 'cold start')}",
        )


def _mapping(rows: Sequence[Row]) -> Iterable[Finding]:
    worst = rows[0]
    verb = "asked for" if worst["verdict"] == "asked_other" else "was served by"
    other = worst["asked"] if worst["verdict"] == "asked_other" else worst["served"]
    yield Finding(
        severity="note",
        text=f"{{name}} {verb} {{other}} in {many(worst['calls'], 'request')} "
        f"({percent(worst['share'])} of its requests) instead of {{expected}}",
        names={"name": worst["name"], "other": other, "expected": worst["expected"]},
    )


SECTIONS: tuple[Section, ...] = (
    Section(
        name="budget_incidents",
        title="Spent budgets",
        question="Which spent budgets stopped which work, and what did the agent take it for?",
        sql="""
SELECT coalesce(i.key_alias, left(i.key_hash, 12)) AS key, i.first_at, i.last_at, i.rejections, i.limit_usd,
       i.spend_at_usd, i.top_category, i.top_model_group, i.agent_error_kind, i.error_lines, i.key_agents,
       i.budget_reset_at
FROM mart.budget_incidents AS i
JOIN core.windows AS w ON w.window_id = $window_id
WHERE i.first_at < w.ends_at AND i.last_at >= w.starts_at
ORDER BY i.rejections DESC, i.first_at, key
""",
        columns=(
            SectionColumn(name="key", title="key", kind="name"),
            SectionColumn(name="first_at", title="first", kind="moment"),
            SectionColumn(name="last_at", title="last", kind="moment"),
            SectionColumn(name="rejections", title="refused"),
            SectionColumn(name="limit_usd", title="budget", kind="cap"),
            SectionColumn(name="top_category", title="most of", kind="name"),
            SectionColumn(name="top_model_group", title="asked for", kind="name"),
            SectionColumn(name="agent_error_kind", title="agent saw", kind="name"),
            SectionColumn(name="key_agents", title="agents with the key"),
            SectionColumn(name="budget_reset_at", title="reset", kind="moment"),
        ),
        findings=_budgets,
    ),
    Section(
        name="error_storms",
        title="Gateway first",
        question="What does the gateway say was wrong in each storm of errors that an agent saw?",
        sql="""
SELECT s.agent_id, s.first_at, s.last_at, s.error_lines, s.agent_error_kind, s.gateway_reason, s.gateway_reason_share,
       s.gateway_failures
FROM mart.error_storms AS s
JOIN core.windows AS w ON w.window_id = $window_id
WHERE s.first_at < w.ends_at AND s.last_at >= w.starts_at
ORDER BY s.error_lines DESC, s.first_at, s.agent_id
""",
        columns=(
            SectionColumn(name="agent_id", title="agent", kind="name"),
            SectionColumn(name="first_at", title="first", kind="moment"),
            SectionColumn(name="last_at", title="last", kind="moment"),
            SectionColumn(name="error_lines", title="errors"),
            SectionColumn(name="agent_error_kind", title="agent saw", kind="name"),
            SectionColumn(name="gateway_reason", title="gateway says", kind="name"),
            SectionColumn(name="gateway_reason_share", title="of its failures", kind="percent"),
            SectionColumn(name="gateway_failures", title="failed requests"),
        ),
        findings=_storms,
        note="A storm is three error lines of an agent or more, no two neighbours over ten minutes apart.",
    ),
    Section(
        name="headroom",
        title="Headroom",
        question="Which deployments and pools came near their limits?",
        sql="""
WITH days AS (
  SELECT h.*, h.deployment_limit_rejections + h.vendor_rejections AS rejections,
         row_number() OVER (
           PARTITION BY h.scope, h.name ORDER BY h.headroom NULLS LAST, h.requests DESC, h.local_date
         ) AS n
  FROM mart.pool_headroom AS h
  JOIN core.windows AS w ON w.window_id = $window_id AND h.local_date BETWEEN w.first_date AND w.last_date
)
SELECT d.scope, d.name, d.local_date, d.requests, d.p99_rpm, d.rpm_limit, d.p99_tpm, d.tpm_limit, d.headroom,
       t.rpm_minutes_100, t.tpm_minutes_100, t.minutes_80, t.rejections, t.key_limit_rejections
FROM days AS d
JOIN (
  SELECT scope, name, coalesce(sum(rpm_minutes_100), 0)::BIGINT AS rpm_minutes_100,
         coalesce(sum(tpm_minutes_100), 0)::BIGINT AS tpm_minutes_100,
         coalesce(sum(greatest(rpm_minutes_80, tpm_minutes_80)), 0)::BIGINT AS minutes_80,
         sum(rejections)::BIGINT AS rejections, sum(key_limit_rejections)::BIGINT AS key_limit_rejections
  FROM days GROUP BY ALL
) AS t USING (scope, name)
WHERE d.n = 1 AND (d.headroom IS NOT NULL OR t.rejections + t.key_limit_rejections > 0)
ORDER BY t.rpm_minutes_100 + t.tpm_minutes_100 + t.rejections DESC, d.headroom NULLS LAST, d.scope, d.name
""",
        columns=(
            SectionColumn(name="scope", title="", kind="name"),
            SectionColumn(name="name", title="name", kind="name"),
            SectionColumn(name="local_date", title="busiest day", kind="day"),
            SectionColumn(name="requests", title="requests"),
            SectionColumn(name="p99_rpm", title="P99 RPM"),
            SectionColumn(name="rpm_limit", title="RPM limit"),
            SectionColumn(name="p99_tpm", title="P99 TPM", kind="tokens"),
            SectionColumn(name="tpm_limit", title="TPM limit", kind="tokens"),
            SectionColumn(name="headroom", title="headroom", kind="percent"),
            SectionColumn(name="minutes_80", title="minutes over 80 %"),
            SectionColumn(name="rejections", title="refused"),
            SectionColumn(name="key_limit_rejections", title="refused by key limits"),
        ),
        findings=_headroom,
        note="Failed hops of fallbacks that were served and retries leave no row in spend logs: a throttled pool was "
        "asked more than stands here.",
    ),
    Section(
        name="forecast",
        title="When limits come",
        question="Which pool runs into its limit when, and which could take load?",
        sql="""
SELECT f.scope, f.name, f.requests_7d, f.headroom_7d, f.could_take_load, f.spare_rpm, f.spare_tpm, f.weeks,
       f.weeks_to_limit
FROM mart.pool_forecast AS f
JOIN core.windows AS w ON w.window_id = $window_id
WHERE f.headroom_7d IS NOT NULL AND w.ends_at > (SELECT as_of - INTERVAL 14 DAY FROM conf.run)
ORDER BY f.weeks_to_limit NULLS LAST, f.headroom_7d, f.scope, f.name
""",
        columns=(
            SectionColumn(name="scope", title="", kind="name"),
            SectionColumn(name="name", title="name", kind="name"),
            SectionColumn(name="requests_7d", title="requests, 7 days"),
            SectionColumn(name="headroom_7d", title="headroom", kind="percent"),
            SectionColumn(name="could_take_load", title="could take load", kind="flag"),
            SectionColumn(name="spare_rpm", title="spare RPM"),
            SectionColumn(name="spare_tpm", title="spare TPM"),
            SectionColumn(name="weeks", title="weeks known"),
            SectionColumn(name="weeks_to_limit", title="weeks to the limit", kind="number"),
        ),
        findings=_forecast,
        note="As of the last run. The trend needs six complete weeks.",
    ),
    Section(
        name="fallbacks",
        title="Fallbacks",
        question="Which calls were not served by the model they asked for, and why?",
        sql="""
WITH usage AS (
  SELECT coalesce(requested_tier, 'none') AS tier, sum(calls)::BIGINT AS tier_calls
  FROM core.window_model_usage WHERE window_id = $window_id GROUP BY ALL
), fallbacks AS (
  SELECT c.kind, c.tier, c.model_group_requested AS asked, c.model_group_served AS served, m.pool AS requested_pool,
         d.pool AS served_pool, c.reason, c.reason_evidence, count(*) AS calls
  FROM core.fallback_calls AS c
  JOIN core.windows AS w ON w.window_id = $window_id AND c.started_at >= w.starts_at AND c.started_at < w.ends_at
  LEFT JOIN core.model_groups AS m ON m.model_group = c.model_group_requested
  LEFT JOIN core.deployments AS d ON d.deployment_id = c.deployment_id
  GROUP BY ALL
)
SELECT f.*, u.tier_calls
FROM fallbacks AS f
LEFT JOIN usage AS u ON u.tier = f.tier
ORDER BY f.kind <> 'all_failed', f.calls DESC, f.kind, f.asked, f.served, f.requested_pool, f.served_pool, f.reason
""",
        columns=(
            SectionColumn(name="kind", title="kind", kind="name"),
            SectionColumn(name="tier", title="tier", kind="name"),
            SectionColumn(name="asked", title="asked for", kind="name"),
            SectionColumn(name="served", title="served by", kind="name"),
            SectionColumn(name="requested_pool", title="from pool", kind="name"),
            SectionColumn(name="served_pool", title="to pool", kind="name"),
            SectionColumn(name="reason", title="reason", kind="name"),
            SectionColumn(name="reason_evidence", title="known from", kind="name"),
            SectionColumn(name="calls", title="requests"),
        ),
        findings=_fallbacks,
        note="Spend logs do not hold the failed hop of a fallback that was served: its reason is that of another "
        "failure in the same minute, or unknown. Proxies that log no fallbacks are not counted here.",
    ),
    Section(
        name="savings",
        title="Savings by tier",
        question="What does tiering save against one tier for everything?",
        sql="""
SELECT scope, name, calls, covered_tokens, coverage_share, list_usd, all_heavy_usd, saved_vs_heavy_share, heavy_ratio,
       all_standard_usd, saved_vs_standard_share, target_tier, saved_by_target_usd, saved_by_target_share
FROM mart.tier_savings
WHERE window_id = $window_id AND all_heavy_usd IS NOT NULL
ORDER BY scope = 'total' DESC, scope = 'trigger' DESC, all_heavy_usd - list_usd DESC, name
""",
        columns=(
            SectionColumn(name="name", title="work", kind="name"),
            SectionColumn(name="calls", title="requests"),
            SectionColumn(name="coverage_share", title="tokens compared", kind="percent"),
            SectionColumn(name="list_usd", title="list cost", kind="usd"),
            SectionColumn(name="all_heavy_usd", title="all heavy", kind="usd"),
            SectionColumn(name="saved_vs_heavy_share", title="saved", kind="percent"),
            SectionColumn(name="heavy_ratio", title="heavy costs x", kind="number"),
            SectionColumn(name="all_standard_usd", title="all standard", kind="usd"),
            SectionColumn(name="target_tier", title="target", kind="name"),
            SectionColumn(name="saved_by_target_usd", title="target would save", kind="usd"),
        ),
        findings=_savings,
        note="The same tokens at the list prices of the day, cached tokens as cached ones.",
    ),
    Section(
        name="tiers",
        title="Tiers",
        question="Which work asks for which tier, and what served it?",
        sql="""
SELECT tier, category, model, pool, calls, tier_share, fallback_calls, context_tokens_per_call,
       latency_p50_ms / 1000 AS latency_p50, latency_p95_ms / 1000 AS latency_p95,
       first_token_p50_ms / 1000 AS first_token_p50, quota_share, cost_usd, list_usd
FROM mart.tier_usage
WHERE window_id = $window_id AND calls > 0 AND tier <> 'none'
ORDER BY rank_usd DESC, calls DESC, tier, category, model, provider
""",
        columns=(
            SectionColumn(name="tier", title="tier", kind="name"),
            SectionColumn(name="category", title="work", kind="name"),
            SectionColumn(name="model", title="served by", kind="name"),
            SectionColumn(name="pool", title="pool", kind="name"),
            SectionColumn(name="calls", title="requests"),
            SectionColumn(name="tier_share", title="of the tier", kind="percent"),
            SectionColumn(name="fallback_calls", title="fell back"),
            SectionColumn(name="context_tokens_per_call", title="context a call", kind="tokens"),
            SectionColumn(name="latency_p50", title="P50", kind="seconds"),
            SectionColumn(name="latency_p95", title="P95", kind="seconds"),
            SectionColumn(name="first_token_p50", title="first token", kind="seconds"),
            SectionColumn(name="quota_share", title="of the pool's quota", kind="percent"),
            SectionColumn(name="cost_usd", title="cost", kind="usd"),
            SectionColumn(name="list_usd", title="list price", kind="usd"),
        ),
    ),
    Section(
        name="mapping",
        title="Mapping",
        question="Which work used another tier or model than it is mapped to?",
        sql="""
SELECT kind, name, expected, asked, served, verdict, calls, share, total_tokens, list_usd
FROM mart.mapping_conformance
WHERE window_id = $window_id AND verdict <> 'as_mapped' AND calls > 0
ORDER BY calls DESC, kind, name, asked, served
""",
        columns=(
            SectionColumn(name="name", title="work", kind="name"),
            SectionColumn(name="expected", title="mapped to", kind="name"),
            SectionColumn(name="asked", title="asked for", kind="name"),
            SectionColumn(name="served", title="served by", kind="name"),
            SectionColumn(name="calls", title="requests"),
            SectionColumn(name="share", title="of its requests", kind="percent"),
            SectionColumn(name="total_tokens", title="tokens", kind="tokens"),
            SectionColumn(name="list_usd", title="list price", kind="usd"),
        ),
        findings=_mapping,
        note="`agentops sql which_calls_broke_the_mapping.sql` lists the calls.",
    ),
    Section(
        name="key_hygiene",
        title="Keys that need care",
        question="What is wrong with virtual keys?",
        sql="""
SELECT h.finding, coalesce(h.key_alias, left(h.key_hash, 12)) AS key, h.agent_id, h.calls, h.agents, h.spend_usd,
       h.max_budget_usd, h.due_at, h.last_used_at
FROM mart.key_hygiene AS h
JOIN core.windows AS w ON w.window_id = $window_id
WHERE w.ends_at > (SELECT as_of - INTERVAL 14 DAY FROM conf.run)
ORDER BY h.priority, h.calls DESC, key, h.agent_id
""",
        columns=(
            SectionColumn(name="finding", title="finding", kind="name"),
            SectionColumn(name="key", title="key", kind="name"),
            SectionColumn(name="agent_id", title="agent", kind="name"),
            SectionColumn(name="calls", title="requests"),
            SectionColumn(name="agents", title="agents"),
            SectionColumn(name="spend_usd", title="spend", kind="usd"),
            SectionColumn(name="max_budget_usd", title="budget", kind="cap"),
            SectionColumn(name="due_at", title="expires", kind="moment"),
            SectionColumn(name="last_used_at", title="last used", kind="moment"),
        ),
        findings=_hygiene,
        note="Use of the 30 days up to the last run. Only aliases and the heads of hashes are shown.",
    ),
    Section(
        name="keys",
        title="Keys",
        question="Who spends with which virtual key?",
        sql="""
SELECT coalesce(key_alias, left(key_hash, 12)) AS key, lane, calls, error_calls, budget_rejections, rate_limited_calls,
       total_tokens, spend_usd, list_usd, spend_share
FROM mart.key_attribution
WHERE window_id = $window_id AND (calls > 0 OR spend_usd > 0)
ORDER BY spend_usd DESC, list_usd DESC NULLS LAST, calls DESC, key, lane
""",
        columns=(
            SectionColumn(name="key", title="key", kind="name"),
            SectionColumn(name="lane", title="lane", kind="name"),
            SectionColumn(name="calls", title="requests"),
            SectionColumn(name="error_calls", title="failed"),
            SectionColumn(name="budget_rejections", title="over budget"),
            SectionColumn(name="rate_limited_calls", title="rate-limited"),
            SectionColumn(name="total_tokens", title="tokens", kind="tokens"),
            SectionColumn(name="spend_usd", title="spend", kind="usd"),
            SectionColumn(name="spend_share", title="of all spend", kind="percent"),
            SectionColumn(name="list_usd", title="list price", kind="usd"),
        ),
    ),
    Section(
        name="caches",
        title="Prompt caches",
        question="How much comes from the prompt cache, and what was paid again?",
        sql="""
SELECT scope, agent_id, name, calls, cache_read_share, broken_caches, broken_tokens, broken_usd, other_model_caches,
       other_model_usd, expired_caches, expired_usd
FROM mart.cache_efficiency
WHERE window_id = $window_id
  AND broken_caches + other_model_caches + expired_caches > 0
ORDER BY scope = 'session', coalesce(broken_usd, 0) + coalesce(other_model_usd, 0) + coalesce(expired_usd, 0) DESC,
         scope, name, agent_id
""",
        columns=(
            SectionColumn(name="scope", title="", kind="name"),
            SectionColumn(name="name", title="name", kind="name"),
            SectionColumn(name="calls", title="requests"),
            SectionColumn(name="cache_read_share", title="from cache", kind="percent"),
            SectionColumn(name="broken_caches", title="broken"),
            SectionColumn(name="broken_usd", title="paid again", kind="usd"),
            SectionColumn(name="other_model_caches", title="other model"),
            SectionColumn(name="other_model_usd", title="paid again", kind="usd"),
            SectionColumn(name="expired_caches", title="expired"),
            SectionColumn(name="expired_usd", title="paid again", kind="usd"),
        ),
        findings=_caches,
        note="Broken: within the cache's lifetime the next call of a session paid again for a prefix cached before.",
    ),
)
