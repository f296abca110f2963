"""The sample's gateway: what becomes of a request, and the books LiteLLM keeps of it.

Belongs here: response ids, spend, budgets, quota shortages, failures, the row each request leaves. Does not belong
here: what OpenClaw writes down of the same call (agents.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agentops_pipelines.demo.company import (
    DAY,
    FALLBACKS,
    KEY_BUDGETS,
    MODELS,
    THROTTLED,
    Agent,
    Model,
    moment,
)
from agentops_pipelines.demo.dice import Dice
from agentops_pipelines.demo.litellm_shapes import health_check, model_list_probe, price_of, spend_log
from agentops_pipelines.demo.openclaw_shapes import SOMETHING_SAID, Usage

AGENT_CLIENT = "OpenAI/JS 6.39.1"
SCRIPT_CLIENT = "python-httpx/0.28.1"
TICK = 100
"""Milliseconds. Times are told in tenths of a second, which keeps the packed sample small."""
_ON_THE_WAY = 50
"""Milliseconds from OpenClaw's start of a call to the gateway's."""
_FALLBACK_DELAY = 2400


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One way in which a call fails for good, as LiteLLM and OpenClaw name it. `lasts` is in milliseconds."""

    error_class: str
    code: str
    normalized: str
    openclaw_type: str
    lasts: int
    details: dict[str, str] = field(default_factory=dict)


