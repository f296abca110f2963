"""Spend logs out of PostgreSQL, many at a time: a SELECT that takes the jsonb apart, and its result as a frame.

Belongs here: the same meaning of the same fields as in rows.py, for columns instead of one object (a test holds the
two together). The jsonb is taken apart by the database, because a row's metadata is ten times what is kept of it.
Connections, days and errors are postgres.py.
"""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import polars as pl

from agentops_pipelines.sources.litellm.errors import error_class, error_kind
from agentops_pipelines.sources.litellm.rows import HEALTH_CHECK, end_user_label
from agentops_pipelines.sources.litellm.values import (
    EARLIEST,
    LABEL_LENGTH,
    LATEST,
    MAX_STORED_USD,
    MAX_UNIT_PRICE,
    TRACE_ID,
    identifier,
    key_hash,
    label,
    trace_id,
)
from agentops_pipelines.sources.schemas import LITELLM_SPEND_LOGS, MAX_TOKENS, MAX_USD

_TABLE_COLUMNS = {
    "request_id": "text",
    "call_type": "text",
    "api_key": "text",
    "spend": "float8",
    "total_tokens": "bigint",
    "prompt_tokens": "bigint",
    "completion_tokens": "bigint",
    "startTime": "timestamp",
    "endTime": "timestamp",
    "completionStartTime": "timestamp",
    "created_at": "timestamp",
    "model": "text",
    "model_id": "text",
    "model_group": "text",
    "custom_llm_provider": "text",
    "user": "text",
    "team_id": "text",
    "end_user": "text",
    "cache_hit": "text",
    "session_id": "text",
    "status": "text",
    "litellm_call_id": "text",
}
"""Columns that are read as they are, and what stands for one that an older proxy lacks."""

_TEXTS = {
    "metadata_status": "status",
    "metadata_call_id": "litellm_call_id",
    "key_alias": "user_api_key_alias",
    "original_model_group": "original_model_group",
    "user_agent": "user_agent",
}
"""Strings of the metadata, and their name there."""

_SAID_BY_COLUMN = {
    "metadata_status": ("status", "status IN ('success', 'failure')"),
    "metadata_call_id": ("litellm_call_id", "litellm_call_id <> ''"),
}
"""Where newer proxies have a column for it: its name, and when it says enough."""

_LABEL_FIELDS = ("category", "ticket", "method", "pipeline", "step", "task_id")
"""Strings in the client's own metadata."""
_TAG_PREFIXES = {"tag_category": "category:", "tag_ticket": "ticket:"}

_PROMPT_DETAILS = "usage_object, prompt_tokens_details"
_PRICES = "model_map_information, model_map_value"
_NUMBERS = {
    "attempted_retries": "attempted_retries",
    "attempted_fallbacks": "attempted_fallbacks",
    "cache_read_input_tokens": "additional_usage_values, cache_read_input_tokens",
    "cache_creation_input_tokens": "additional_usage_values, cache_creation_input_tokens",
    "ephemeral_1h_input_tokens": f"{_PROMPT_DETAILS}, cache_creation_token_details, ephemeral_1h_input_tokens",
    "reasoning_tokens": "usage_object, completion_tokens_details, reasoning_tokens",
    "input_price": f"{_PRICES}, input_cost_per_token",
    "output_price": f"{_PRICES}, output_cost_per_token",
    "cache_read_price": f"{_PRICES}, cache_read_input_token_cost",
    "error_budget_limit": "error_information, error_budget_limit",
    "error_budget_spend": "error_information, error_budget_spend",
}
"""Numbers inside the jsonb; read as text, because a cast in the database fails the whole query over one bad row."""

_WITHOUT_ADDITIONAL_VALUES = {
    "cache_read_input_tokens": f"{_PROMPT_DETAILS}, cached_tokens",
    "cache_creation_input_tokens": f"{_PROMPT_DETAILS}, cache_creation_tokens",
}
"""additional_usage_values is the place for every provider; where the operator excluded it, the provider's usage."""

_ERROR_FIELDS = (
    "error_class",
    "normalized_error",
    "error_rate_limit_category",
    "error_rate_limit_type",
    "llm_provider",
    "error_message",
)


