"""List prices against genai-prices itself: same names, same dates, same totals to the last digit."""

import random
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

import polars as pl
import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ConditionalPrice, ModelInfo, TieredPrices, TimeOfDateConstraint

from agentops_pipelines.pricing import NO_LIMIT, PricedModel, list_prices
from agentops_pipelines.settings import Config, DatedAlias

FIRST, LAST = date(2025, 1, 1), date(2026, 11, 30)
PRICES = ("input_price", "cache_read_price", "cache_write_price", "cache_write_1h_price", "output_price")


def model(name: str) -> PricedModel:
    """'litellm/triage' as provider and model; without a slash the provider is empty."""
    provider, slash, rest = name.partition("/")
    return PricedModel(provider=provider, model=rest) if slash else PricedModel(provider="", model=name)


def prices(
    *models: PricedModel,
    first_day: date = FIRST,
    last_day: date = LAST,
    aliases: Mapping[str, Sequence[DatedAlias]] | None = None,
    deployments: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    return list_prices(
        models, first_day=first_day, last_day=last_day, aliases=aliases or {}, deployments=deployments or {}
    )


def meaning(
    name: str,
    *,
    aliases: Mapping[str, Sequence[DatedAlias]] | None = None,
    deployments: Mapping[str, str] | None = None,
) -> str | None:
    """What a name is priced as, None when it has no price."""
    found = prices(model(name), aliases=aliases, deployments=deployments)["priced_as"].unique()
    return found.item() if len(found) else None


def total(
    frame: pl.DataFrame,
    *,
    day: date,
    uncached: int = 0,
    read: int = 0,
    write: int = 0,
    write_1h: int = 0,
    output: int = 0,
) -> Decimal:
    """What the SQL makes of a call: prices DECIMAL(18,14), each product rounded to DECIMAL(18,12), summed."""
    prompt = uncached + read + write + write_1h
    rows = [
        row
        for row in frame.iter_rows(named=True)
        if row["valid_from"] <= day < row["valid_to"] and row["min_prompt_tokens"] <= prompt < row["max_prompt_tokens"]
    ]
    assert len(rows) == 1
    tokens = (uncached, read, write, write_1h, output)
    return sum((_product(rows[0][price], count) for price, count in zip(PRICES, tokens, strict=True)), Decimal(0))


def _product(price: float, tokens: int) -> Decimal:
    stored = Decimal(price).quantize(Decimal("1e-14"), ROUND_HALF_UP)
    return (stored * tokens).quantize(Decimal("1e-12"), ROUND_HALF_UP)


def reference(
    name: str,
    provider: str,
    *,
    day: date,
    uncached: int = 0,
    read: int = 0,
    write: int = 0,
    write_1h: int = 0,
    output: int = 0,
) -> Decimal:
    """genai-prices' own total: its input counts the cached tokens, its cache writes the 1-hour ones."""
    usage = Usage(
        input_tokens=uncached + read + write + write_1h,
        cache_read_tokens=read,
        cache_write_tokens=write + write_1h,
        cache_write_1h_tokens=write_1h,
        output_tokens=output,
    )
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return calc_price(usage, name, provider_id=provider, genai_request_timestamp=noon).total_price


def _conditions(item: ModelInfo) -> list[ConditionalPrice]:
    return item.prices if isinstance(item.prices, list) else [ConditionalPrice(None, prices=item.prices)]


def _text_models() -> dict[tuple[str, str], ModelInfo]:
    """Models that the rows can represent exactly: priced per text token, the same all day."""
    ours = {"input_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok", "output_mtok"}
    per_token = {
        (provider.id, item.id): item
        for provider in get_snapshot().providers
        for item in provider.models
        if provider.id not in ("openrouter", "azure")
        and all(
            condition.prices.input_mtok is not None
            and {key for key, value in condition.prices.__dict__.items() if value is not None} <= ours
            and not isinstance(condition.constraint, TimeOfDateConstraint)
            for condition in _conditions(item)
        )
    }
    return {key: item for key, item in per_token.items() if _found_by_its_id(*key)}


def _found_by_its_id(provider: str, name: str) -> bool:
    """Some ids of the list are patterns that do not match themselves."""
    try:
        return get_snapshot().find_provider_model(name, None, provider, None)[1].id == name
    except LookupError:
        return False


def _has_tiers(item: ModelInfo) -> bool:
    return any(isinstance(value, TieredPrices) for c in _conditions(item) for value in c.prices.__dict__.values())


def _sample() -> list[tuple[str, str]]:
    """Sixty models, a third each of dated, tiered and plain ones, and always the same."""
    models = _text_models()
    dice = random.Random(7)
    dated = [key for key, item in models.items() if isinstance(item.prices, list)]
    tiered = [key for key, item in models.items() if _has_tiers(item) and key not in dated]
    plain = [key for key in models if key not in dated and key not in tiered]
    return [key for group in (dated, tiered, plain) for key in dice.sample(group, 20)]


USAGES = (
    {"uncached": 1_000_000, "output": 1_000_000},
    {"uncached": 137, "output": 41},
    {"uncached": 10_000, "read": 80_000, "write": 10_000, "output": 2_000},
    {"uncached": 10_000, "read": 80_000, "write": 3_000, "write_1h": 7_000, "output": 2_000},
    {"read": 99_999_937, "output": 3},
    {"write_1h": 1, "output": 0},
    {"uncached": 200_000},
    {"uncached": 200_001},
    {"uncached": 1, "read": 199_998, "output": 5},
    {"uncached": 199_999, "read": 1, "write": 1, "output": 5},
    {"uncached": 72_000, "read": 200_000, "output": 9},
    {"uncached": 72_001, "read": 200_000, "output": 9},
    {"uncached": 100_001, "write": 155_999, "output": 9},
    {"uncached": 0, "output": 777},
)
DAYS = (date(2025, 5, 1), date(2025, 7, 1), date(2025, 12, 31), date(2026, 6, 15), date(2026, 11, 23))


@pytest.mark.parametrize(("provider", "name"), _sample())
def test_totals_equal_genai_prices_for_every_usage_and_day(provider: str, name: str) -> None:
    frame = prices(PricedModel(provider=provider, model=name))
    for day in DAYS:
        for usage in USAGES:
            assert total(frame, day=day, **usage) == reference(name, provider, day=day, **usage), (day, usage)


def test_every_price_of_the_list_survives_the_stored_type() -> None:
    """DECIMAL(18,14) holds each price per token: no digit of it is rounded away on the way into the warehouse."""
    models = [PricedModel(provider=provider, model=name) for provider, name in _text_models()]
    frame = prices(*models)
    for column in PRICES:
        for price in frame[column].unique():
            assert 0 <= price < 10_000
            stored = Decimal(price).quantize(Decimal("1e-14"), ROUND_HALF_UP)
            assert float(stored) == pytest.approx(price, rel=1e-14, abs=0)


def test_o3_became_cheaper_in_june_2025() -> None:
    frame = prices(model("openai/o3"))
    million = {"uncached": 1_000_000, "output": 1_000_000}
    assert total(frame, day=date(2025, 5, 1), **million) == Decimal(50)
    assert total(frame, day=date(2025, 6, 9), **million) == Decimal(50)
    assert total(frame, day=date(2025, 6, 10), **million) == Decimal(10)
    assert total(frame, day=date(2025, 7, 1), **million) == Decimal(10)


def test_opus_sample_with_cache_and_one_hour_writes() -> None:
    frame = prices(model("anthropic/claude-opus-4-7"))
    day = date(2026, 11, 23)
    assert total(frame, day=day, uncached=10_000, read=80_000, write=10_000, output=2_000) == Decimal("0.2025")
    assert total(frame, day=day, uncached=10_000, read=80_000, write_1h=10_000, output=2_000) == Decimal("0.24")


@pytest.mark.parametrize(
    ("name", "priced_as"),
    [
        ("foundry-gpt-5.5", "openai/gpt-5.5"),
        ("litellm/foundry-gpt-5.5", "openai/gpt-5.5"),
        ("litellm/litellm/foundry-claude-opus-4-8", "anthropic/claude-opus-4-8"),
        ("azure/azure/gpt-5.4-mini", "openai/gpt-5.4-mini"),
        ("azure/gpt-5.4", "openai/gpt-5.4"),
        ("azure_ai/azure_ai/claude-haiku-4-5", "anthropic/claude-haiku-4-5"),
        ("openai/openai/gpt-5.4-mini", "openai/gpt-5.4-mini"),
        ("openrouter/anthropic/claude-opus-4-7", "anthropic/claude-opus-4-7"),
        ("openrouter/openrouter/anthropic/claude-opus-4-7", "anthropic/claude-opus-4-7"),
        ("OpenAI/GPT-5.4", "openai/gpt-5.4"),
        ("my-gateway/claude-sonnet-4-6", "anthropic/claude-sonnet-4-6"),
        ("openai/claude-sonnet-4-6", "anthropic/claude-sonnet-4-6"),
        ("openai/text-embedding-3-small", "openai/text-embedding-3-small"),
        ("groq/openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"),
        ("claude-haiku-4-5", "anthropic/claude-haiku-4-5"),
        ("vertex_ai/gemini-2.5-pro", "google/gemini-2.5-pro"),
    ],
)
def test_known_names_and_their_routes(name: str, priced_as: str) -> None:
    assert meaning(name) == priced_as


@pytest.mark.parametrize(
    "name",
    [
        "triage",
        "litellm/triage",
        "unknown-model",
        "unknown/unknown",
        "",
        "/",
        "litellm/",
        "azure/",
        "litellm/paid-gpt-5.4-mini",
        "paid-claude-sonnet-4-6",
        "my-claude-opus-4-7-proxy",
        "foundry-",
        "foundry-triage",
        "gpt-fast",
        "together_ai/someone/claude-opus-4-7",
        "/v1/models",
        "☃",
        "a" * 5000,
        "a/" * 100_000,
        "foundry-" * 2_000 + "gpt-5.5",
    ],
    ids=lambda name: name[:30],
)
def test_a_name_that_nobody_knows_has_no_row(name: str) -> None:
    assert prices(model(name)).is_empty()


def test_a_model_without_a_token_price_has_no_row() -> None:
    assert prices(model("openai/whisper-1")).is_empty()


def test_a_model_group_is_priced_as_the_deployment_that_serves_it() -> None:
    frame = prices(model("litellm/triage"), model("triage"), deployments={"triage": "azure/gpt-5.4-mini"})
    assert frame["priced_as"].to_list() == ["openai/gpt-5.4-mini"] * 2
    assert frame["evidence"].unique().to_list() == ["deployment"]


def test_a_route_in_the_name_beats_a_group_of_the_same_name() -> None:
    served = {"gpt-5.4": "anthropic/claude-opus-4-7"}
    assert meaning("azure/azure/gpt-5.4", deployments=served) == "openai/gpt-5.4"
    assert meaning("litellm/gpt-5.4", deployments=served) == "anthropic/claude-opus-4-7"


def test_a_group_served_by_something_unknown_falls_back_to_its_name() -> None:
    frame = prices(model("litellm/gpt-5.4"), deployments={"gpt-5.4": "azure/my-deployment"})
    assert frame["priced_as"].unique().to_list() == ["openai/gpt-5.4"]
    assert frame["evidence"].unique().to_list() == ["name"]


def test_an_alias_beats_everything() -> None:
    frame = prices(
        model("litellm/foundry-gpt-5.5"),
        aliases={"foundry-gpt-5.5": [DatedAlias(priced_as="anthropic/claude-haiku-4-5")]},
        deployments={"foundry-gpt-5.5": "azure/gpt-5.5"},
    )
    assert frame["priced_as"].unique().to_list() == ["anthropic/claude-haiku-4-5"]
    assert frame["evidence"].unique().to_list() == ["alias"]


def test_aliases_are_found_without_routes_and_in_any_case() -> None:
    aliases = Config.model_validate({"price_aliases": {"Paid-GPT-5.4-mini": "openai/gpt-5.4-mini"}}).price_aliases
    for name in ("paid-gpt-5.4-mini", "litellm/paid-gpt-5.4-mini", "azure/azure/paid-gpt-5.4-mini"):
        assert meaning(name, aliases=aliases) == "openai/gpt-5.4-mini"


def test_the_most_specific_alias_wins() -> None:
    aliases = {
        "fast": [DatedAlias(priced_as="openai/gpt-5.4-mini")],
        "azure/fast": [DatedAlias(priced_as="openai/gpt-5.5")],
    }
    assert meaning("azure/fast", aliases=aliases) == "openai/gpt-5.5"
    assert meaning("litellm/fast", aliases=aliases) == "openai/gpt-5.4-mini"


def test_an_alias_to_an_unknown_model_prices_nothing() -> None:
    """The operator has said what it is: pricing it as something else would be a guess."""
    assert meaning("litellm/gpt-5.4", aliases={"gpt-5.4": [DatedAlias(priced_as="openai/gpt-99-typo")]}) is None


def test_dated_aliases_give_several_ranges() -> None:
    entries = [
        DatedAlias(priced_as="anthropic/claude-haiku-4-5", since=date(2026, 11, 16)),
        DatedAlias(priced_as="openai/gpt-5.4-mini", since=date(2026, 10, 1)),
    ]
    frame = prices(model("litellm/triage"), first_day=date(2026, 9, 1), aliases={"triage": entries})
    assert frame.select("valid_from", "valid_to", "priced_as").rows() == [
        (date(2026, 10, 1), date(2026, 11, 16), "openai/gpt-5.4-mini"),
        (date(2026, 11, 16), LAST + timedelta(days=1), "anthropic/claude-haiku-4-5"),
    ]


def test_before_its_first_alias_a_name_means_what_it_meant() -> None:
    entries = [DatedAlias(priced_as="anthropic/claude-haiku-4-5", since=date(2026, 11, 16))]
    served = {"triage": "azure/gpt-5.4-mini"}
    frame = prices(model("litellm/triage"), aliases={"triage": entries}, deployments=served)
    assert frame.select("valid_from", "priced_as", "evidence").rows() == [
        (FIRST, "openai/gpt-5.4-mini", "deployment"),
        (date(2026, 11, 16), "anthropic/claude-haiku-4-5", "alias"),
    ]


def test_a_new_dated_alias_does_not_change_earlier_weeks() -> None:
    old = [DatedAlias(priced_as="openai/o3")]
    new = [*old, DatedAlias(priced_as="google/gemini-2.5-pro", since=date(2026, 11, 16))]
    before = prices(model("litellm/heavy"), aliases={"heavy": old})
    after = prices(model("litellm/heavy"), aliases={"heavy": new})
    usage = {"uncached": 150_000, "read": 60_000, "output": 1_000}
    for offset in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=offset)
        same = total(before, day=day, **usage) == total(after, day=day, **usage)
        assert same is (day < date(2026, 11, 16))


