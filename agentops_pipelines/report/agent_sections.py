"""Report sections about agents: cron discipline, empty polls, pipeline steps, who starts work, smaller tiers.

Belongs here: their queries, tables and sentences. What a section is: sections.py. Wording of figures: text.py.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from agentops_pipelines.report.sections import Finding, Row, Section, SectionColumn, Severity
from agentops_pipelines.report.text import count, many, percent, usd

_WORTH_A_MESSAGE = Decimal(1)
"""Savings of less (USD a window) are no finding."""
_WIDE_SPREAD = 3
"""An input whose 95th percentile is this many times its median has no fixed budget."""


def _cron_audit(rows: Sequence[Row]) -> Iterable[Finding]:
    incidents = [row for row in rows if row["severity"] == "incident"]
    faults = [row for row in rows if row["severity"] not in ("incident", "review")]
    if incidents:
        yield _worst_job(incidents, severity="severe")
    if faults:
        yield _worst_job(faults, severity="severe" if faults[0]["severity"] == "high" else "mild")


def _worst_job(rows: Sequence[Row], *, severity: Severity) -> Finding:
    worst = rows[0]
    runs = f" ({many(worst['runs'], 'run')})" if worst["runs"] else ""
    more = f", and {many(len(rows) - 1, 'more finding')}" if len(rows) > 1 else ""
    return Finding(
        severity=severity,
        text=f"cron job {{job}} of {{agent}}: {worst['meaning']}{runs}{more}",
        names={"job": worst["job"], "agent": worst["agent_id"]},
    )


def _empty_polls(rows: Sequence[Row]) -> Iterable[Finding]:
    worst = rows[0]
    if worst["saving_double_usd"] >= _WORTH_A_MESSAGE:
        yield Finding(
            severity="mild",
            text=f"{percent(worst['empty_share'])} of {{agent}}'s polls by {{poll}} found nothing to do and cost "
            f"{usd(worst['empty_rank_usd'])}: twice the interval would save about {usd(worst['saving_double_usd'])}",
            names={"agent": worst["agent_id"], "poll": worst["poll_name"]},
        )
    long = max(rows, key=lambda row: row["long_empty_runs"])
    if long["long_empty_runs"]:
        yield Finding(
            severity="note",
            text=f"{many(long['long_empty_runs'], 'poll')} of {{agent}} by {{poll}} needed a long answer to say that "
            "there was nothing to do: have it answer with the token alone",
            names={"agent": long["agent_id"], "poll": long["poll_name"]},
        )


def _pipeline_steps(rows: Sequence[Row]) -> Iterable[Finding]:
    worst = max(rows, key=lambda row: row["input_p95_by_p50"] or 0)
    if (worst["input_p95_by_p50"] or 0) >= _WIDE_SPREAD:
        yield Finding(
            severity="note",
            text="the input of pipeline step {step} has no fixed budget: one request in twenty is at least "
            f"{worst['input_p95_by_p50']:.1f} times as long as the median",
            names={"step": worst["step_name"]},
        )


def _recommendations(rows: Sequence[Row]) -> Iterable[Finding]:
    worst, saving = rows[0], sum((row["saving_list_usd"] or Decimal(0) for row in rows), Decimal(0))
    if saving >= _WORTH_A_MESSAGE:
        what = "{work} asks for {tier}; {suggested} might do"
        more = f", {count(len(rows) - 1)} more like it" if len(rows) > 1 else ""
        yield Finding(
            severity="note",
            text=f"{what}{more}: {usd(saving)} less at list prices",
            names={
                "work": worst["job_name"] or worst["method"] or worst["category"] or "",
                "tier": worst["requested_tier"],
                "suggested": worst["suggested_tier"],
            },
        )


SECTIONS: tuple[Section, ...] = (
    Section(
        name="cron_audit",
        title="Cron audit",
        question="Which cron job speaks to the wrong channel, at night or to nobody?",
        sql="""
SELECT f.severity, f.host, f.agent_id, coalesce(f.name, f.job_id) AS job, f.meaning, f.runs, a.delivery_mode,
       a.delivery_channel, a.last_run_at, a.first_quiet_at, f.fix
