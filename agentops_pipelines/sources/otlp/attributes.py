"""Attributes of a span or resource: the names under which the same thing is said, and what of a value is believed.

Belongs here: every spelling (GenAI semantic conventions old and new, LiteLLM's own, OpenClaw's own, OpenInference), the
JSON form of OTLP values, and Python's form of a dict, as LiteLLM's classic callback writes its metadata. Does not
belong here: what a span is (spans.py).

Only attributes that are named here are ever looked at. Prompts, answers, tool arguments and span events are not.
"""

import ast
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from agentops_pipelines.sources.openclaw.lines import parse
from agentops_pipelines.sources.openclaw.values import BadValue, mapping, tokens
from agentops_pipelines.sources.schemas import MAX_USD

Attributes = Mapping[str, Any]
"""Attribute name -> text, number, flag, list or dict."""

OPERATION = ("gen_ai.operation.name",)
PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "openclaw.provider", "llm.provider", "llm.system")
REQUEST_MODEL = ("gen_ai.request.model", "openclaw.model", "llm.request.model", "llm.model_name")
MODEL_GROUP = ("litellm.model_group",)
SERVED_MODEL = ("litellm.provider.model", "gen_ai.response.model")
RESPONSE_ID = ("gen_ai.response.id",)
CALL_ID = ("litellm.call_id",)
KEY_HASH = ("metadata.user_api_key_hash", "litellm.api_key.hash")
KEY_ALIAS = ("metadata.user_api_key_alias", "litellm.metadata.user_api_key_alias")
AGENT = ("openclaw.agent",)
SESSION_ID = ("openclaw.sessionId",)
SESSION_KEY = ("openclaw.sessionKey",)
LABELS = ("metadata.spend_logs_metadata", "litellm.metadata.spend_logs_metadata", "metadata.requester_metadata")
"""What the client sent along, as a dict."""
TICKET = ("jira.issue.key", "jira.issue_key", "jira.key", "ticket.key", "ticket.id", "issue.key", "ticket")

PROMPT = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "openclaw.model_call.usage.prompt_tokens",
    "llm.usage.prompt_tokens",
    "llm.token_count.prompt",
)
"""Input tokens, cached ones included."""
UNCACHED = ("openclaw.model_call.usage.input_tokens", "openclaw.tokens.input")
"""Input tokens, cached ones excluded."""
OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "openclaw.model_call.usage.output_tokens",
    "openclaw.tokens.output",
    "llm.usage.completion_tokens",
    "llm.token_count.completion",
)
CACHE_READ = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "openclaw.model_call.usage.cache_read_input_tokens",
    "openclaw.tokens.cache_read",
    "llm.token_count.prompt_details.cache_read",
)
CACHE_WRITE = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "openclaw.model_call.usage.cache_creation_input_tokens",
    "openclaw.tokens.cache_write",
    "llm.token_count.prompt_details.cache_write",
)
REASONING = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "openclaw.model_call.usage.reasoning_output_tokens",
    "llm.token_count.completion_details.reasoning",
)
USAGE_OBJECT = "metadata.usage_object"
"""LiteLLM's classic callback has cache tokens only in here, unless the newest conventions are switched on."""
HIDDEN_PARAMS = "hidden_params"
COST = ("gen_ai.cost.total_cost", "litellm.cost.total", "gen_ai.usage.cost")

ERROR_CLASS = ("error.type",)
ERROR_MESSAGE = ("error.message",)
ERROR_PROVIDER = ("error.llm_provider", "litellm.provider.error.llm_provider")
OBSERVATION_UNIT = "openclaw.model_call.observation_unit"
RUN_TOKENS = "openclaw.tokens.total"
MCP_METHOD = "mcp.method.name"

_MAX_DICT = 64 * 1024
"""Characters of a dict that is still taken apart: Python's parser needs memory many times as large."""
_COUNT = re.compile(r"\d{1,18}")
_TICKET_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}-[1-9]\d{0,6}")
_NOTHING = frozenset(("", "None", "unknown", "Unknown"))
"""What LiteLLM and OpenClaw write where they know nothing."""

_PROVIDERS = {
    "azure.ai.openai": "azure",
    "az.ai.openai": "azure",
    "azure.ai.inference": "azure_ai",
    "az.ai.inference": "azure_ai",
    "aws.bedrock": "bedrock",
    "gcp.gemini": "gemini",
    "gcp.vertex_ai": "vertex_ai",
    "ibm.watsonx.ai": "watsonx",
    "mistral_ai": "mistral",
    "x_ai": "xai",
}
"""The conventions' names of providers that LiteLLM and the price list call otherwise."""


def attributes_of(listed: Any) -> dict[str, Any]:
    """The attributes of an OTLP list `[{"key": ..., "value": {"stringValue": ...}}]`. What is none is left out."""
    found: dict[str, Any] = {}
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and isinstance(one.get("key"), str):
            found[one["key"]] = _value(one.get("value"))
    return found


def first(attributes: Attributes, names: Iterable[str]) -> str | None:
    """The first of these attributes that is a text and says something."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and value not in _NOTHING:
            return value
    return None


def count(attributes: Attributes, names: Iterable[str]) -> int | None:
    """The first of these attributes that is there, as a token count. Raises BadValue."""
    for name in names:
        value = attributes.get(name)
        if value is not None and value != "":
            return token_count(value)
    return None


def token_count(value: Any) -> int | None:
    """A token count, also one that is written as text (int64 in JSON). Raises BadValue."""
    if isinstance(value, str):
        if not _COUNT.fullmatch(value):
            raise BadValue("negative_tokens" if _COUNT.fullmatch(value[1:]) and value[0] == "-" else "wrong_type")
        value = int(value)
    if isinstance(value, float) and not value.is_integer():
        raise BadValue("wrong_type")
    return tokens(value)


def cost(attributes: Attributes, names: Iterable[str]) -> float | None:
    """The first of these attributes that is an amount in USD. Raises BadValue(cost_out_of_range)."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            if not math.isfinite(value) or not 0 <= value <= MAX_USD:
                raise BadValue("cost_out_of_range")
            return float(value)
    return None


def dict_of(value: Any) -> Mapping[str, Any]:
    """A dict that is one, or is written as text: in JSON, or as Python writes it. An empty one for anything else."""
    if not isinstance(value, str) or not value.startswith("{") or len(value) > _MAX_DICT:
        return mapping(value)
    parsed = parse(value.encode("utf-8", "replace"))
    if parsed is None:
        try:
            parsed = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return {}
    return mapping(parsed)


def ticket(attributes: Attributes) -> tuple[str | None, str | None]:
    """The ticket key that the attributes name, in capitals, and the attribute that does. No other text gets through."""
    for name in TICKET:
        key = ticket_key(attributes.get(name))
        if key is not None:
            return key, name
    return None, None


def ticket_key(value: Any) -> str | None:
    """A text that has the shape of a ticket key, in capitals."""
    text = value.strip() if isinstance(value, str) else ""
    return text.upper() if _TICKET_KEY.fullmatch(text) else None


def provider(attributes: Attributes) -> str | None:
    """The provider, as LiteLLM and the price list call it."""
    name = first(attributes, PROVIDER)
    return None if name is None else _PROVIDERS.get(name, name)


def _value(value: Any) -> Any:
    if not isinstance(value, dict):
        return None
    if "kvlistValue" in value:
        return attributes_of(mapping(value["kvlistValue"]).get("values"))
    for kind in ("stringValue", "intValue", "doubleValue", "boolValue"):
        if kind in value:
            return value[kind]
    return None