def _ranges(frame: pl.DataFrame) -> dict[tuple[str, str], list[tuple[date, date, int, int]]]:
    found: dict[tuple[str, str], list[tuple[date, date, int, int]]] = {}
    for row in frame.to_dicts():
        key = (row["provider"], row["model"])
        found.setdefault(key, []).append(
            (row["valid_from"], row["valid_to"], row["min_prompt_tokens"], row["max_prompt_tokens"])
        )
    return found


def test_ranges_cover_the_days_without_overlap_and_are_not_cut_needlessly() -> None:
    sample = _sample()
    frame = prices(*(PricedModel(provider=provider, model=name) for provider, name in sample))
    found = _ranges(frame)
    assert len(found) == len(sample)
    for ranges in found.values():
        periods = sorted({(start, end) for start, end, _, _ in ranges})
        assert periods[0][0] == FIRST
        assert periods[-1][1] == LAST + timedelta(days=1)
        assert all(one[1] == next_one[0] for one, next_one in pairwise(periods))
        for period in periods:
            bands = sorted((low, high) for start, end, low, high in ranges if (start, end) == period)
            assert (bands[0][0], bands[-1][1]) == (0, NO_LIMIT)
            assert all(one[1] == next_one[0] for one, next_one in pairwise(bands))
    assert len(frame) < 3 * len(sample)


