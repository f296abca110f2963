"""Public list prices of language models: what a call would have cost at the provider's price of its day.

Belongs here: which public model a name in the data means, and that model's dated prices as rows for conf.list_prices.
Does not belong here: multiplying prices with tokens (sql/core), what was really paid (LiteLLM's spend).

The prices are the ones bundled with genai-prices: offline, nothing is ever downloaded.

Exact: per-token prices of text input, cache reads, cache writes (5 minutes and 1 hour) and output, their start dates,
and price tiers. A tier applies to the whole call once its prompt (cached tokens included) is longer than the tier's
start, as the providers bill it. Tokens of a kind without a price of their own cost what genai-prices charges for them:
1-hour writes as 5-minute writes, cache reads and writes as plain input.

Approximated: a price that depends on the time of day (DeepSeek) is the one in force for most of the day; audio, image
and video tokens are priced as text, reasoning tokens as output; fees per request, search, page or second are left out.
A model without a token price for input has no row.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

import polars as pl
from genai_prices.data_snapshot import find_provider_by_id, get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, Provider, StartDateConstraint, TieredPrices

from agentops_pipelines.settings import DatedAlias

NO_LIMIT = 10**15
"""`max_prompt_tokens` of a price without an upper end."""

_MAX_ROUTES = 8

_SCHEMA: dict[str, pl.DataType] = {
    "provider": pl.String(),
    "model": pl.String(),
    "valid_from": pl.Date(),
    "valid_to": pl.Date(),
    "min_prompt_tokens": pl.Int64(),
    "max_prompt_tokens": pl.Int64(),
    "input_price": pl.Float64(),
    "cache_read_price": pl.Float64(),
    "cache_write_price": pl.Float64(),
    "cache_write_1h_price": pl.Float64(),
    "output_price": pl.Float64(),
    "priced_as": pl.String(),
    "evidence": pl.String(),
}

_AZURE = ("openai", "anthropic", "azure", "deepseek", "x-ai", "moonshotai")
_OWNERS: dict[str, tuple[str, ...]] = {
    "azure": _AZURE,
    "azure_ai": _AZURE,
    "fireworks_ai": ("fireworks",),
    "litellm": (),
}
"""Routes whose name says something else than genai-prices' provider: Azure sells models of others at their prices."""


@dataclass(frozen=True, kw_only=True)
class PricedModel:
    """What the data calls a model. Either part may be empty."""

    provider: str
    model: str


@dataclass(frozen=True, kw_only=True)
class _Listing:
    """A model of the price list, under the provider that sets its price."""

    provider: str
    model: ModelInfo

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model.id}"


@dataclass(frozen=True)
class _Band:
    """Prices (USD per token) of calls with at least `min_prompt` and fewer than `max_prompt` prompt tokens."""

    min_prompt: int
    max_prompt: int
    input: float
    cache_read: float
    cache_write: float
    cache_write_1h: float
    output: float


@dataclass(frozen=True, kw_only=True)
class _Period:
    """One price list in force from `start` up to, not including, `end`."""

    start: date
    end: date
    bands: tuple[_Band, ...]
    priced_as: str
    evidence: str


def list_prices(
    models: Collection[PricedModel],
    *,
    first_day: date,
    last_day: date,
    aliases: Mapping[str, Sequence[DatedAlias]],
    deployments: Mapping[str, str],
) -> pl.DataFrame:
    """List prices of `models` on the days first_day to last_day, as rows of conf.list_prices.

    Grain: provider, model, valid_from, min_prompt_tokens; prices in USD per token, ranges half-open. A name is looked
    up in `aliases` (newest `since` up to the day decides, also when it names a model without a price), then by its
    provider route (`azure/...`, `openrouter/anthropic/...`) or `foundry-` prefix, then in `deployments` (model group ->
    provider/model), then as it stands. A model that none of these knows has no row: unknown is not free.
    """
    if first_day > last_day:
        raise ValueError(f"first_day {first_day} is after last_day {last_day}")
    dated = {name.lower(): sorted(entries, key=lambda entry: entry.since) for name, entries in aliases.items()}
    groups = {name.lower(): served_by for name, served_by in deployments.items()}
    rows: list[tuple[object, ...]] = []
    for priced in dict.fromkeys(models):
        changes = _changes(priced, aliases=dated, groups=groups)
        for period in _merged(_periods(changes, first_day=first_day, end=last_day + timedelta(days=1))):
            scope = (priced.provider, priced.model, period.start, period.end)
            rows.extend((*scope, *astuple(band), period.priced_as, period.evidence) for band in period.bands)
    frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    return frame.sort("provider", "model", "valid_from", "min_prompt_tokens")


