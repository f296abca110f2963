"""What the sample's two machines keep beside sessions: configuration, cron jobs and their runs, sub-agent runs.

Belongs here: openclaw.json and state/openclaw.sqlite of OpenClaw 2026.6 (atlas) and 2026.9 (borealis). Sessions are
openclaw_sessions.py's.
"""

from collections.abc import Iterator
from typing import Any

from agentops_pipelines.demo.company import (
    AGENTS,
    DAY,
    HOSTS,
    JOBS,
    LAST,
    MINUTE,
    MODELS,
    Agent,
    Job,
    Model,
)
from agentops_pipelines.demo.files import File, Row, json_text, script
from agentops_pipelines.demo.openclaw_shapes import (
    CRON_STORE,
    SOMETHING_SAID,
    STATE_TABLES_FILES_ERA,
    STATE_TABLES_SQLITE_ERA,
)
from agentops_pipelines.demo.records import CronRun, SubagentRun
from agentops_pipelines.demo.story import Story


def state_files(story: Story) -> Iterator[File]:
    """Both machines' configuration and state database, as paths below the sample's root."""
    for host in HOSTS:
        yield File(path=f"{host}/openclaw.json", content=json_text(_configuration(host)).encode())
    tables = _cron_tables_2026_6(story) | {
        "subagent_runs": [_subagent_2026_6(run) for run in _subagents(story, "atlas")]
    }
    yield script("atlas/state/openclaw.sqlite", STATE_TABLES_FILES_ERA, rows=tables, version=1)
    tables = _cron_tables_2026_9(story) | {
        "subagent_runs": [_subagent_2026_9(run) for run in _subagents(story, "borealis")]
    }
    yield script("borealis/state/openclaw.sqlite", STATE_TABLES_SQLITE_ERA, rows=tables, version=18)


def _configuration(host: str) -> dict[str, Any]:
    """openclaw.json without anything secret. Up to 2026.8 agents are a list, from 2026.9 on keyed by their id."""
    agents = {agent.name: _agent_settings(agent) for agent in AGENTS.values() if agent.host == host}
    listed = [{"id": name, **settings} for name, settings in agents.items()]
    models = [_model_settings(model) for model in MODELS.values() if model.group != "embed"]
    return {
        "models": {"mode": "replace", "providers": {"litellm": {"api": "openai-completions", "models": models}}},
        "agents": {
            "defaults": {
                "models": {f"litellm/{group}": {"alias": group} for group in ("triage", "standard", "heavy")},
                "subagents": {"model": "litellm/triage"},
            },
            **({"list": listed} if host == "atlas" else {"entries": agents}),
        },
        "cron": {"enabled": True},
    }


def _agent_settings(agent: Agent) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "model": {"primary": f"litellm/{agent.model}", "fallbacks": [f"litellm/{agent.fallback}"]}
    }
    if agent.heartbeat_model:
        every = f"{agent.heartbeat_minutes[1]}m"
        settings["heartbeat"] = {"every": every, "model": f"litellm/{agent.heartbeat_model}"}
    return settings


def _model_settings(model: Model) -> dict[str, Any]:
    """Configured prices are USD per million tokens; only paid models have any."""
    prices = model.prices if model.prices is not None and model.prices.input else None
    cost = (
        {
            "input": round(prices.input * 1e6, 6),
            "output": round(prices.output * 1e6, 6),
            "cacheRead": round(prices.cache_read * 1e6, 6),
            "cacheWrite": round(prices.cache_write * 1e6, 6),
        }
        if prices
        else dict.fromkeys(("input", "output", "cacheRead", "cacheWrite"), 0)
    )
    return {"id": model.group, "name": model.group, "cost": cost, "contextWindow": 200_000, "maxTokens": 16_384}


def _subagents(story: Story, host: str) -> Iterator[SubagentRun]:
    return (run for run in story.agents.subagent_runs if run.child.agent.host == host)


def _subagent_2026_6(run: SubagentRun) -> Row:
    return (
        run.run_id,
        run.child.key,
        run.child.spawned_by,
        run.child.spawned_by,
        SOMETHING_SAID,
        run.child.label,
        _subagent_model(run),
        run.started_at,
        run.started_at,
        run.ended_at,
        json_text({"status": run.status}),
        "subagent-complete",
        json_text(_subagent_payload(run)),
    )


