"""Report sections about the two books: what only one source has, rows that LiteLLM lost, free models that bill.

Belongs here: their queries, tables and sentences. What a section is: sections.py. Wording of figures: text.py.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from agentops_pipelines.report.sections import Finding, Row, Section, SectionColumn
from agentops_pipelines.report.text import count, usd


def _lost_rows(rows: Sequence[Row]) -> Iterable[Finding]:
    lost = sum(row["lost_requests"] for row in rows if row["lost_requests"] > 0)
    counted = sum(row["counted_requests"] for row in rows)
    if lost > counted * 0.01:
        money = sum((row["lost_usd"] for row in rows if row["lost_requests"] > 0), Decimal(0))
        yield Finding(
            severity="mild",
            text=f"LiteLLM counted {count(lost)} requests ({usd(money)}) that its spend logs do not have",
        )


def _free_models(rows: Sequence[Row]) -> Iterable[Finding]:
    spend = sum((row["spend_usd"] for row in rows), Decimal(0))
    worst = rows[0]["model_group"] or rows[0]["model"] or ""
    yield Finding(
        severity="mild" if spend >= 1 else "note",
        text=f"models configured as free logged {usd(spend)} for cached tokens, most by {{model}}: "
        "set its cache prices to zero too",
        names={"model": worst},
    )


SECTIONS: tuple[Section, ...] = (
    Section(
        name="lost_rows",
        title="Lost rows",
        question="Which requests did LiteLLM count but not log?",
        sql="""
SELECT g.usage_date, g.key_alias, g.logged_requests, g.counted_requests, g.lost_requests, g.lost_tokens, g.lost_usd
FROM mart.gateway_reconciliation AS g
JOIN core.windows AS w ON w.window_id = $window_id
WHERE g.is_settled AND g.lost_requests <> 0
  AND g.usage_date >= w.starts_at - INTERVAL 1 DAY AND g.usage_date < w.ends_at
ORDER BY g.lost_requests DESC, g.usage_date, g.key_alias
""",
        columns=(
            SectionColumn(name="usage_date", title="day (UTC)", kind="day"),
            SectionColumn(name="key_alias", title="key", kind="name"),
            SectionColumn(name="logged_requests", title="logged"),
            SectionColumn(name="counted_requests", title="counted"),
            SectionColumn(name="lost_requests", title="lost"),
            SectionColumn(name="lost_tokens", title="lost tokens", kind="tokens"),
            SectionColumn(name="lost_usd", title="lost spend", kind="usd"),
        ),
        findings=_lost_rows,
    ),
    Section(
        name="free_model_spend",
        title="Free models that bill",
        question="Which models are configured as free and still log spend?",
        sql="""
SELECT model_group, model, deployment_id, calls, spending_calls, cache_read_tokens, spend_usd
FROM mart.free_model_spend
WHERE window_id = $window_id
ORDER BY spend_usd DESC, model_group, model, deployment_id
""",
        columns=(
            SectionColumn(name="model_group", title="asked for as", kind="name"),
            SectionColumn(name="model", title="model", kind="name"),
            SectionColumn(name="deployment_id", title="deployment", kind="name"),
            SectionColumn(name="calls", title="calls"),
            SectionColumn(name="spending_calls", title="that billed"),
            SectionColumn(name="cache_read_tokens", title="cached tokens", kind="tokens"),
            SectionColumn(name="spend_usd", title="spend", kind="usd"),
        ),
        findings=_free_models,
    ),
    Section(
        name="unmatched_calls",
        title="One witness",
        question="What does only one source have, and why?",
        sql="""
SELECT CASE source WHEN 'openclaw' THEN 'OpenClaw' WHEN 'litellm' THEN 'LiteLLM' ELSE 'traces' END AS source, reason,
       calls, total_tokens, cost_usd, list_usd
FROM mart.unmatched_calls
WHERE window_id = $window_id
ORDER BY source, calls DESC, reason
""",
        columns=(
            SectionColumn(name="source", title="only in", kind="name"),
            SectionColumn(name="reason", title="why", kind="name"),
            SectionColumn(name="calls", title="calls"),
            SectionColumn(name="total_tokens", title="tokens", kind="tokens"),
            SectionColumn(name="cost_usd", title="cost", kind="usd"),
            SectionColumn(name="list_usd", title="list price", kind="usd"),
        ),
    ),
)