FROM mart.cron_findings AS f
JOIN mart.cron_delivery_audit AS a USING (window_id, host, job_id)
WHERE f.window_id = $window_id
ORDER BY f.rank, f.runs DESC NULLS LAST, f.host, f.agent_id, job, f.rule
""",
        columns=(
            SectionColumn(name="severity", title="severity", kind="name"),
            SectionColumn(name="host", title="host", kind="name"),
            SectionColumn(name="agent_id", title="agent", kind="name"),
            SectionColumn(name="job", title="job", kind="name"),
            SectionColumn(name="meaning", title="finding", kind="name"),
            SectionColumn(name="runs", title="runs"),
            SectionColumn(name="delivery_mode", title="delivery", kind="name"),
            SectionColumn(name="delivery_channel", title="channel", kind="name"),
            SectionColumn(name="last_run_at", title="last run", kind="moment"),
            SectionColumn(name="first_quiet_at", title="next in quiet hours", kind="moment"),
            SectionColumn(name="fix", title="what to do", kind="name"),
        ),
        findings=_cron_audit,
        note="Setup and plan are those of now, the plan looks 7 days ahead. Webhook deliveries are unknown: no version "
        "of OpenClaw logs them. Jobs marked review are new, changed or disabled: look at them once.",
    ),
    Section(
        name="poll_efficiency",
        title="Empty polls",
        question="Which polls burn tokens to find nothing, and what would another interval save?",
        sql="""
SELECT host, agent_id, poll_name, runs, empty_runs, empty_share, work_runs, tickets,
       interval_seconds_p50 / 60 AS minutes, empty_tokens, empty_output_per_run, long_empty_runs, same_minute_runs,
       empty_rank_usd,
       CAST(saving_double_usd AS DECIMAL(28,12)) AS saving_double_usd, configured_seconds / 60 AS configured_minutes,
       CAST(saving_configured_usd AS DECIMAL(28,12)) AS saving_configured_usd
FROM mart.poll_efficiency
WHERE window_id = $window_id AND scope <> 'agent' AND empty_runs > 0
ORDER BY empty_rank_usd DESC, empty_tokens DESC, host, agent_id, poll_name, job_id
""",
        columns=(
            SectionColumn(name="host", title="host", kind="name"),
            SectionColumn(name="agent_id", title="agent", kind="name"),
            SectionColumn(name="poll_name", title="poll", kind="name"),
            SectionColumn(name="runs", title="runs"),
            SectionColumn(name="empty_share", title="empty", kind="percent"),
            SectionColumn(name="work_runs", title="found work"),
            SectionColumn(name="tickets", title="tickets"),
            SectionColumn(name="minutes", title="minutes apart", kind="number"),
            SectionColumn(name="empty_tokens", title="tokens of empty runs", kind="tokens"),
            SectionColumn(name="empty_output_per_run", title="output per empty run", kind="number"),
            SectionColumn(name="long_empty_runs", title="too long"),
            SectionColumn(name="same_minute_runs", title="with another agent"),
            SectionColumn(name="empty_rank_usd", title="empty runs", kind="usd"),
            SectionColumn(name="saving_double_usd", title="twice the interval saves", kind="usd"),
        ),
        findings=_empty_polls,
        note="Runs without a model call count. Savings suppose that work waits for the next poll. With another agent: "
        "both began in the same minute.",
    ),
    Section(
        name="pipeline_steps",
        title="Pipeline steps",
        question="What does a pipeline step cost, is its input steady, and how does it compare with an agent session?",
        sql="""
SELECT pipeline, step, coalesce(pipeline || '/', '') || coalesce(step, '') AS step_name, model_group_requested, calls,
       error_calls, total_tokens, cost_usd, list_usd, rank_share, input_tokens_p50, input_tokens_p95, input_tokens_cv,
       input_p95_by_p50, calls_per_session
