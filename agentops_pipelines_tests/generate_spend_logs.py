"""Makes many rows of LiteLLM_SpendLogs in the text format of PostgreSQL's COPY: what litellm_load measures with.

Belongs here: their shape. Metadata has the objects that LiteLLM 1.108 writes, about 2 KB of JSON (real ones are longer
where the model map lists hundreds of fields that are null: those cost the same as fewer of them). One row in 50 failed,
one in 20 carries no labels. The same arguments give the same rows.
"""

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

COLUMNS = (
    "request_id",
    "call_type",
    "api_key",
    "spend",
    "total_tokens",
    "prompt_tokens",
    "completion_tokens",
    "startTime",
    "endTime",
    "request_duration_ms",
    "completionStartTime",
    "model",
    "model_id",
    "model_group",
    "custom_llm_provider",
    "user",
    "metadata",
    "cache_hit",
    "request_tags",
    "team_id",
    "end_user",
    "session_id",
    "status",
    "litellm_call_id",
    "created_at",
)
"""What the rows hold, in order; other columns keep their defaults."""

START = datetime.fromisoformat("2026-10-27")
DAYS = 28
_CHUNK = 2_000
_MODELS = ("azure/gpt-5.4", "azure/gpt-5.4-mini", "anthropic/claude-opus-4-8", "anthropic/claude-haiku-5")
_CALL_ID = "@call_id@"


def spend_log_chunks(count: int, *, seed: int = 7) -> Iterator[bytes]:
    """So many rows over DAYS days from START, in the order of their starts."""
    dice = random.Random(seed)
    templates = [_metadata(dice, number) for number in range(200)]
    step = timedelta(days=DAYS) / count
    lines: list[str] = []
    for number in range(count):
        lines.append(_line(dice, number, START + step * number, templates[dice.randrange(len(templates))]))
        if len(lines) == _CHUNK or number == count - 1:
            yield "".join(lines).encode()
            lines.clear()


def _line(dice: random.Random, number: int, started_at: datetime, metadata: str) -> str:
    model = _MODELS[number % len(_MODELS)]
    prompt, completion = dice.randrange(800, 60_000), dice.randrange(5, 2_000)
    has_failed = number % 50 == 0
    call_id = f"{dice.getrandbits(128):032x}"
    started = started_at.isoformat(sep=" ", timespec="milliseconds")
    ended = (started_at + timedelta(milliseconds=dice.randrange(200, 30_000))).isoformat(" ", "milliseconds")
    return (
        f"chatcmpl-{number:012d}\tacompletion\t{number % 12:064x}\t{0 if has_failed else prompt * 3e-6}\t"
        f"{prompt + completion}\t{prompt}\t{completion}\t{started}\t{ended}\t900\t{ended}\t{model}\t"
        f"deployment-{number % 9}\tgroup-{number % 5}\t{model.split('/')[0]}\tuser-{number % 12}\t"
        f'{metadata.replace(_CALL_ID, call_id)}\tFalse\t["User-Agent: openclaw", "category:coding"]\t'
        f"team-{number % 4}\t\t{call_id[:8]}-{call_id[8:12]}-{call_id[12:16]}-{call_id[16:20]}-{call_id[20:]}\t"
        f"{'failure' if has_failed else 'success'}\t{call_id}\t{ended}\n"
    )


def _metadata(dice: random.Random, number: int) -> str:
    cached = dice.randrange(0, 50_000) if number % 3 else 0
    details = {"text_tokens": None, "audio_tokens": 0, "image_tokens": None, "cached_tokens": cached}
    metadata: dict[str, Any] = {
        "status": "success",
        "user_agent": "openclaw/2026.9.6",
        "max_retries": 1,
        "batch_models": None,
        "usage_object": {
            "total_tokens": 2591,
            "prompt_tokens": 2297,
            "completion_tokens": 294,
            "prompt_tokens_details": details,
            "completion_tokens_details": {"text_tokens": None, "audio_tokens": 0, "reasoning_tokens": number * 3},
        },
        "user_api_key": f"{number:064x}",
        "cost_breakdown": {"input_cost": 0.01, "total_cost": 0.02, "output_cost": 0.01, "discount_percent": 0.0},
        "litellm_call_id": _CALL_ID,
        "attempted_retries": 0,
        "error_information": None,
        "applied_guardrails": [],
        "user_api_key_alias": f"key-{number % 12}",
        "attempted_fallbacks": number % 40 == 0,
        "spend_logs_metadata": {"task_id": f"t-{number}", "category": "coding", "ticket": f"AB-{number}"},
        "user_api_key_org_id": None,
        "billed_retry_attempt": False,
        "original_model_group": f"group-{number % 5}",
        "requester_ip_address": "127.0.0.1",
        "user_api_key_team_id": f"team-{number % 4}",
        "additional_usage_values": {"cache_read_input_tokens": cached, "prompt_tokens_details": details},
        "model_map_information": {
            "model_map_key": "azure/gpt-5.4",
            "model_map_value": {
                "input_cost_per_token": 3e-06,
                "output_cost_per_token": 1.5e-05,
                "cache_read_input_token_cost": 3e-07,
                **{f"supports_{feature}": None for feature in _FEATURES},
            },
        },
    }
    metadata["attempted_fallbacks"] = int(number % 40 == 0)
    if number % 20 == 0:
        metadata["spend_logs_metadata"] = None
    if number % 50 == 0:
        metadata["error_information"] = {
            "error_class": "RateLimitError",
            "error_message": "litellm.RateLimitError: 429 " + "x" * 300,
            "llm_provider": "azure",
        }
    return json.dumps(metadata).replace("\\", "\\\\")


_FEATURES = (
    *("vision", "reasoning", "web_search", "audio_input", "tool_choice", "url_context", "pdf_input", "audio_output"),
    *("computer_use", "prompt_caching", "response_schema", "system_messages", "function_calling", "native_streaming"),
)