def _subagent_2026_9(run: SubagentRun) -> Row:
    parent = run.child.spawned_by
    return run.run_id, run.child.key, parent, parent, run.started_at, json_text(_subagent_payload(run))


def _subagent_payload(run: SubagentRun) -> dict[str, Any]:
    times = {"startedAt": run.started_at, "endedAt": run.ended_at}
    return {
        "runId": run.run_id,
        "childSessionKey": run.child.key,
        "requesterSessionKey": run.child.spawned_by,
        "task": SOMETHING_SAID,
        "label": run.child.label,
        "model": _subagent_model(run),
        "createdAt": run.started_at,
        "execution": {"status": "terminal", **times, "outcome": {"status": run.status, **times}},
        "endedReason": "subagent-complete",
    }


def _subagent_model(run: SubagentRun) -> str:
    return f"{run.provider}/{run.child.model}"


def _cron_tables_2026_6(story: Story) -> dict[str, list[Row]]:
    jobs: list[Row] = []
    logs: list[Row] = []
    for job in _jobs_on("atlas"):
        job_id = story.job_ids[job.name]
        runs = [run for run in story.cron_runs if run.job is job]
        job_json = _jobjson_text(job, job_id)
        delivery = job_json.get("delivery", {})
        jobs.append(
            (
                CRON_STORE,
                job_id,
                job.name,
                1,
                job_json["createdAtMs"],
                job.agent,
                job_json["schedule"]["kind"],
                job_json["sessionTarget"],
                job.kind,
                delivery.get("mode"),
                delivery.get("channel"),
                delivery.get("to"),
                json_text(job_json),
                json_text(_job_state(runs)),
                runs[-1].ended_at,
            )
        )
        for seq, run in enumerate(runs, start=1):
            entry = {"ts": run.ended_at, "jobId": job_id, "action": "finished", **_run_entry(run, job_id)}
            logs.append(
                (
                    CRON_STORE,
                    job_id,
                    seq,
                    run.ended_at,
                    entry["status"],
                    entry.get("sessionId"),
                    entry["sessionKey"],
                    entry["runId"],
                    run.started_at,
                    entry["durationMs"],
                    json_text(entry),
                    run.ended_at,
                )
            )
    return {"cron_jobs": jobs, "cron_run_logs": logs}


def _cron_tables_2026_9(story: Story) -> dict[str, list[Row]]:
    jobs: list[Row] = []
    tasks: list[Row] = []
    for agent in AGENTS.values():
        if agent.host == "borealis" and agent.heartbeat_model:
            jobs.append(_heartbeat_job(agent))
    for job in _jobs_on("borealis"):
        job_id = story.job_ids[job.name]
        runs = [run for run in story.cron_runs if run.job is job]
        job_json = _jobjson_text(job, job_id)
        state = json_text(_job_state(runs))
        jobs.append((CRON_STORE, job_id, None, job.name, 1, job.agent, job.kind, json_text(job_json), state, LAST))
        for run in runs:
            entry = _run_entry(run, job_id)
            run_id = f"cron:{job_id}:{run.started_at}"
            tasks.append(
                (
                    run_id,
                    "cron",
                    "automation_run",
                    job_id,
                    "",
                    "",
                    "system",
                    entry["sessionKey"],
                    job.agent,
                    run_id,
                    job.name,
                    job.name,
                    "succeeded" if run.ok else "failed",
                    "not_applicable",
                    "silent",
                    run.started_at,
                    run.started_at,
                    run.ended_at,
                    json_text({"kind": "cron-run", **entry}),
                )
            )
    return {"cron_jobs": jobs, "task_runs": tasks}


def _jobs_on(host: str) -> Iterator[Job]:
    return (job for job in JOBS if AGENTS[job.agent].host == host)