def test_one_day_is_a_range() -> None:
    frame = prices(model("openai/o3"), first_day=date(2025, 6, 10), last_day=date(2025, 6, 10))
    assert frame.select("valid_from", "valid_to").rows() == [(date(2025, 6, 10), date(2025, 6, 11))]


def test_a_price_by_time_of_day_is_the_one_of_most_of_the_day() -> None:
    """DeepSeek's old list: 16 hours at 0.27, 8 hours at 0.135 USD per million input tokens."""
    frame = prices(model("deepseek/deepseek-chat"))
    assert frame["input_price"].to_list() == [0.27 / 1_000_000]


def test_a_name_given_twice_is_priced_once() -> None:
    assert len(prices(model("openai/gpt-5.4-mini"), model("openai/gpt-5.4-mini"))) == 1


def test_no_models_give_an_empty_frame_with_all_columns() -> None:
    assert prices().columns == prices(model("openai/o3")).columns


def test_days_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValueError, match="2026-11-30 is after last_day 2025-01-01"):
        prices(model("openai/o3"), first_day=LAST, last_day=FIRST)


def test_the_network_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("prices must come from the installed package")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert meaning("openai/gpt-5.5") == "openai/gpt-5.5"
    assert not get_snapshot().from_auto_update


def test_rows_follow_price_changes_not_days() -> None:
    names = random.Random(3).sample(sorted(_text_models()), 100)
    frame = prices(*(PricedModel(provider=provider, model=name) for provider, name in names))
    assert 100 <= len(frame) < 200
