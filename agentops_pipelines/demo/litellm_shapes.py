"""How LiteLLM answers: spend logs, keys, deployments and router settings as its HTTP API gives them.

Belongs here: the shape of one object of each kind, with the fields that accounting reads. Does not belong here: what
was asked of the gateway (story.py) or how such answers are read (sources/litellm).

Times are epoch milliseconds, UTC. Money is USD.
"""

import hashlib
from typing import Any

from agentops_pipelines.demo.company import DAY, FALLBACKS, KEY_BUDGETS, MODELS, Model, Prices
from agentops_pipelines.demo.openclaw_shapes import Usage, iso

HEALTH_CHECK_KEY = "litellm-internal-health-check"
OWNER = "platform"


def api_time(at: int) -> str:
    """A moment as /spend/logs/v2 writes it."""
    return iso(at).replace("Z", "+00:00")


def key_hash(alias: str) -> str:
    """Stands for the sha256 of a virtual key."""
    return hashlib.sha256(f"virtual key of {alias}".encode()).hexdigest()


def price_of(usage: Usage, *, prices: Prices) -> float:
    """What the gateway bills for a call."""
    short_writes = usage.cache_write - usage.cache_write_1h
    spend = (
        usage.input * prices.input
        + usage.output * prices.output
        + usage.cache_read * prices.cache_read
        + short_writes * prices.cache_write
        + usage.cache_write_1h * prices.cache_write_1h
    )
    return round(spend, 10)


def spend_log(
    request_id: str,
    *,
    call_id: str,
    started_at: int,
    ended_at: int,
    key_alias: str,
    model: Model,
    asked: str | None,
    usage: Usage,
    spend: float,
    trace_id: str,
    user_agent: str,
    call_type: str = "acompletion",
    tags: dict[str, str] | None = None,
    retries: int = 0,
    error: dict[str, Any] | None = None,
    is_attempt: bool = False,
) -> dict[str, Any]:
    """One row of /spend/logs/v2. `asked` is the group the client named (None: rejected before routing)."""
    failed = error is not None and error["error_class"] != "ClientDisconnected"
    cached: dict[str, int] = {}
    if usage.cache_read:
        cached["cache_read_input_tokens"] = usage.cache_read
    if usage.cache_write:
        cached["cache_creation_input_tokens"] = usage.cache_write
    metadata = {
        "status": "failure" if failed else None,
        "user_agent": user_agent,
        "user_api_key_alias": key_alias,
        "user_api_key_user_id": OWNER,
        "user_api_key_team_id": None,
        "usage_object": _usage_object(usage),
        "additional_usage_values": cached,
        "attempted_retries": None if asked is None else retries,
        "attempted_fallbacks": None if asked is None else int(asked != model.group),
        "original_model_group": asked,
        "billed_retry_attempt": is_attempt,
        "spend_logs_metadata": tags,
        "error_information": error,
        "model_map_information": _price_map(model),
    }
    return {
        "request_id": request_id,
        "litellm_call_id": call_id,
        "call_type": call_type,
        "api_key": key_hash(key_alias),
        "spend": spend,
        "total_tokens": usage.prompt + usage.output,
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.output,
        "startTime": api_time(started_at),
        "endTime": api_time(ended_at),
        "completionStartTime": None,
        "model": model.served,
        "model_id": model.deployment,
        "model_group": model.group,
        "custom_llm_provider": model.provider,
        "api_base": "",
        "user": OWNER,
        "team_id": "",
        "organization_id": "",
        "end_user": "",
        "session_id": trace_id,
        "status": "failure" if failed else "success",
        "cache_hit": "False",
        "cache_key": "Cache OFF",
        "request_tags": [f"User-Agent: {user_agent.split('/')[0]}", f"User-Agent: {user_agent}"],
        "metadata": metadata,
    }