FROM mart.pipeline_steps
WHERE window_id = $window_id
ORDER BY rank_usd DESC, list_usd DESC NULLS LAST, pipeline, step, model_group_requested, model
""",
        columns=(
            SectionColumn(name="step_name", title="step", kind="name"),
            SectionColumn(name="model_group_requested", title="asked for", kind="name"),
            SectionColumn(name="calls", title="calls"),
            SectionColumn(name="error_calls", title="failed"),
            SectionColumn(name="total_tokens", title="tokens", kind="tokens"),
            SectionColumn(name="cost_usd", title="cost", kind="usd"),
            SectionColumn(name="list_usd", title="list price", kind="usd"),
            SectionColumn(name="rank_share", title="of all work", kind="percent"),
            SectionColumn(name="input_tokens_p50", title="input P50", kind="tokens"),
            SectionColumn(name="input_tokens_p95", title="input P95", kind="tokens"),
            SectionColumn(name="input_p95_by_p50", title="P95 by P50", kind="number"),
            SectionColumn(name="calls_per_session", title="calls for one agent session", kind="number"),
        ),
        findings=_pipeline_steps,
        note="Steps that clients name in spend_logs_metadata (pipeline, step). The comparison is at list prices.",
    ),
    Section(
        name="sessions_by_trigger",
        title="Who starts work",
        question="How much do people ask for, and how much starts by itself: webhooks against polls?",
        sql="""
SELECT trigger, started_by, session_type, sessions, turns, empty_polls, calls, total_tokens, rank_usd, rank_share,
       turn_seconds_p50, turn_seconds_p95, session_seconds_p50, session_seconds_p95
FROM mart.sessions_by_trigger
WHERE window_id = $window_id
ORDER BY rank_usd DESC, total_tokens DESC, trigger, started_by, session_type
""",
        columns=(
            SectionColumn(name="trigger", title="trigger", kind="name"),
            SectionColumn(name="started_by", title="started by", kind="name"),
            SectionColumn(name="session_type", title="session type", kind="name"),
            SectionColumn(name="sessions", title="sessions"),
            SectionColumn(name="turns", title="turns"),
            SectionColumn(name="empty_polls", title="empty polls"),
            SectionColumn(name="calls", title="calls"),
            SectionColumn(name="total_tokens", title="tokens", kind="tokens"),
            SectionColumn(name="rank_usd", title="money", kind="usd"),
            SectionColumn(name="rank_share", title="of all work", kind="percent"),
            SectionColumn(name="turn_seconds_p50", title="turn P50", kind="seconds"),
            SectionColumn(name="turn_seconds_p95", title="turn P95", kind="seconds"),
            SectionColumn(name="session_seconds_p50", title="session P50", kind="seconds"),
            SectionColumn(name="session_seconds_p95", title="session P95", kind="seconds"),
        ),
        note="Clock: heartbeats and cron jobs. Webhook: also wakes that no job asked for. Program: all else, also what "
        "only LiteLLM saw, which has no turns.",
    ),
    Section(
        name="model_recommendations",
        title="Smaller tiers",
        question="Where might a smaller tier do, and on what evidence?",
        sql="""
SELECT category, job_name, method, requested_tier, suggested_tier, reason, floor_tier, calls, error_share, turns,
       simple_share, output_tokens_per_call, list_usd, saving_list_usd
FROM mart.model_recommendations
WHERE window_id = $window_id
ORDER BY saving_list_usd DESC NULLS LAST, calls DESC, category, job_name, method, requested_tier
""",
        columns=(
            SectionColumn(name="category", title="category", kind="name"),
            SectionColumn(name="job_name", title="job", kind="name"),
            SectionColumn(name="method", title="method", kind="name"),
            SectionColumn(name="requested_tier", title="asks for", kind="name"),
            SectionColumn(name="suggested_tier", title="might do", kind="name"),
            SectionColumn(name="reason", title="because", kind="name"),
            SectionColumn(name="calls", title="calls"),
            SectionColumn(name="error_share", title="failed", kind="percent"),
            SectionColumn(name="turns", title="turns"),
            SectionColumn(name="simple_share", title="simple", kind="percent"),
            SectionColumn(name="output_tokens_per_call", title="output per call", kind="number"),
            SectionColumn(name="list_usd", title="list price", kind="usd"),
            SectionColumn(name="saving_list_usd", title="less with it", kind="usd"),
        ),
        findings=_recommendations,
        note="Evidence to try something on, not an order. List prices, as many tokens as before; no method goes below "
        "its floor ([tier_floors]).",
    ),
)
