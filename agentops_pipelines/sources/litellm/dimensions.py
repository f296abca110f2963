"""Keys, deployments and routes of a proxy, as its admin endpoints answer, as rows of `raw.litellm_*`.

Belongs here: which field of /key/list, /model/info and /router/settings means what. Every row says when it was seen
(`observed_at`, naive UTC); the warehouse keeps one row per change. Money is USD, limits are per minute.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from agentops_pipelines.sources.litellm.rows import UnusableRow
from agentops_pipelines.sources.litellm.values import (
    MAX_STORED_USD,
    count,
    key_hash,
    label,
    mapping,
    number,
    parse_time,
    stored_usd,
    text,
    unit_price,
)

ROUTE_KINDS: dict[str, str] = {"fallbacks": "fallback", "context_window_fallbacks": "context_window_fallback"}
"""Router settings that hold lists of `{group: [targets]}`, and the kind of route they make."""


def key_row(key: object, *, observed_at: datetime) -> tuple[object, ...]:
    """One virtual key as a row of LITELLM_KEYS. Raises UnusableRow when there is no hash."""
    if not isinstance(key, Mapping):
        raise UnusableRow("not an object")
    token = key_hash(key.get("token"))
    if token is None:
        raise UnusableRow("no token hash")
    budget = number(key.get("max_budget"))
    return (
        token,
        observed_at,
        label(key.get("key_alias")),
        label(key.get("user_id")),
        text(key.get("team_id")),
        " ".join(_strings(key.get("models"))),
        stored_usd(key.get("spend")),
        stored_usd(key.get("total_spend")),
        # None would say that there is no cap
        None if budget is None else min(max(budget, 0.0), MAX_STORED_USD),
        text(key.get("budget_duration")),
        parse_time(key.get("budget_reset_at")),
        count(key.get("rpm_limit")),
        count(key.get("tpm_limit")),
        key.get("blocked") is True,  # null means not blocked
        parse_time(key.get("expires")),
        parse_time(key.get("created_at")),
        parse_time(key.get("last_active")),
    )


def deployment_row(deployment: object, *, observed_at: datetime) -> tuple[object, ...]:
    """One entry of /model/info as a row of LITELLM_DEPLOYMENTS. Raises UnusableRow without an id or a group."""
    if not isinstance(deployment, Mapping):
        raise UnusableRow("not an object")
    params, info = mapping(deployment.get("litellm_params")), mapping(deployment.get("model_info"))
    identifier, group = text(info.get("id")), text(deployment.get("model_name"))
    if identifier is None or group is None:
        raise UnusableRow("no model_info.id" if identifier is None else "no model_name")
    model = text(params.get("model"))
    provider = model.partition("/")[0] if model and "/" in model else text(info.get("litellm_provider"))
    return (
        identifier,
        group,
        observed_at,
        model,
        provider,
        text(info.get("pool")),
        count(params.get("rpm")),
        count(params.get("tpm")),
        count(params.get("order")),
        unit_price(info.get("input_cost_per_token")),
        unit_price(info.get("output_cost_per_token")),
        unit_price(info.get("cache_read_input_token_cost")),
        unit_price(info.get("cache_creation_input_token_cost")),
    )


def route_rows(settings: Mapping[str, Any], *, observed_at: datetime) -> list[tuple[object, ...]]:
    """The answer of /router/settings as rows of LITELLM_ROUTES, hops in order from 1. What is no route is left out."""
    values = _router_values(settings)
    rows: list[tuple[object, ...]] = []
    for setting, kind in ROUTE_KINDS.items():
        for group, targets in _fallbacks(values.get(setting)).items():
            rows.extend((kind, group, hop, observed_at, target) for hop, target in enumerate(targets, start=1))
    for alias, target in mapping(values.get("model_group_alias")).items():
        name = _target(target)
        if name is not None:
            rows.append(("alias", alias, 1, observed_at, name))
    return rows


def _router_values(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Setting -> value. `current_values` is newer than the `fields` that the admin page is drawn from."""
    fields = settings.get("fields")
    values = {
        field["field_name"]: field.get("field_value")
        for field in (fields if isinstance(fields, list) else ())
        if isinstance(field, Mapping) and isinstance(field.get("field_name"), str)
    }
    return {**values, **mapping(settings.get("current_values"))}


def _fallbacks(value: object) -> dict[str, list[str]]:
    """Group -> targets. The router takes the first entry of a group, so later ones are left out."""
    routes: dict[str, list[str]] = {}
    for entry in value if isinstance(value, list) else ():
        for group, targets in mapping(entry).items():
            names = [name for name in map(_target, _sequence(targets)) if name is not None]
            routes.setdefault(group, names)
    return routes


def _target(value: object) -> str | None:
    """A target is a group's name, or an object that names it under `model`."""
    return text(value.get("model") if isinstance(value, Mapping) else value)


def _sequence(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else (value,)


def _strings(value: object) -> Iterable[str]:
    return (name for name in value if isinstance(name, str)) if isinstance(value, list) else ()