FAILURES: dict[str, Failure] = {
    "budget": Failure(
        error_class="BudgetExceededError",
        code="422",
        normalized="429_BUDGET_EXCEEDED",
        openclaw_type="budget_exceeded",
        lasts=60,
        details={"error_rate_limit_category": "litellm_rate_limit", "error_rate_limit_type": "budget"},
    ),
    "rate_limit": Failure(
        error_class="RateLimitError",
        code="429",
        normalized="429_RATE_LIMIT_EXCEEDED",
        openclaw_type="throttling_error",
        lasts=5200,
        details={"error_rate_limit_category": "vendor_rate_limit"},
    ),
    "timeout": Failure(
        error_class="Timeout",
        code="408",
        normalized="408_UPSTREAM_TIMEOUT",
        openclaw_type="timeout",
        lasts=40_000,
    ),
    "bad_request": Failure(
        error_class="BadRequestError",
        code="400",
        normalized="400_INVALID_REQUEST",
        openclaw_type="invalid_request_error",
        lasts=700,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A request that was served: what OpenClaw gets to see of it."""

    response_id: str
    served_by: str
    """Model name without its route."""
    spend: float
    ended_at: int


class Gateway:
    """LiteLLM's side of the story: `spend_logs` (API rows), spend by key since Monday and ever (USD)."""

    def __init__(self, dice: Mapping[str, Dice]) -> None:
        self.spend_logs: list[dict[str, Any]] = []
        self.week_spend: dict[str, float] = {}
        self.total_spend: dict[str, float] = {}
        self._dice = dice
        self._request_ids: set[str] = set()
        self._week = 0
        self._lab_calls = 0
        self._lab_id_reused = False

    def trouble(self, agent: Agent, group: str, *, at: int) -> str:
        """What goes wrong with a request: a key of FAILURES, `fallback` or nothing."""
        model = MODELS[group]
        self._begin_week(at)
        budget = KEY_BUDGETS[agent.key_alias]
        # Models without a price bypass budgets.
        is_priced = model.prices is not None and model.prices.input > 0
        if budget is not None and is_priced and self.week_spend.get(agent.key_alias, 0.0) >= budget:
            return "budget"
        dice = self._dice[agent.name]
        if group in ("heavy", "paid-claude-sonnet-4-6") and dice.chance(0.004):
            return "timeout"
        if group not in FALLBACKS:
            return ""
        is_short = group != "triage" and any(start <= at < end for start, end in THROTTLED)
        if dice.chance(0.06 if is_short else 0.001):
            return "rate_limit"
        return "fallback" if dice.chance(0.6 if is_short else 0.008) else ""

    def serve(self, agent: Agent, *, at: int, asked: str, model: Model, usage: Usage) -> Answer:
        """Answer an agent's request for the group `asked` with `model`, which differs after a fallback."""
        waited = 0 if model.group == asked else _FALLBACK_DELAY
        ended_at = at + waited + latency(usage)
        response_id, call_id = self._response_id(model, at)
        spend = _spend(usage, model)
        row = spend_log(
            response_id,
            call_id=call_id,
            started_at=at + _ON_THE_WAY,
            ended_at=ended_at,
            key_alias=agent.key_alias,
            model=model,
            asked=asked,
            usage=usage,
            spend=spend,
            trace_id=_trace_id(agent, at),
            user_agent=AGENT_CLIENT,
        )
        self._record(row, alias=agent.key_alias)
        served_by = model.served.split("/")[1]
        return Answer(response_id=response_id, served_by=served_by, spend=spend, ended_at=ended_at)

    def refuse(self, agent: Agent, *, at: int, asked: str, trouble: str, prompt_tokens: int) -> int:
        """Let an agent's request fail; a timeout leaves attempt rows as well. Returns its end."""
        failure = FAILURES[trouble]
        model = MODELS[asked]
        call_id = _call_id(self._dice["gateway"].hex(12))
        was_routed = trouble != "budget"
        guess = Usage(input=prompt_tokens // 2) if was_routed else Usage()
        ended_at = at + failure.lasts
        attempts = range(2) if trouble == "timeout" else range(0)
        for suffix in ("", *(f"-attempt-{number}" for number in attempts)):
            row = spend_log(
                call_id + suffix,
                call_id=call_id + suffix,
                started_at=at + _ON_THE_WAY,
                ended_at=ended_at,
                key_alias=agent.key_alias,
                model=model,
                asked=asked if was_routed else None,
                usage=guess,
                spend=_spend(guess, model) if suffix else 0.0,
                trace_id=_trace_id(agent, at),
                user_agent=AGENT_CLIENT,
                retries=1 if was_routed else 0,
                error=self._error(failure, model=model, alias=agent.key_alias),
                is_attempt=bool(suffix),
            )
            self._record(row, alias=agent.key_alias)
        return ended_at

    def serve_others(
        self,
        alias: str,
        *,
        at: int,
        group: str,
        usage: Usage,
        tags: dict[str, str] | None = None,
        client: str = SCRIPT_CLIENT,
        call_type: str = "acompletion",
        hangs_up: bool = False,
    ) -> int:
        """Answer a request that no OpenClaw transcript knows of. Returns its end."""
        model = MODELS[group]
        ended_at = at + latency(usage)
        response_id, call_id = self._response_id(model, at)
        row = spend_log(
            response_id if call_type == "acompletion" else call_id,
            call_id=call_id,
            started_at=at,
            ended_at=ended_at,
            key_alias=alias,
            model=model,
            asked=group,
            usage=usage,
            spend=_spend(usage, model),
            trace_id=call_id,
            user_agent=client,
            call_type=call_type,
            tags=tags,
            error={"error_class": "ClientDisconnected", "error_code": "499"} if hangs_up else None,
        )
        self._record(row, alias=alias)
        return ended_at

    def check_health(self, at: int) -> None:
        """Call every model once, as LiteLLM's own health check does."""
        for number, model in enumerate(MODELS.values()):
            response_id = f"chatcmpl-{self._dice['gateway'].hex(12)}"
            self._record(health_check(response_id, at=at + 7 * TICK * number, model=model), alias="")

    def list_models(self, at: int) -> None:
        """Refuse a request for the list of models that came without a key."""
        self._record(model_list_probe(_call_id(self._dice["gateway"].hex(12)), at=at), alias="")

    def _error(self, failure: Failure, *, model: Model, alias: str) -> dict[str, Any]:
        error: dict[str, Any] = {
            "error_class": failure.error_class,
            "error_code": failure.code,
            "error_message": SOMETHING_SAID,
            "llm_provider": model.provider,
            "normalized_error": failure.normalized,
            **failure.details,
        }
        if failure is FAILURES["budget"]:
            error |= {
                "error_budget_limit": KEY_BUDGETS[alias],
                "error_budget_spend": round(self.week_spend[alias], 10),
                "error_budget_entity_type": "key",
            }
        return error

    def _response_id(self, model: Model, at: int) -> tuple[str, str]:
        digits = self._dice["ids"].hex(12)
        if model.provider != "hosted_vllm":
            return f"chatcmpl-{digits}", _call_id(digits)
        # The lab's server counts its answers; once it forgot the last one and used its number again.
        if at > moment(11, 19) and not self._lab_id_reused:
            self._lab_id_reused = True
        else:
            self._lab_calls += 1
        return f"chatcmpl-lab-{self._lab_calls}", _call_id(digits)

    def _record(self, row: dict[str, Any], *, alias: str) -> None:
        """LiteLLM's books: the key's spend always, the row only when its id is new."""
        if alias:
            self.week_spend[alias] = self.week_spend.get(alias, 0.0) + row["spend"]
            self.total_spend[alias] = self.total_spend.get(alias, 0.0) + row["spend"]
        if row["request_id"] not in self._request_ids:
            self._request_ids.add(row["request_id"])
            self.spend_logs.append(row)

    def _begin_week(self, at: int) -> None:
        """Budgets start again on Monday, 00:00 UTC."""
        week = (at // DAY + 3) // 7
        if week > self._week:
            self._week = week
            self.week_spend.clear()


def latency(usage: Usage) -> int:
    """Milliseconds a call takes."""
    return 700 + (usage.prompt // 60 + usage.output * 14) // TICK * TICK


def _spend(usage: Usage, model: Model) -> float:
    return price_of(usage, prices=model.prices) if model.prices is not None else 0.0


def _call_id(digits: str) -> str:
    """LiteLLM's id of a call; shares its digits with the response id so that the pair packs well."""
    return f"7be41c90-33d2-4f0a-8c15-{digits}"


def _trace_id(agent: Agent, at: int) -> str:
    """The trace a call belongs to: one covers many sessions, so it says nothing about them."""
    return Dice(f"trace {agent.name} {at // DAY}").hex(32)