def _usage_object(usage: Usage) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if usage.cache_write:
        details["cache_creation_tokens"] = usage.cache_write
        details["cache_creation_token_details"] = {
            "ephemeral_5m_input_tokens": usage.cache_write - usage.cache_write_1h,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        }
    return {
        "prompt_tokens_details": details,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def _price_map(model: Model) -> dict[str, Any] | None:
    if model.prices is None:
        return None
    return {
        "model_map_key": model.served,
        "model_map_value": {
            "input_cost_per_token": model.prices.input,
            "output_cost_per_token": model.prices.output,
            "cache_read_input_token_cost": model.prices.cache_read,
        },
    }


def health_check(request_id: str, *, at: int, model: Model) -> dict[str, Any]:
    """The row one deployment leaves when /health is called: a real call without a group."""
    usage = Usage(input=9, output=4)
    spend = price_of(usage, prices=model.prices) if model.prices else 0.0
    row = spend_log(
        request_id,
        call_id=request_id,
        started_at=at,
        ended_at=at + 640,
        key_alias=HEALTH_CHECK_KEY,
        model=model,
        asked=None,
        usage=usage,
        spend=spend,
        trace_id=request_id,
        user_agent=HEALTH_CHECK_KEY,
    )
    plain_name = model.served.split("/")[1]
    return row | {
        "api_key": HEALTH_CHECK_KEY,
        "team_id": HEALTH_CHECK_KEY,
        "model": plain_name,
        "model_group": "",
        "request_tags": [HEALTH_CHECK_KEY],
    }


def model_list_probe(request_id: str, *, at: int) -> dict[str, Any]:
    """The row an unauthenticated GET /v1/models leaves: no model call at all."""
    error = {"error_class": "Exception", "error_code": "401", "normalized_error": "401_AUTHENTICATION_FAILED"}
    row = spend_log(
        request_id,
        call_id=request_id,
        started_at=at,
        ended_at=at + 3,
        key_alias="",
        model=MODELS["triage"],
        asked=None,
        usage=Usage(),
        spend=0,
        trace_id=request_id,
        user_agent="OpenAI/JS 6.39.1",
        call_type="/v1/models",
        error=error,
    )
    row["metadata"] |= {"user_api_key_alias": None, "model_map_information": None}
    nothing = dict.fromkeys(("api_key", "model", "model_id", "model_group", "custom_llm_provider", "user"), "")
    return row | nothing | {"request_tags": []}


def key_list(spend: dict[str, float], total: dict[str, float], *, at: int) -> dict[str, Any]:
    """GET /key/list: every virtual key with its spend since the last reset and ever."""
    monday = at - (at // DAY + 3) % 7 * DAY - at % DAY
    keys = [
        {
            "token": key_hash(alias),
            "key_name": f"sk-...{key_hash(alias)[:4]}",
            "key_alias": alias,
            "spend": round(spend.get(alias, 0.0), 10),
            "total_spend": round(total.get(alias, 0.0), 10),
            "max_budget": budget,
            "budget_duration": None if budget is None else "7d",
            "budget_reset_at": None if budget is None else api_time(monday + 7 * DAY),
            "expires": None,
            "models": [],
            "user_id": OWNER,
            "team_id": None,
            "tpm_limit": None,
            "rpm_limit": None,
            "blocked": None,
            "created_at": api_time(monday - 21 * DAY),
            "updated_at": api_time(at),
            "last_active": api_time(at),
        }
        for alias, budget in KEY_BUDGETS.items()
    ]
    return {"keys": keys, "total_count": len(keys), "current_page": 1, "total_pages": 1}


def model_info() -> dict[str, Any]:
    """GET /model/info: every deployment."""
    return {"data": [_deployment(model) for model in MODELS.values()]}


def _deployment(model: Model) -> dict[str, Any]:
    costs: dict[str, float] = {}
    if model.prices is not None:
        costs = {
            "input_cost_per_token": model.prices.input,
            "output_cost_per_token": model.prices.output,
            "cache_read_input_token_cost": model.prices.cache_read,
            "cache_creation_input_token_cost": model.prices.cache_write,
        }
    return {
        "model_name": model.group,
        "litellm_params": {"model": model.served, "rpm": model.rpm, "tpm": model.tpm},
        "model_info": {"id": model.deployment, "db_model": False, "pool": model.pool, **costs},
    }


def router_settings() -> dict[str, Any]:
    """GET /router/settings: the fallbacks."""
    return {
        "fields": [],
        "current_values": {
            "routing_strategy": "simple-shuffle",
            "num_retries": 1,
            "fallbacks": [{group: [target]} for group, target in FALLBACKS.items()],
            "context_window_fallbacks": [],
            "model_group_alias": {},
        },
    }