def spend_log_select(
    table: str, *, columns: Collection[str], start: datetime, end: datetime, created_from: datetime | None
) -> str:
    """The SELECT over `table` (quoted) for starts from `start` to before `end`, only rows created from then on.

    `columns` are those that the table has.
    """
    # metadata || '{}' is metadata, unpacked once: every operator on the column itself would unpack it again
    # labels, errors and tags are small and mostly alike: as text they cost the database a third of what their fields do
    rows = (
        f"SELECT *, {_json(columns, 'metadata')} || '{{}}' AS m, {_json(columns, 'request_tags')} AS tags FROM {table}"
        f""" WHERE "startTime" >= '{start}' AND "startTime" < '{end}'"""
    )
    if created_from is not None:
        rows += f" AND created_at >= '{created_from}'"
    # everything else by its path from the top: an object in between would be copied
    objects = (
        "SELECT m -> 'spend_logs_metadata' AS labels, m -> 'error_information' AS error,"
        " jsonb_typeof(m -> 'additional_usage_values') = 'object' AS has_values"
    )
    fields = [
        f'"{name}"' if name in columns else f'NULL::{type_} AS "{name}"' for name, type_ in _TABLE_COLUMNS.items()
    ]
    fields += [_string(key, name, columns) for name, key in _TEXTS.items()]
    fields += [f"{_number(name)} AS {name}" for name in _NUMBERS]
    fields += [
        "CASE WHEN jsonb_typeof(labels) = 'object' THEN labels::text END AS labels",
        # its message is looked at for the error kind only
        "CASE WHEN jsonb_typeof(error) = 'object' THEN (error - 'traceback')::text END AS error",
        "CASE WHEN jsonb_typeof(tags) = 'array' THEN tags::text END AS tags",
        f"tags ? '{HEALTH_CHECK}' AS is_health_tagged",
        "m -> 'billed_retry_attempt' = 'true' AS is_billed_attempt",
    ]
    return f"SELECT {', '.join(fields)} FROM ({rows} OFFSET 0) AS l CROSS JOIN LATERAL ({objects} OFFSET 0) AS o"


def _json(columns: Collection[str], name: str) -> str:
    return name if name in columns else "NULL::jsonb"


def _number(name: str) -> str:
    """The text where the number stands."""
    path, other = _NUMBERS[name], _WITHOUT_ADDITIONAL_VALUES.get(name)
    return _at(path) if other is None else f"CASE WHEN has_values THEN {_at(path)} ELSE {_at(other)} END"


def _at(path: str) -> str:
    return f"m #>> '{{{path.replace(' ', '')}}}'"


def _string(key: str, name: str, columns: Collection[str]) -> str:
    """The text at a key of the metadata, if it is a string there and no column of the table says the same."""
    column, is_said = _SAID_BY_COLUMN.get(name, ("", ""))
    unknown = f"({is_said}) IS NOT TRUE AND " if column in columns else ""
    return f"CASE WHEN {unknown}jsonb_typeof(m -> '{key}') = 'string' THEN m ->> '{key}' END AS {name}"


