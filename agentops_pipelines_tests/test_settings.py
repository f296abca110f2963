"""Settings say what is wrong and what to write instead; secrets may come from files and are never shown."""

from pathlib import Path

import pytest

from agentops_pipelines.settings import SettingsError, load_settings


def load(home: Path, **variables: str):
    return load_settings({"AGENTOPS_HOME": str(home), **variables})


def test_state_dirs_may_name_their_host(home: Path) -> None:
    settings = load(home, AGENTOPS_OPENCLAW_STATE_DIRS="laptop=/one:/two")
    assert [(one.host, str(one.path)) for one in settings.openclaw_state_dirs] == [
        ("laptop", "/one"),
        ("local", "/two"),
    ]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"AGENTOPS_OPENCLAW_STATE_DIRS": "/one:/two"}, "same host .* Give each its own name"),
        ({"AGENTOPS_OPENCLAW_STATE_DIRS": "laptop=/one:/two:local=/three"}, r"same host \(local\)"),
        ({"AGENTOPS_SINCE": "banana"}, "AGENTOPS_SINCE"),
        ({"AGENTOPS_CONFIG": "/nowhere/agentops.toml"}, "AGENTOPS_CONFIG=/nowhere.*Create the file"),
        ({"AGENTOPS_LITELLM_API_KEY_FILE": "/nowhere/key"}, "AGENTOPS_LITELLM_API_KEY_FILE=/nowhere/key"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(home: Path, variables: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(home, **variables)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('timezone = "Mars"', "unknown time zone"),
        ("colour = 1", "colour"),
        ('[tiers]\nheavy = ["a", "b"]\nlight = ["a"]', "tiers: .*'a' stands there twice"),
        ('[tiers]\nheavy = ["a", "a"]', "tiers: .*'a' stands there twice"),
        ('[pools]\none = ["d"]\ntwo = ["d"]', "pools: .*'d' stands there twice; a deployment belongs to one pool"),
        ("[limits.pools.gpt]\nrpm = 0", "limits.pools.gpt.rpm: .*greater than 0"),
        ("[limits.deployments.d]\ntokens_per_day = 5", "limits.deployments.d.tokens_per_day: Extra"),
        ('[mapping.operations]\npoll = "triage"', "mapping: .*no tier 'triage' for 'poll' .*none yet"),
        ('[tiers]\nheavy = ["a"]\n[target_tiers]\npoll = "x"', "target_tiers: .*no tier 'x' for 'poll' .*heavy"),
        ('[mapping.methods]\nTDD = "a"\ntdd = "b"', "mapping: .*'tdd' stands there twice; upper and lower case"),
        ("timezone = ", "not valid TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_the_file(home: Path, toml: str, message: str) -> None:
    home.mkdir(parents=True)
    (home / "agentops.toml").write_text(toml, encoding="utf-8")
    with pytest.raises(SettingsError, match=message):
        load(home)


def test_a_secret_may_stand_in_a_file_and_is_not_shown(home: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-hush\n", encoding="utf-8")
    settings = load(home, AGENTOPS_LITELLM_API_KEY_FILE=str(tmp_path / "key"))
    assert settings.litellm_api_key is not None
    assert settings.litellm_api_key.get_secret_value() == "sk-hush"
    assert "sk-hush" not in repr(settings)


def test_savings_are_priced_by_the_mapping_unless_targets_are_named(home: Path) -> None:
    home.mkdir(parents=True)
    toml = '[tiers]\nlow = ["a"]\nhigh = ["b"]\n[mapping.operations]\npoll = "low"\n'
    (home / "agentops.toml").write_text(toml, encoding="utf-8")
    assert load(home).config.targets == {"poll": "low"}
    (home / "agentops.toml").write_text(toml + '[target_tiers]\npoll = "high"\n', encoding="utf-8")
    assert load(home).config.targets == {"poll": "high"}
