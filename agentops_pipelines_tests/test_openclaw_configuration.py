"""openclaw.json: agents, aliases and prices, from both shapes and with everything that JSON5 allows.

Belongs here: how settings and defaults add up, reading again, damage, and that no secret leaves the reader.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from agentops_pipelines.settings import StateDir
from agentops_pipelines.sources.batches import Batch, Ledger
from agentops_pipelines.sources.openclaw.configuration import read_configuration
from agentops_pipelines.sources.schemas import OPENCLAW_AGENTS, OPENCLAW_MODEL_ALIASES
from agentops_pipelines_tests.openclaw_states import RULES, Memory, snapshot

SECRET = "sk-sentinel-that-nobody-may-see"

PROVIDERS = {
    "litellm": {
        "baseUrl": f"http://user:{SECRET}@127.0.0.1:4000/v1",
        "apiKey": SECRET,
        "models": [
            {"id": "triage", "cost": {"input": 0.1, "output": 0.4, "cacheRead": 0.01, "cacheWrite": 0.125}},
            {"id": "vendor/deep", "cost": {"input": 5, "output": 20}},
            {"id": "free"},
        ],
    }
}
DEFAULTS = {
    "model": {"primary": "litellm/standard", "fallbacks": ["litellm/heavy", "litellm/triage"]},
    "models": {"litellm/triage": {"alias": "fast"}, "openrouter/a/b": {}, "bare": {"alias": "x"}, "litellm/*": {}},
    "heartbeat": {"every": "30m", "model": "litellm/triage"},
    "subagents": {"model": "litellm/triage"},
}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """An empty state directory."""
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


@pytest.fixture
def memory() -> Memory:
    """A warehouse that has loaded nothing."""
    return Memory()


def configuration(agents: Any) -> dict[str, Any]:
    return {
        "gateway": {"auth": {"mode": "token", "token": SECRET}},
        "models": {"providers": PROVIDERS},
        "agents": {"defaults": DEFAULTS, **agents},
        "channels": {"telegram": {"botToken": SECRET}},
    }


def load(memory: Memory, state: Path, content: Any = None) -> list[Batch]:
    if content is not None:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        (state / "openclaw.json").write_bytes(raw)
    memory.bytes_read = 0
    ledger = Ledger(source="openclaw", entries=dict(memory.ledger))
    state_dir = StateDir(host="local", path=state)
    batches = list(read_configuration(state_dir, ledger=ledger, rules=RULES, scratch=state.parent / "scratch"))
    for batch in batches:
        memory.load(batch)
    return batches


def agents_of(memory: Memory) -> dict[str, dict[str, Any]]:
    return {row["agent_id"]: row for row in memory.rows(OPENCLAW_AGENTS)}


def models_of(memory: Memory) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["provider"], row["model"]): row for row in memory.rows(OPENCLAW_MODEL_ALIASES)}


def test_agents_are_the_same_as_a_list_and_keyed_by_their_id(state: Path) -> None:
    own = {"model": {"primary": "litellm/triage", "fallbacks": ["litellm/standard"]}}
    found = []
    for shape in ({"list": [{"id": "Main"}, {"id": "ops", **own}]}, {"entries": {"main": {}, "ops": own}}):
        memory = Memory()
        load(memory, state, configuration(shape))
        assert not memory.quarantine
        found.append(agents_of(memory))

    assert found[0] == found[1]
    assert found[0].keys() == {"main", "ops"}
    assert found[0]["main"]["model_primary"] == "litellm/standard"
    assert found[0]["main"]["model_fallbacks"] == "litellm/heavy litellm/triage"
    assert (found[0]["ops"]["model_primary"], found[0]["ops"]["model_fallbacks"]) == (
        "litellm/triage",
        "litellm/standard",
    )
    assert found[0]["ops"]["subagent_model"] == "litellm/triage"


def test_a_model_of_its_own_without_fallbacks_has_none(state: Path, memory: Memory) -> None:
    agents = [{"id": "a", "model": "litellm/heavy"}, {"id": "b", "model": {"primary": "litellm/heavy"}}]
    load(memory, state, configuration({"list": agents}))

    assert [(row["model_primary"], row["model_fallbacks"]) for row in memory.rows(OPENCLAW_AGENTS)] == [
        ("litellm/heavy", None),
        ("litellm/heavy", None),
    ]


def test_without_own_heartbeats_every_agent_has_the_default_one(state: Path, memory: Memory) -> None:
    load(memory, state, configuration({"list": [{"id": "a"}, {"id": "b"}]}))

    rows = memory.rows(OPENCLAW_AGENTS)
    assert [(row["heartbeat_every"], row["heartbeat_model"]) for row in rows] == [("30m", "litellm/triage")] * 2


def test_once_an_agent_has_its_own_heartbeat_the_others_have_none(state: Path, memory: Memory) -> None:
    agents = [{"id": "a", "heartbeat": {"every": "2m"}}, {"id": "b", "subagents": {"model": {"primary": "p/own"}}}]
    load(memory, state, configuration({"list": agents}))

    rows = agents_of(memory)
    assert (rows["a"]["heartbeat_every"], rows["a"]["heartbeat_model"]) == ("2m", "litellm/triage")
    assert (rows["b"]["heartbeat_every"], rows["b"]["heartbeat_model"]) == (None, None)
    assert (rows["a"]["subagent_model"], rows["b"]["subagent_model"]) == ("litellm/triage", "p/own")


@pytest.mark.parametrize(
    ("main_key", "expected"),
    [("Home", "agent:ops:home"), (None, "agent:ops:main"), ("", "agent:ops:main"), (["den"], "agent:ops:main")],
)
def test_the_main_session_has_the_configured_key(state: Path, memory: Memory, main_key: Any, expected: str) -> None:
    load(memory, state, configuration({"list": [{"id": "ops"}]}) | {"session": {"mainKey": main_key}})

    assert agents_of(memory)["ops"]["main_session_key"] == expected


def test_a_configuration_that_names_no_agent_has_the_main_one(state: Path, memory: Memory) -> None:
    load(memory, state, configuration({}))

    assert agents_of(memory).keys() == {"main"}


def test_prices_are_per_token_and_join_their_aliases(state: Path, memory: Memory) -> None:
    load(memory, state, configuration({}))

    rows = models_of(memory)
    assert rows.keys() == {
        ("litellm", "triage"),
        ("litellm", "vendor/deep"),
        ("litellm", "free"),
        ("openrouter", "a/b"),
    }
    prices = ("input_price", "output_price", "cache_read_price", "cache_write_price")
    assert [rows["litellm", "triage"][name] for name in prices] == [1e-7, 4e-7, 1e-8, 1.25e-7]
    assert [rows["litellm", "vendor/deep"][name] for name in prices] == [5e-6, 2e-5, None, None]
    assert [rows["litellm", "free"][name] for name in prices] == [None] * 4
    assert (rows["litellm", "triage"]["alias"], rows["litellm", "free"]["alias"]) == ("fast", None)


def test_prices_that_grow_with_the_prompt_start_at_the_flat_ones(state: Path, memory: Memory) -> None:
    """OpenClaw estimates by tier on its own pages; what a transcript says of a call is the flat price."""
    tiers = [{"input": 2, "output": 8, "cacheRead": 0.2, "cacheWrite": 2.5, "range": [0, 272_000]}]
    cost = {"input": 1, "output": 4, "tieredPricing": tiers}
    providers = {"litellm": {"models": [{"id": "deep", "cost": cost}]}}
    load(memory, state, configuration({}) | {"models": {"providers": providers}})

    deep = models_of(memory)["litellm", "deep"]
    assert (deep["input_price"], deep["output_price"], deep["cache_read_price"]) == (1e-6, 4e-6, None)
    assert not memory.quarantine


def test_prices_that_cannot_be_are_left_out(state: Path, memory: Memory) -> None:
    costs = [{"input": -1}, {"input": "1"}, {"input": True}, {"input": 1e12, "output": 1}, "free", {"input": 1}]
    models = [{"id": f"m{number}", "cost": cost} for number, cost in enumerate(costs)]
    load(memory, state, {"models": {"providers": {"p": {"models": [*models, {"name": "no id"}, "text"]}}}})

    assert [row["input_price"] for row in memory.rows(OPENCLAW_MODEL_ALIASES)] == [None] * 5 + [1e-6]
    assert memory.quarantine == {
        ("openclaw.json#models", 4): "cost_out_of_range",
        ("openclaw.json#models", 7): "wrong_type",
        ("openclaw.json#models", 8): "wrong_type",
    }


JSON5 = b"""\xef\xbb\xbf// what OpenClaw reads
{
  /* bare keys, single quotes, "// no comment" in a text */
  agents: {
    list: [{ id: 'main', model: "litellm/a//b", },],
  },
  models: { providers: { litellm: { apiKey: '// not a comment', models: [
    { id: 'a//b', cost: { input: .5, output: +2, cacheRead: 0x1, cacheWrite: Infinity } },
  ] } } },
  note: 'two \\
lines',
}
"""


def test_json5_is_read_with_all_it_allows(state: Path, memory: Memory) -> None:
    load(memory, state, JSON5)

    assert not memory.quarantine
    assert agents_of(memory)["main"]["model_primary"] == "litellm/a//b"
    row = models_of(memory)["litellm", "a//b"]
    assert (row["input_price"], row["output_price"], row["cache_read_price"]) == (5e-7, 2e-6, 1e-6)
    assert row["cache_write_price"] is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b"{agents: }", b"\x00" * 50, b"\xff\xfe\x00", b"[" * 100_000, b"{a:" * 50_000, b"null"],
)
def test_a_file_that_is_no_configuration_ends_in_the_quarantine(state: Path, memory: Memory, content: bytes) -> None:
    load(memory, state, content)

    assert not memory.tables
    assert [item for item, _ in memory.quarantine] == ["openclaw.json"]
    assert load(memory, state) == []


@pytest.mark.parametrize(
    "agents", [None, 5, {"list": 5}, {"list": [5, {"id": None}, {"id": {}}]}, {"entries": [1]}, {"defaults": [1]}]
)
def test_settings_of_the_wrong_kind_do_not_stop_the_rest(state: Path, memory: Memory, agents: Any) -> None:
    load(memory, state, {"agents": agents, "models": {"providers": PROVIDERS}})

    assert len(memory.rows(OPENCLAW_MODEL_ALIASES)) == 3
    assert set(memory.quarantine.values()) <= {"wrong_type"}


def test_an_unchanged_file_is_not_read_again_and_a_changed_one_is(state: Path, memory: Memory) -> None:
    load(memory, state, configuration({}))
    before = snapshot(state)

    assert load(memory, state) == []
    assert snapshot(state) == before

    load(memory, state, configuration({"list": [{"id": "main", "model": "litellm/heavy"}]}))
    assert agents_of(memory)["main"]["model_primary"] == "litellm/heavy"


def test_a_home_without_a_configuration_has_nothing_to_say(state: Path, memory: Memory) -> None:
    assert load(memory, state) == []


def test_no_secret_leaves_the_reader(state: Path, memory: Memory) -> None:
    agents = [{"id": "main", "heartbeat": {"every": SECRET, "prompt": SECRET}, "systemPrompt": SECRET}]
    for content in (configuration({"list": agents}), f"{{apiKey: '{SECRET}', agents: {{list: [{{".encode()):
        batches = load(memory, state, content)
        told = repr([(batch.ledger, batch.quarantine) for batch in batches])
        assert SECRET not in told + "".join(frame.write_json() for batch in batches for frame in batch.tables.values())


@pytest.mark.skipif("AGENTOPS_RECORDINGS" not in os.environ, reason="needs the full recordings")
@pytest.mark.parametrize(
    ("folder", "oracle"),
    [(f"openclaw/state/{version}", f"openclaw/oracle/{version}") for version in ("2026.4.15", "2026.6.11", "2026.9.6")]
    + [("combined/state", "combined/oracle")],
)
def test_recorded_agents_are_those_that_openclaw_lists(folder: str, oracle: str, memory: Memory) -> None:
    root = Path(os.environ["AGENTOPS_RECORDINGS"])
    state_dir = StateDir(host="h", path=root / folder)
    ledger = Ledger(source="openclaw")
    for batch in read_configuration(state_dir, ledger=ledger, rules=RULES, scratch=Path()):
        memory.load(batch)

    assert not memory.quarantine
    listed = json.loads((root / oracle / "agents_list.json").read_bytes())["agents"]
    assert {
        name: (row["model_primary"], (row["model_fallbacks"] or "").split()) for name, row in agents_of(memory).items()
    } == {agent["id"]: (agent["model"]["primary"], agent["model"]["fallbacks"]) for agent in listed}
    assert len(memory.rows(OPENCLAW_MODEL_ALIASES)) == 4