def _changes(
    priced: PricedModel, *, aliases: Mapping[str, Sequence[DatedAlias]], groups: Mapping[str, str]
) -> list[tuple[date, _Listing | None, str]]:
    """From which day on a name means which listing: the undated meaning first, then each alias entry."""
    names = _names(priced)
    listing, evidence = _undated(priced, names, groups=groups)
    changes: list[tuple[date, _Listing | None, str]] = [(date.min, listing, evidence)]
    entries = next((aliases[name] for name in names if name in aliases), ())
    changes += [(entry.since, _by_name("", entry.priced_as), "alias") for entry in entries]
    return changes


def _undated(priced: PricedModel, names: Sequence[str], *, groups: Mapping[str, str]) -> tuple[_Listing | None, str]:
    """What a name means when no alias applies, and what says so.

    A bare name may be a model group called like a public model, so the deployments are asked first.
    """
    says_more = "/" in priced.model or priced.model.lower().startswith("foundry-")
    if says_more and (routed := _by_route(priced.provider, priced.model)):
        return routed, "name"
    served_by = next((groups[name] for name in names if name in groups), "")
    if deployed := _by_name("", served_by):
        return deployed, "deployment"
    return _by_name(priced.provider, priced.model), "name"


def _names(priced: PricedModel) -> list[str]:
    """The name and what is left of it without its routes, most specific first: litellm/a/b, a/b, b."""
    name = f"{priced.provider}/{priced.model}".lower()
    return [name, *(rest for _, rest in _routes("", name))]


def _routes(provider: str, model: str) -> list[tuple[str, str]]:
    """Every way to read a name as (route, model), outermost first: ('openrouter', 'a/b'), ('a', 'b').

    Clients may send any text as a model, so a name with very many slashes is not read to its end.
    """
    routes = [(provider.lower(), model.lower())] if provider else []
    rest = model.lower()
    while "/" in rest and len(routes) < _MAX_ROUTES:
        head, rest = rest.split("/", 1)
        routes.append((head, rest))
    return [(head, rest) for head, rest in routes if rest]


@lru_cache(maxsize=4096)
def _by_route(provider: str, model: str) -> _Listing | None:
    """The listing that the routes of a name, or its `foundry-` prefix, lead to; the host's own price first.

    OpenRouter passes on the prices of the provider behind it, so its own list comes last.
    """
    for route, rest in sorted(_routes(provider, model), key=lambda step: step[0] == "openrouter"):
        for owner in _owners(route):
            if found := owner.find_model(rest):
                return _Listing(provider=owner.id, model=found)
    bare = model.lower().rsplit("/", 1)[-1]
    return _by_family(bare.removeprefix("foundry-")) if bare.startswith("foundry-") else None


@lru_cache(maxsize=4096)
def _by_name(provider: str, model: str) -> _Listing | None:
    """The listing of a name by its routes, else by the bare name, whose family (gpt-, claude-) tells the owner.

    A bare name is not looked up under a known host: another's price for the same open model is another price.
    `openai` is no host here: it is how every OpenAI-compatible gateway is called.
    """
    if routed := _by_route(provider, model):
        return routed
    if any(owner.id != "openai" for route, _ in _routes(provider, model) for owner in _owners(route)):
        return None
    return _by_family(model.lower().rsplit("/", 1)[-1])


def _by_family(bare: str) -> _Listing | None:
    """The listing of a name without routes, in the list of the provider whose family of names it is from."""
    for owner in get_snapshot().providers:
        if owner.model_match is not None and owner.model_match.is_match(bare):
            found = owner.find_model(bare)
            return _Listing(provider=owner.id, model=found) if found else None
    return None


