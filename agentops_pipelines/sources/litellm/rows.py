"""One LiteLLM spend log, as the HTTP API or a JSON dump of the table gives it, as a row of `raw.litellm_spend_logs`.

Belongs here: which field means what, what an older proxy leaves out, and which rows cannot be used. How rows are
fetched is not known here. Prompts, answers and error texts are not carried over; free-form labels are shortened.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import polars as pl

from agentops_pipelines.sources.litellm.errors import error_class, error_kind
from agentops_pipelines.sources.litellm.values import (
    LABEL_LENGTH,
    count,
    identifier,
    key_hash,
    label,
    mapping,
    number,
    parse_time,
    stored_usd,
    text,
    trace_id,
    unit_price,
    whole_text,
)
from agentops_pipelines.sources.privacy import clean_label, peer_label
from agentops_pipelines.sources.schemas import LITELLM_SPEND_LOGS, MAX_TOKENS, MAX_USD

HEALTH_CHECK = "litellm-internal-health-check"
"""Key, team and tag of the rows that LiteLLM's own health check writes."""

_ATTEMPT = re.compile(r"-attempt-\d+$")
_CACHE_HIT = re.compile(r"_cache_hit\d")


class UnusableRow(Exception):
    """A row that goes to quarantine. The text names the field and never its value."""


def spend_log_frame(rows: Iterable[Mapping[str, object]]) -> pl.DataFrame:
    """Rows of `spend_log_row` as a frame of LITELLM_SPEND_LOGS."""
    names = tuple(LITELLM_SPEND_LOGS.frame_schema)
    return LITELLM_SPEND_LOGS.frame([tuple(row[name] for name in names) for row in rows])


def spend_log_row(log: Any) -> dict[str, object]:
    """One spend log as a row: column -> value; absent text is None, tokens are counts, money USD, times naive UTC.

    Raises UnusableRow.
    """
    request_id = request_id_of(log)
    metadata = mapping(log.get("metadata"))
    information = mapping(metadata.get("error_information"))
    labels = mapping(metadata.get("spend_logs_metadata"))
    usage = mapping(metadata.get("usage_object"))
    prices = mapping(mapping(metadata.get("model_map_information")).get("model_map_value"))
    tags = _tags(log.get("request_tags"))
    call_id = text(log.get("litellm_call_id")) or text(metadata.get("litellm_call_id"))
    status = _status(log, metadata)
    is_disconnect = information.get("error_class") == "ClientDisconnected"
    read, written, written_1h = _cache_tokens(metadata, usage)
    return {
        "request_id": request_id,
        "litellm_call_id": call_id,
        "call_type": text(log.get("call_type")),
        "started_at": _required_time(log, "startTime"),
        "ended_at": _required_time(log, "endTime"),
        "first_token_at": parse_time(log.get("completionStartTime")),
        "created_at": parse_time(log.get("created_at")),
        "status": status,
        "key_hash": key_hash(log.get("api_key")),
        "key_alias": label(metadata.get("user_api_key_alias")),
        "user_id": label(log.get("user")),
        "team_id": text(log.get("team_id")),
        "end_user": end_user_label(log.get("end_user")),
        "model": text(log.get("model")),
        "provider": text(log.get("custom_llm_provider")),
        "deployment_id": text(log.get("model_id")),
        "model_group": text(log.get("model_group")),
        "original_model_group": text(metadata.get("original_model_group")),
        "prompt_tokens": _tokens(log.get("prompt_tokens"), "prompt_tokens"),
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "cache_write_1h_tokens": written_1h,
        "output_tokens": _tokens(log.get("completion_tokens"), "completion_tokens"),
        "reasoning_tokens": _tokens_or_zero(
            mapping(usage.get("completion_tokens_details")).get("reasoning_tokens"), "reasoning_tokens"
        ),
        "total_tokens": _tokens(log.get("total_tokens"), "total_tokens"),
        "spend_usd": _spend(log.get("spend")),
        "input_price": unit_price(prices.get("input_cost_per_token")),
        "output_price": unit_price(prices.get("output_cost_per_token")),
        "cache_read_price": unit_price(prices.get("cache_read_input_token_cost")),
        "attempted_retries": count(metadata.get("attempted_retries")),
        "attempted_fallbacks": count(metadata.get("attempted_fallbacks")),
        "error_class": error_class(information),
        # a success with error information is a client that hung up; nothing else went wrong with it
        "error_kind": error_kind(information) if status == "failure" or is_disconnect else None,
        "error_budget_limit_usd": stored_usd(information.get("error_budget_limit")),
        "error_budget_spend_usd": stored_usd(information.get("error_budget_spend")),
        "is_health_check": HEALTH_CHECK in (log.get("api_key"), log.get("team_id"), *tags),
        "is_attempt": metadata.get("billed_retry_attempt") is True or _ATTEMPT.search(request_id) is not None,
        "is_response_cache_hit": log.get("cache_hit") == "True" or _CACHE_HIT.search(request_id) is not None,
        "is_client_disconnect": is_disconnect,
        "trace_id": trace_id(log.get("session_id")),
        "user_agent": label(metadata.get("user_agent")),
        "category": label(labels.get("category")) or label(_tag(tags, "category:")),
        "ticket_key": identifier(labels.get("ticket")) or identifier(_tag(tags, "ticket:")),
        "method": label(labels.get("method")),
        "pipeline": label(labels.get("pipeline")),
        "step": label(labels.get("step")),
        "task_id": identifier(labels.get("task_id")),
    }