def _heartbeat_job(agent: Agent) -> Row:
    """2026.9 keeps heartbeats as cron jobs of a kind of their own."""
    schedule = {"kind": "every", "everyMs": agent.heartbeat_minutes[1] * MINUTE, "anchorMs": 0}
    job = {
        "id": f"heartbeat-{agent.name}",
        "declarationKey": f"heartbeat:{agent.name}",
        "agentId": agent.name,
        "name": f"heartbeat-{agent.name}",
        "enabled": True,
        "schedule": schedule,
        "sessionTarget": "main",
        "wakeMode": "next-heartbeat",
        "payload": {"kind": "heartbeat"},
    }
    name = job["name"]
    return CRON_STORE, name, job["declarationKey"], name, 1, agent.name, "heartbeat", json_text(job), "{}", LAST


def _jobjson_text(job: Job, job_id: str) -> dict[str, Any]:
    is_event = job.kind == "systemEvent"
    hour, minute = job.daily_at
    days = "*" if len(job.weekdays) == 7 else ",".join(str((day + 1) % 7) for day in job.weekdays)
    result: dict[str, Any] = {
        "id": job_id,
        "agentId": job.agent,
        "name": job.name,
        "enabled": True,
        "createdAtMs": LAST - 60 * DAY,
        "schedule": {"kind": "every", "everyMs": job.every_minutes * MINUTE, "anchorMs": 0}
        if job.every_minutes
        else {"kind": "cron", "expr": f"{minute} {hour} * * {days}", "tz": "Europe/Berlin"},
        "sessionTarget": "main" if is_event else "isolated",
        "wakeMode": "now",
        "payload": {"kind": "systemEvent", "text": SOMETHING_SAID}
        if is_event
        else {"kind": "agentTurn", "message": SOMETHING_SAID, "model": f"litellm/{job.model}"},
        "state": {},
    }
    if not is_event:
        result["delivery"] = _DELIVERIES[job.delivery]
    return result


_DELIVERIES: dict[str, dict[str, str]] = {
    "none": {"mode": "none", "channel": "last"},
    "last": {"mode": "announce", "channel": "last"},
    "slack": {"mode": "announce", "channel": "slack", "to": "channel:c0ops"},
}


def _job_state(runs: list[CronRun]) -> dict[str, Any]:
    last = runs[-1]
    state: dict[str, Any] = {
        "lastRunAtMs": last.started_at,
        "lastRunStatus": "ok" if last.ok else "error",
        "lastDurationMs": last.ended_at - last.started_at,
        "lastDeliveryStatus": _delivery_status(last),
        "consecutiveErrors": 0 if last.ok else len(runs),
    }
    return state if last.delivered is None else state | {"lastDelivered": last.delivered}


def _run_entry(run: CronRun, job_id: str) -> dict[str, Any]:
    job = run.job
    intended = _DELIVERIES[job.delivery]
    base_key = f"agent:{job.agent}:cron:{job_id}"
    entry: dict[str, Any] = {
        "status": "ok" if run.ok else "error",
        "deliveryStatus": _delivery_status(run),
        "summary": run.reply,
        "sessionKey": run.session.run_key if run.session else f"{base_key}:run:{run.started_at}",
        "runId": f"{job_id}:{run.started_at}",
        "runAtMs": run.started_at,
        "durationMs": run.ended_at - run.started_at,
    }
    if run.session is not None:
        usage = run.session.last_usage
        entry |= {
            "sessionId": run.session.session_id,
            "provider": "litellm",
            "model": run.session.model,
            "usage": {
                "input_tokens": usage.input,
                "output_tokens": usage.output,
                "total_tokens": usage.prompt + usage.output,
            },
        }
    if not run.ok or run.reply == "NO_REPLY":
        del entry["summary"]  # a failed run has nothing to say, and silence is not written down
    if run.delivered is None:
        return entry
    reached = {"ok": True, "channel": intended["channel"]}
    return entry | {
        "delivered": run.delivered,
        "delivery": {
            "intended": {
                "channel": intended["channel"],
                "to": intended.get("to"),
                "source": "explicit" if "to" in intended else "last",
            },
            "resolved": reached if run.delivered else {"ok": False, "error": SOMETHING_SAID},
            "fallbackUsed": False,
            "delivered": run.delivered,
        },
    }


def _delivery_status(run: CronRun) -> str:
    if run.delivered is None:
        return "not-requested"
    return "delivered" if run.delivered else "not-delivered"