def spend_log_frame_of(result: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A result of the SELECT as a frame of LITELLM_SPEND_LOGS, and the unusable rows: `startTime`, `reason`."""
    result = result.with_columns(
        *_strings(result["labels"], _LABEL_FIELDS),
        *_strings(result["error"], _ERROR_FIELDS),
        *(_tags(result["tags"], name, prefix) for name, prefix in _TAG_PREFIXES.items()),
    )
    numbers = result.with_columns(pl.col(name).cast(pl.Float64, strict=False).alias(f"#{name}") for name in _NUMBERS)
    judged = numbers.with_columns(_reason().alias("reason"))
    usable = judged.filter(pl.col("reason").is_null())
    unusable = judged.filter(pl.col("reason").is_not_null()).select("startTime", "reason")
    return _spend_logs(usable), unusable


def _strings(objects: pl.Series, fields: Sequence[str]) -> Iterator[pl.Series]:
    """The strings at the fields of JSON objects, a column a field; NULL where something else stands."""
    distinct = objects.unique().drop_nulls()
    decode = msgspec.json.Decoder(msgspec.defstruct("_", [(name, str | None, None) for name in fields])).decode
    decoded: list[Any] = []
    for text in distinct:
        try:
            decoded.append(decode(text))
        except (msgspec.DecodeError, RecursionError):
            decoded.append(_careful_strings(text))
    for name in fields:
        values = pl.Series([getattr(found, name, None) for found in decoded], dtype=pl.String())
        yield objects.replace_strict(distinct, values, default=None, return_dtype=pl.String()).alias(name)


def _careful_strings(text: str) -> SimpleNamespace:
    """The same of an object that has something else than strings in these places, or numbers beyond any type."""
    try:
        found = json.loads(text, parse_int=_nothing, parse_float=_nothing)
    except RecursionError:
        return SimpleNamespace()
    return SimpleNamespace(**{name: value for name, value in found.items() if isinstance(value, str)})


def _nothing(_: str) -> None:
    """In place of a number."""


def _tags(tags: pl.Series, name: str, prefix: str) -> pl.Series:
    """What follows the prefix in the first tag that has it."""

    def first(text: str) -> str | None:
        found = json.loads(text, parse_int=_nothing, parse_float=_nothing) if f'"{prefix}' in text else []
        tag = next((tag for tag in found if isinstance(tag, str) and tag.startswith(prefix)), None)
        return None if tag is None else tag.removeprefix(prefix)

    return _each(tags, first).alias(name)


def _reason() -> pl.Expr:
    """Why a row cannot be used: the first of its fields that is wrong. NULL when none is."""
    checks = [pl.when(pl.col("request_id") == "").then(pl.lit("no request_id"))]
    for name in ("cache_read_input_tokens", "cache_creation_input_tokens", "ephemeral_1h_input_tokens"):
        checks += _token_checks(name, pl.col(f"#{name}"), is_missing=pl.col(name).is_null())
    checks += [
        pl.when(~_is_time(name).fill_null(False)).then(pl.lit(f"{name} is not a usable time"))
        for name in ("startTime", "endTime")
    ]
    never = pl.lit(False)
    checks += _token_checks("prompt_tokens", pl.col("prompt_tokens").cast(pl.Float64), is_missing=never)
    checks += _token_checks("completion_tokens", pl.col("completion_tokens").cast(pl.Float64), is_missing=never)
    reasoning = pl.col("reasoning_tokens").is_null()
    checks += _token_checks("reasoning_tokens", pl.col("#reasoning_tokens"), is_missing=reasoning)
    checks += _token_checks("total_tokens", pl.col("total_tokens").cast(pl.Float64), is_missing=never)
    spend = pl.col("spend")
    checks += [
        pl.when(~spend.is_finite().fill_null(False)).then(pl.lit("spend is not a number")),
        pl.when(~spend.is_between(0, MAX_USD)).then(pl.lit("spend is out of range")),
    ]
    return pl.coalesce(checks)


def _token_checks(name: str, tokens: pl.Expr, *, is_missing: pl.Expr) -> list[pl.Expr]:
    """A count may be absent inside the jsonb (zero), but not be text, a fraction, negative or huge."""
    is_whole = (tokens.is_finite() & (tokens == tokens.floor())).fill_null(False)
    return [
        pl.when(~is_missing & ~is_whole).then(pl.lit(f"{name} is not a whole number")),
        pl.when(~is_missing & ~tokens.is_between(0, MAX_TOKENS)).then(pl.lit(f"{name} is out of range")),
    ]


def _is_time(name: str) -> pl.Expr:
    return pl.col(name).is_between(EARLIEST, LATEST, closed="left")


def _spend_logs(rows: pl.DataFrame) -> pl.DataFrame:
    """Usable rows of the SELECT in the columns of LITELLM_SPEND_LOGS."""
    is_disconnect = (pl.col("error_class") == "ClientDisconnected").fill_null(False)
    status = pl.when(pl.col("status").is_in(["success", "failure"])).then(pl.col("status"))
    status = status.when(pl.col("metadata_status") == "failure").then(pl.lit("failure")).otherwise(pl.lit("success"))
    is_health_check = (
        (pl.col("api_key") == HEALTH_CHECK).fill_null(False)
        | (pl.col("team_id") == HEALTH_CHECK).fill_null(False)
        | pl.col("is_health_tagged").fill_null(False)
    )
    rows = rows.with_columns(status.alias("status"), is_disconnect.alias("is_client_disconnect"))
    expressions: dict[str, pl.Expr | pl.Series] = {
        "request_id": pl.col("request_id"),
        "litellm_call_id": pl.coalesce(_text("litellm_call_id"), _text("metadata_call_id")),
        "call_type": _text("call_type"),
        "started_at": pl.col("startTime"),
        "ended_at": pl.col("endTime"),
        "first_token_at": pl.when(_is_time("completionStartTime")).then(pl.col("completionStartTime")),
        "created_at": pl.when(_is_time("created_at")).then(pl.col("created_at")),
        "status": pl.col("status"),
        "key_hash": _each(rows["api_key"], key_hash),
        "key_alias": _each(rows["key_alias"], label),
        "user_id": _each(rows["user"], label),
        "team_id": _text("team_id"),
        "end_user": _each(rows["end_user"], end_user_label),
        "model": _text("model"),
        "provider": _text("custom_llm_provider"),
        "deployment_id": _text("model_id"),
        "model_group": _text("model_group"),
        "original_model_group": _text("original_model_group"),
        "prompt_tokens": pl.col("prompt_tokens"),
        "cache_read_tokens": pl.col("#cache_read_input_tokens").fill_null(0),
        "cache_write_tokens": pl.col("#cache_creation_input_tokens").fill_null(0),
        "cache_write_1h_tokens": pl.col("#ephemeral_1h_input_tokens").fill_null(0),
        "output_tokens": pl.col("completion_tokens"),
        "reasoning_tokens": pl.col("#reasoning_tokens").fill_null(0),
        "total_tokens": pl.col("total_tokens"),
        "spend_usd": pl.col("spend"),
        "input_price": _within("#input_price", MAX_UNIT_PRICE),
        "output_price": _within("#output_price", MAX_UNIT_PRICE),
        "cache_read_price": _within("#cache_read_price", MAX_UNIT_PRICE),
        "attempted_retries": _within("#attempted_retries", MAX_TOKENS),
        "attempted_fallbacks": _within("#attempted_fallbacks", MAX_TOKENS),
        "error_class": _each(rows["error_class"], lambda name: error_class({"error_class": name})),
        "error_kind": _error_kinds(rows),
        "error_budget_limit_usd": _within("#error_budget_limit", MAX_STORED_USD),
        "error_budget_spend_usd": _within("#error_budget_spend", MAX_STORED_USD),
        "is_health_check": is_health_check,
        "is_attempt": pl.col("is_billed_attempt").fill_null(False)
        | pl.col("request_id").str.contains(r"-attempt-\d+$"),
        "is_response_cache_hit": (pl.col("cache_hit") == "True").fill_null(False)
        | pl.col("request_id").str.contains(r"_cache_hit\d"),
        "is_client_disconnect": pl.col("is_client_disconnect"),
        "trace_id": _trace_ids(rows["session_id"]),
        "user_agent": _each(rows["user_agent"], label),
        "category": _each(rows["category"], label),
        "ticket_key": _each(rows["ticket"], identifier),
        "method": _each(rows["method"], label),
        "pipeline": _each(rows["pipeline"], label),
        "step": _each(rows["step"], label),
        "task_id": _each(rows["task_id"], identifier),
    }
    tags = {"tag_category": _each(rows["tag_category"], label), "tag_ticket": _each(rows["tag_ticket"], identifier)}
    frame = rows.select(**expressions, **tags)
    frame = frame.with_columns(
        category=pl.coalesce("category", "tag_category"), ticket_key=pl.coalesce("ticket_key", "tag_ticket")
    )
    return frame.select(pl.col(name).cast(type_) for name, type_ in LITELLM_SPEND_LOGS.frame_schema.items())


def _text(name: str) -> pl.Expr:
    """As values.text."""
    cut = pl.col(name).str.slice(0, LABEL_LENGTH)
    return pl.when(cut != "").then(cut)


def _within(name: str, maximum: float) -> pl.Expr:
    """A number from 0 to the maximum, or NULL."""
    return pl.when(pl.col(name).is_between(0, maximum)).then(pl.col(name))


def _each(values: pl.Series, clean: Callable[[Any], str | None]) -> pl.Series:
    """`clean` of every value, called once for each distinct one."""
    distinct = values.unique().drop_nulls()
    cleaned = pl.Series([clean(value) for value in distinct], dtype=pl.String())
    return values.replace_strict(distinct, cleaned, default=None, return_dtype=pl.String())


def _trace_ids(session_ids: pl.Series) -> pl.Series:
    """As values.trace_id: nearly all are random, each another, and stay as they are."""
    is_random = session_ids.str.contains(f"^(?:{TRACE_ID.pattern})$")
    others = _each(session_ids.set(is_random.fill_null(False), None), trace_id)
    return others.fill_null(session_ids.set(~is_random, None))


def _error_kinds(rows: pl.DataFrame) -> pl.Series:
    """The error kind of each row that failed; the messages stay behind in `rows`."""
    failed = (rows["status"] == "failure") | rows["is_client_disconnect"]
    kinds = iter([error_kind(information) for information in rows.filter(failed).select(_ERROR_FIELDS).to_dicts()])
    return pl.Series([next(kinds) if has_failed else None for has_failed in failed], dtype=pl.String())
