"""openclaw.json: which agents there are, with which models, heartbeat and main session; aliases and prices of models.

Belongs here: the configuration's two shapes (`agents.list[]` up to 2026.8, `agents.entries{}` since) and how an agent's
own settings and `agents.defaults` add up. The rest of the file, secrets above all, is never looked at.

The file is JSON5 (comments, trailing commas, bare keys). `$include` is not followed, `${NAME}` stays as it is.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import json5

from agentops_pipelines.settings import StateDir
from agentops_pipelines.sources.batches import Batch, Ledger
from agentops_pipelines.sources.openclaw.growing import taken
from agentops_pipelines.sources.openclaw.keys import public_key
from agentops_pipelines.sources.openclaw.lines import parse
from agentops_pipelines.sources.openclaw.machine import Row, TableSink, agent_id_of, changed_content, state_file
from agentops_pipelines.sources.openclaw.values import BadValue, mapping, short_text, usd, without_surrogates
from agentops_pipelines.sources.schemas import OPENCLAW_AGENTS, OPENCLAW_MODEL_ALIASES

if TYPE_CHECKING:
    from agentops_pipelines.sources.openclaw.reader import ReadRules

READER = "openclaw-configuration-2"
"""Raise it when the same input gives other rows: everything that still exists is then read again."""

CONFIGURATION = "openclaw.json"
DEFAULT_AGENT = "main"
"""The agent of a configuration that names none."""
DEFAULT_MAIN_KEY = "main"

_PER_TOKENS = 1_000_000
"""Prices are configured in USD per so many tokens."""
_PRICES = ("input", "output", "cacheRead", "cacheWrite")
_INTERVAL = re.compile(r"[0-9][0-9A-Za-z. ]{0,20}")


def read_configuration(state_dir: StateDir, *, ledger: Ledger, rules: "ReadRules", scratch: Path) -> Iterator[Batch]:
    """Agents and models as configured now, if the file changed: OPENCLAW_AGENTS, OPENCLAW_MODEL_ALIASES.

    An agent's row holds what is in force: its own setting, else the default's. No rule changes anything here.
    """
    del rules, scratch
    sink = TableSink(source=ledger.source, host=state_dir.host, reader=READER)
    file = state_file(state_dir, CONFIGURATION, sink=sink)
    content = changed_content(file, sink=sink, ledger=ledger) if file is not None else None
    if content is not None:
        _read(content, sink=sink)
    yield from taken(sink)


def _read(content: bytes, *, sink: TableSink) -> None:
    configuration = _parse(content)
    if not isinstance(configuration, dict):
        sink.refuse(CONFIGURATION, 0, "broken_json" if configuration is None else "wrong_type")
        return
    agents = mapping(configuration.get("agents"))
    defaults = mapping(agents.get("defaults"))
    main_key = short_text(mapping(configuration.get("session")).get("mainKey")) or ""
    _add_agents(_agents(agents, sink=sink), defaults, main_key.strip().lower() or DEFAULT_MAIN_KEY, sink=sink)
    _add_models(mapping(mapping(configuration.get("models")).get("providers")), defaults, sink=sink)


def _parse(content: bytes) -> Any:
    content = content.strip(b"\0\xef\xbb\xbf \t\r\n")
    value = parse(content)
    if value is not None:
        return value
    try:
        return without_surrogates(json5.loads(content.decode("utf-8", "replace")))
    except (ValueError, RecursionError):
        return None


def _agents(agents: Mapping[str, Any], *, sink: TableSink) -> dict[str, Mapping[str, Any]]:
    """Agent id -> its own settings."""
    found: dict[str, Mapping[str, Any]] = {}
    entries = agents.get("entries")
    listed = agents.get("list")
    named = list(entries.items()) if isinstance(entries, dict) else []
    named += [(mapping(agent).get("id"), agent) for agent in listed] if isinstance(listed, list) else []
    for number, (name, agent) in enumerate(named, start=1):
        agent_id = agent_id_of(name)
        if agent_id is None or not isinstance(agent, dict):
            sink.refuse(f"{CONFIGURATION}#agents", number, "wrong_type")
        else:
            found.setdefault(agent_id, agent)
    return found or {DEFAULT_AGENT: {}}


def _add_agents(
    agents: Mapping[str, Mapping[str, Any]], defaults: Mapping[str, Any], main_key: str, *, sink: TableSink
) -> None:
    # Once any agent has a heartbeat of its own, only those that have one get a heartbeat.
    has_own_heartbeats = any(isinstance(agent.get("heartbeat"), dict) for agent in agents.values())
    for agent_id, agent in agents.items():
        primary, fallbacks = _models(agent.get("model"))
        if primary is None:
            default_primary, default_fallbacks = _models(defaults.get("model"))
            # Fallbacks without a primary of the agent's own go with the default one.
            primary, fallbacks = default_primary, fallbacks or default_fallbacks
        own = agent.get("heartbeat")
        heartbeat: Mapping[str, Any] = {}
        if isinstance(own, dict) or not has_own_heartbeats:
            heartbeat = {**mapping(defaults.get("heartbeat")), **mapping(own)}
        subagent_model, _ = _models(mapping(agent.get("subagents")).get("model"))
        row: Row = (
            sink.host,
            agent_id,
            None,
            primary,
            " ".join(fallbacks) or None,
            _interval(heartbeat.get("every")),
            short_text(heartbeat.get("model")),
            subagent_model or _models(mapping(defaults.get("subagents")).get("model"))[0],
            public_key(f"agent:{agent_id}:{main_key}"),
        )
        sink.add(OPENCLAW_AGENTS, row)


def _models(setting: Any) -> tuple[str | None, list[str]]:
    """Primary and fallbacks: a bare name, or an object that without fallbacks has none."""
    if not isinstance(setting, dict):
        return short_text(setting), []
    fallbacks = setting.get("fallbacks")
    names = [short_text(name) for name in fallbacks] if isinstance(fallbacks, list) else []
    return short_text(setting.get("primary")), [name for name in names if name is not None]


def _interval(value: Any) -> str | None:
    text = short_text(value)
    return text if text is not None and _INTERVAL.fullmatch(text) else None


def _add_models(providers: Mapping[str, Any], defaults: Mapping[str, Any], *, sink: TableSink) -> None:
    aliases = _aliases(mapping(defaults.get("models")))
    costs = _costs(providers, sink=sink)
    for provider, model in sorted(aliases.keys() | costs.keys()):
        prices = costs.get((provider, model), (None,) * len(_PRICES))
        sink.add(OPENCLAW_MODEL_ALIASES, (sink.host, provider, model, None, aliases.get((provider, model)), *prices))


def _aliases(models: Mapping[str, Any]) -> dict[tuple[str, str], str | None]:
    """(provider, model) -> alias. A name without a provider, or one that stands for many models, is left out."""
    found: dict[tuple[str, str], str | None] = {}
    for name, settings in models.items():
        provider, _, model = name.partition("/")
        if provider and model and "*" not in name:
            found[provider[:200], model[:200]] = short_text(mapping(settings).get("alias"))
    return found


def _costs(providers: Mapping[str, Any], *, sink: TableSink) -> dict[tuple[str, str], tuple[float | None, ...]]:
    """(provider, model) -> USD per token, in the order of _PRICES. Problems are counted by model, from 1."""
    found: dict[tuple[str, str], tuple[float | None, ...]] = {}
    number = 0
    for provider, settings in providers.items():
        models = mapping(settings).get("models")
        for model in models if isinstance(models, list) else ():
            number += 1
            model_id = short_text(mapping(model).get("id"))
            if model_id is None or not provider:
                sink.refuse(f"{CONFIGURATION}#models", number, "wrong_type")
                continue
            try:
                found[provider[:200], model_id] = _prices(mapping(model.get("cost")))
            except BadValue as problem:
                sink.refuse(f"{CONFIGURATION}#models", number, problem.reason)
                found[provider[:200], model_id] = (None,) * len(_PRICES)
    return found


def _prices(cost: Mapping[str, Any]) -> tuple[float | None, ...]:
    amounts = [usd(cost.get(name)) for name in _PRICES]
    return tuple(None if amount is None else _per_token(amount) for amount in amounts)


def _per_token(amount: float) -> float:
    # 0.1 / 1_000_000 is not the double nearest to 1e-7: prices of several sources must compare equal.
    return float(f"{amount / _PER_TOKENS:.12g}")