@lru_cache(maxsize=1024)
def _owners(route: str) -> tuple[Provider, ...]:
    """Whose price lists a route may stand for: empty for a gateway's own name."""
    providers = get_snapshot().providers
    if route in _OWNERS:
        return tuple(provider for name in _OWNERS[route] for provider in providers if provider.id == name)
    found = find_provider_by_id(providers, route)
    if found is None:
        return ()
    others = found.fallback_model_providers or []
    return (found, *(provider for name in others for provider in providers if provider.id == name))


def _periods(changes: Sequence[tuple[date, _Listing | None, str]], *, first_day: date, end: date) -> Iterator[_Period]:
    """Price lists in force from first_day to end, cut where the meaning of the name or the price changes."""
    for position, (since, listing, evidence) in enumerate(changes):
        until = changes[position + 1][0] if position + 1 < len(changes) else date.max
        start, stop = max(since, first_day), min(until, end)
        if listing is None or start >= stop:
            continue
        cuts = [start, *(day for day in _price_days(listing.model) if start < day < stop), stop]
        for day, next_day in pairwise(cuts):
            bands = _bands(_prices_on(listing.model, day))
            if bands:
                yield _Period(start=day, end=next_day, bands=bands, priced_as=listing.name, evidence=evidence)


def _merged(periods: Iterator[_Period]) -> list[_Period]:
    """Periods without needless cuts."""
    merged: list[_Period] = []
    for period in periods:
        last = merged[-1] if merged else None
        same = last and (last.end, last.bands, last.priced_as, last.evidence) == (
            (period.start, period.bands, period.priced_as, period.evidence)
        )
        if last and same:
            merged[-1] = _Period(
                start=last.start, end=period.end, bands=last.bands, priced_as=last.priced_as, evidence=last.evidence
            )
        else:
            merged.append(period)
    return merged


def _price_days(model: ModelInfo) -> list[date]:
    """Days on which a model's price list changes, in order."""
    if isinstance(model.prices, ModelPrice):
        return []
    constraints = [conditional.constraint for conditional in model.prices]
    return sorted({item.start_date for item in constraints if isinstance(item, StartDateConstraint)})


def _prices_on(model: ModelInfo, day: date) -> ModelPrice:
    """The price list in force for most of a UTC day: calls are priced by day, some lists change within it."""
    if isinstance(model.prices, ModelPrice):
        return model.prices
    half_hours = [time(hour, minute) for hour in range(24) for minute in (0, 30)]
    in_force = [model.get_prices(datetime.combine(day, moment)) for moment in half_hours]
    return max(in_force, key=lambda prices: sum(prices is other for other in in_force))


def _bands(prices: ModelPrice) -> tuple[_Band, ...]:
    """A price list as one row per prompt length; none without a price for input."""
    if prices.input_mtok is None:
        return ()
    cache_write = prices.input_mtok if prices.cache_write_mtok is None else prices.cache_write_mtok
    kinds = (
        prices.input_mtok,
        prices.input_mtok if prices.cache_read_mtok is None else prices.cache_read_mtok,
        cache_write,
        cache_write if prices.cache_write_1h_mtok is None else prices.cache_write_1h_mtok,
        prices.output_mtok,
    )
    tiers = [tier for price in kinds if isinstance(price, TieredPrices) for tier in price.tiers]
    starts = sorted({0, *(tier.start + 1 for tier in tiers)})
    return tuple(
        _Band(start, stop, *(_per_token(price, start) for price in kinds))
        for start, stop in zip(starts, [*starts[1:], NO_LIMIT], strict=True)
    )


def _per_token(price: Decimal | TieredPrices | None, prompt_tokens: int) -> float:
    """USD per token in a call with `prompt_tokens`; output of a model that lists none (embeddings) costs nothing."""
    if isinstance(price, TieredPrices):
        reached = [tier.price for tier in price.tiers if prompt_tokens > tier.start]
        price = reached[-1] if reached else price.base
    return float((price or Decimal(0)) / 1_000_000)
