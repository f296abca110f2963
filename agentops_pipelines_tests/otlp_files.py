"""Spans as LiteLLM and OpenClaw export them, in files as an OpenTelemetry collector writes them.

Belongs here: the shapes. Names of spans and attributes are those of LiteLLM 1.108 (integrations/opentelemetry.py, the
classic callback; integrations/otel, the second tree) and of OpenClaw's diagnostics-otel of 2026.2 and 2026.9.
"""

import struct
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import zstandard

Span = dict[str, Any]

NOON = datetime(2026, 11, 18, 12)


def value(of: Any) -> dict[str, Any]:
    """An attribute's value in OTLP/JSON: whole numbers are text."""
    if isinstance(of, bool):
        return {"boolValue": of}
    if isinstance(of, int):
        return {"intValue": str(of)}
    if isinstance(of, float):
        return {"doubleValue": of}
    if isinstance(of, list):
        return {"arrayValue": {"values": [value(one) for one in of]}}
    if isinstance(of, dict):
        return {"kvlistValue": {"values": attributes(of)}}
    return {"stringValue": of}


def attributes(named: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": value(of)} for name, of in named.items()]


def nanoseconds(at: datetime) -> str:
    return str(int(at.replace(tzinfo=UTC).timestamp()) * 1_000_000_000 + at.microsecond * 1_000)


def span(number: int, name: str, named: Mapping[str, Any], *, at: datetime = NOON, trace: int = 1, **more: Any) -> Span:
    """One span of two seconds that ended at `at`. `more` replaces its fields."""
    return {
        "traceId": f"{trace:032x}",
        "spanId": f"{number:016x}",
        "parentSpanId": "",
        "name": name,
        "kind": 1,
        "startTimeUnixNano": nanoseconds(at - timedelta(seconds=2)),
        "endTimeUnixNano": nanoseconds(at),
        "attributes": attributes(named),
        "status": {},
        **more,
    }


def line(*spans: Span, resource: Mapping[str, Any] | None = None, **more: Any) -> bytes:
    """One line of a file: spans of one program."""
    about = {"service.name": "litellm", "telemetry.sdk.language": "python", **(resource or {})}
    scoped = {"scope": {"name": "litellm"}, "spans": list(spans)}
    return orjson.dumps(
        {"resourceSpans": [{"resource": {"attributes": attributes(about)}, "scopeSpans": [scoped]}], **more}
    )


def lines(*of: bytes) -> bytes:
    """A whole file."""
    return b"".join(one + b"\n" for one in of)


def messages(of: Iterable[bytes]) -> bytes:
    """A file as the exporter writes it with `compression: zstd`."""
    packed = [zstandard.ZstdCompressor().compress(one) for one in of]
    return b"".join(struct.pack(">I", len(one)) + one for one in packed)


def classic(call: str, **more: Any) -> dict[str, Any]:
    """Attributes that LiteLLM's classic callback sets. Dicts are as Python writes them; one has the cache tokens."""
    usage = {
        "completion_tokens": 10,
        "prompt_tokens": 100,
        "total_tokens": 110,
        "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": None},
        "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": None},
    }
    hidden = {"model_id": "dep-1", "response_cost": 0.25, "litellm_model_name": "azure/gpt-5.4", "cache_key": None}
    return {
        "metadata.user_api_key_hash": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
        "metadata.user_api_key_alias": "alec",
        "metadata.user_api_key_team_id": "",
        "metadata.spend_logs_metadata": str({"ticket": "OPS-1", "method": "tdd", "odd": None}),
        "metadata.requester_metadata": "{}",
        "metadata.usage_object": str(usage),
        "hidden_params": orjson.dumps(hidden).decode(),
        "litellm.model_group": "standard",
        "gen_ai.cost.total_cost": 0.002,
        "gen_ai.request.model": "gpt-5.4",
        "llm.request.type": "acompletion",
        "gen_ai.system": "azure",
        "llm.is_streaming": "False",
        "gen_ai.response.id": f"chatcmpl-{call}",
        "litellm.call_id": call,
        "gen_ai.response.model": "gpt-5.4-2026-03-05",
        "gen_ai.usage.total_tokens": 110,
        "gen_ai.usage.output_tokens": 10,
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.operation.name": "acompletion",
        **more,
    }


def second_tree(call: str, **more: Any) -> dict[str, Any]:
    """Attributes of the model call in LiteLLM's second tree (LITELLM_OTEL_V2)."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "azure.ai.openai",
        "gen_ai.request.model": "standard",
        "gen_ai.response.model": "gpt-5.4-2026-03-05",
        "gen_ai.response.id": f"chatcmpl-{call}",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 10,
        "gen_ai.usage.cache_creation.input_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "litellm.call_id": call,
        "litellm.call_type": "acompletion",
        "litellm.provider.model": "azure/gpt-5.4",
        "litellm.cost.total": 0.002,
        "litellm.api_key.hash": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
        "litellm.metadata.user_api_key_alias": "alec",
        **more,
    }


def usage_of_a_run(**more: Any) -> dict[str, Any]:
    """Attributes of OpenClaw's `openclaw.model.usage` (2026.4 and before): the sum of an agent run's calls."""
    return {
        "openclaw.channel": "webchat",
        "openclaw.provider": "litellm",
        "openclaw.model": "standard",
        "openclaw.sessionKey": "agent:alec:whatsapp:direct:+4915112345678",
        "openclaw.sessionId": "s-old",
        "openclaw.tokens.input": 60,
        "openclaw.tokens.output": 10,
        "openclaw.tokens.cache_read": 40,
        "openclaw.tokens.cache_write": 0,
        "openclaw.tokens.total": 110,
        **more,
    }


def model_call(**more: Any) -> dict[str, Any]:
    """Attributes of OpenClaw's `openclaw.model.call` (2026.9): one request, without any id."""
    return {
        "openclaw.provider": "litellm",
        "openclaw.model": "standard",
        "openclaw.api": "openai-completions",
        "gen_ai.system": "litellm",
        "gen_ai.request.model": "standard",
        "gen_ai.operation.name": "text_completion",
        "openclaw.model_call.observation_unit": "request",
        "openclaw.model_call.usage.input_tokens": 60,
        "openclaw.model_call.usage.output_tokens": 10,
        "openclaw.model_call.usage.cache_read_input_tokens": 40,
        "openclaw.model_call.usage.reasoning_output_tokens": 4,
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 40,
        **more,
    }