def request_id_of(log: object) -> str:
    """The row's key. Raises UnusableRow."""
    if not isinstance(log, Mapping):
        raise UnusableRow("not an object")
    request_id = whole_text(log.get("request_id"))
    if request_id is None:
        raise UnusableRow("no request_id")
    return request_id


def end_user_label(value: object) -> str | None:
    """An end user as the client named it, or a short hash when it may be an address, a number or a text."""
    found = whole_text(value)
    if found is None:
        return None
    return found if len(found) <= LABEL_LENGTH and clean_label(found) == found else peer_label(found)


def _tags(value: object) -> tuple[str, ...]:
    return tuple(tag for tag in value if isinstance(tag, str)) if isinstance(value, list) else ()


def _tag(tags: tuple[str, ...], prefix: str) -> str | None:
    return next((tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix)), None)


def _status(log: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    """success or failure; before 2025 only the metadata says so, and only of failures."""
    if log.get("status") in ("success", "failure"):
        return log["status"]
    return "failure" if metadata.get("status") == "failure" else "success"


def _required_time(log: Mapping[str, Any], name: str) -> datetime:
    moment = parse_time(log.get(name))
    if moment is None:
        raise UnusableRow(f"{name} is not a usable time")
    return moment


def _tokens(value: object, name: str) -> int:
    tokens = number(value)
    if tokens is None or not tokens.is_integer():
        raise UnusableRow(f"{name} is not a whole number")
    if not 0 <= tokens <= MAX_TOKENS:
        raise UnusableRow(f"{name} is out of range")
    return int(tokens)


def _tokens_or_zero(value: object, name: str) -> int:
    return 0 if value is None else _tokens(value, name)


def _spend(value: object) -> float:
    spend = number(value)
    if spend is None:
        raise UnusableRow("spend is not a number")
    if not 0 <= spend <= MAX_USD:
        raise UnusableRow("spend is out of range")
    return spend


def _cache_tokens(metadata: Mapping[str, Any], usage: Mapping[str, Any]) -> tuple[int, int, int]:
    """Tokens read from the prompt cache, written to it, and of these written for an hour.

    `additional_usage_values` is the one place for every provider, but leaves out what is zero, and an operator can
    exclude it: then the provider's own usage says it.
    """
    values = metadata.get("additional_usage_values")
    details = mapping(usage.get("prompt_tokens_details"))
    if isinstance(values, Mapping):
        read, written = values.get("cache_read_input_tokens"), values.get("cache_creation_input_tokens")
    else:
        read, written = details.get("cached_tokens"), details.get("cache_creation_tokens")
    by_lifetime = mapping(details.get("cache_creation_token_details"))
    return (
        _tokens_or_zero(read, "cache_read_input_tokens"),
        _tokens_or_zero(written, "cache_creation_input_tokens"),
        _tokens_or_zero(by_lifetime.get("ephemeral_1h_input_tokens"), "ephemeral_1h_input_tokens"),
    )
