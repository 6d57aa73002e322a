"""Price book: list prices of models by date, from genai-prices' bundled data, under what the policy negotiated.

Nothing is fetched: only the data inside the installed package is read, and its updater is never started. The data is
1.5 MB of Python and half a second, so nothing on a runner's path imports this module. Rules of genai-prices 0.2.3 that are restated here, each
checked against its own calculation in the tests: dated prices take the last active entry; a tier applies to the whole
request once the prompt exceeds its start; a kind without a price of its own is billed at its parent's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import lru_cache

from genai_prices import types
from genai_prices.data import providers

from tabstop.model_id import Variant, read_model_id, same_model
from tabstop.policy.model import PriceOverride
from tabstop.price_card import KINDS, ModelPrice, PriceCard, PriceSource, Rates, Tier

_NANO_PER_TOKEN = Decimal(1_000)  # a dollar per million tokens
_NANO_PER_SEARCH = Decimal(1_000_000)  # a dollar per thousand requests
_PROVIDERS = {one.id: one for one in providers}


def card(models: Iterable[str], *, at: datetime, overrides: Sequence[PriceOverride] = ()) -> PriceCard:
    """The prices of these models at `at`; models without a price are left out, so that usage of them is unknown."""
    found = {model: price_of(model, at=at, overrides=overrides) for model in models}
    return PriceCard(at, {model: one for model, one in found.items() if one is not None})


def price_of(
    model: str, *, at: datetime, provider: str = "", overrides: Sequence[PriceOverride] = ()
) -> ModelPrice | None:
    """The price of `model` at `at` (timezone-aware), or None when nobody knows one.

    model: as usage spells it, in any of the forms `tabstop.model_id` reads.
    provider: who served it, as genai-prices names providers (`anthropic`, `aws`, `google`, `openrouter`); empty to
    tell from the id.
    overrides: of those whose pattern matches and that hold at `at`, the one that began last counts; among equals the
    one written first, and a repository's stand before the organization's. Patterns see the id as usage spells it, in lower case.
    """
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone; prices are dated in UTC")
    # Prices change with the day, a few with the hour; a minute is exact for both, and lets 100,000 usages share answers.
    moment = at.astimezone(UTC).replace(second=0, microsecond=0)
    listed = _listed(model, provider, moment if changes_by_the_hour(model, provider) else _midnight(moment))
    override = _override(model, moment, overrides)
    return listed if override is None else _negotiated(model, listed, override)


_CURRENT = {
    "anthropic": re.compile(r"claude-[a-z]+-(?:4-[5-9]|[5-9](?:-\d)?)"),
    "openai": re.compile(r"gpt-[5-9](?:\.\d)?(?:-(?:codex|mini|nano|codex-mini|[a-z]+))?"),
    "google": re.compile(r"gemini-(?:2\.5|[3-9](?:\.\d)?)-(?:pro|flash|flash-lite)(?:-preview)?"),
}
_NO_AGENTS = re.compile(r"-(?:pro|image|cyber|live|chat|rosalind)$")
_VENDORS = {"claude-code": ("anthropic",), "codex": ("openai",), "gemini-cli": ("google",)}


@lru_cache(maxsize=16)
def models_of(agent: str) -> tuple[str, ...]:
    """The vendor's models this agent may meet beside the one it was asked to use, as the book names them.

    Those of the last generations that a coding agent runs on by itself: for a subagent, a title, a summary. An agent of no
    one vendor may meet any of them. OpenAI's `-pro` models are left out: nothing picks them unasked, and they cost ten times
    the others, which would be assumed of every model without a price.
    """
    return tuple(
        model.id
        for vendor in _VENDORS.get(agent, tuple(_CURRENT))
        for model in _PROVIDERS[vendor].models
        if not model.deprecated
        and _CURRENT[vendor].fullmatch(model.id)
        and not (vendor == "openai" and _NO_AGENTS.search(model.id))
    )


def context_window(model: str) -> int | None:
    """Tokens of the longest prompt and its answer together; None where the book does not say."""
    found = _find(model, "")
    return found[0].context_window if found else None


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0)


@lru_cache(maxsize=4_096)
def _listed(model: str, provider: str, at: datetime) -> ModelPrice | None:
    found = _find(model, provider)
    if found is None:
        return None
    info, exact, variant = found
    standard = info.get_prices(at)
    prices = info.get_prices(at, dict(variant.context)) if variant.context else standard
    if variant.context and prices == standard:
        exact = False  # the book does not know this variant: its standard price is the nearest there is
    kinds, borrowed = _kinds(prices)
    if not kinds:
        return None  # priced by the page, the hour or not at all: no model of an agent
    return ModelPrice(
        model=model,
        matched=info.id,
        exact=exact,
        tiers=_tiers(kinds),
        web_search=_flat(prices.web_searches_kcount, _NANO_PER_SEARCH),
        borrowed=borrowed,
        context_window=info.context_window,
    )


@lru_cache(maxsize=4_096)
def changes_by_the_hour(model: str, provider: str = "") -> bool:
    """Whether this model costs more at some hours than at others."""
    found = _find(model, provider)
    if found is None or isinstance(found[0].prices, types.ModelPrice):
        return False
    return any(isinstance(entry.constraint, types.TimeOfDateConstraint) for entry in found[0].prices)


@lru_cache(maxsize=4_096)
def _find(model: str, provider: str) -> tuple[types.ModelInfo, bool, Variant] | None:
    """The entry of the book for this id, whether it is exactly that model, and the variant asked for."""
    wanted = read_model_id(model, provider, frozenset(_PROVIDERS))
    for provider_id, ref in wanted.places:
        served_by = _PROVIDERS.get(provider_id) if provider_id else _by_model(ref)
        found = served_by.find_model(ref, all_providers=providers) if served_by else None
        if found is not None:
            names = (found.id, *_names(found.match))
            elsewhere = wanted.served_by is not None and provider_id != wanted.served_by
            return found, not elsewhere and any(same_model(ref, name) for name in names), wanted.variant
    return None


def _by_model(ref: str) -> types.Provider | None:
    """The vendor whose models are called so."""
    return next((one for one in providers if one.model_match is not None and one.model_match.is_match(ref)), None)


def _names(match: types.MatchLogic) -> Iterable[str]:
    """Every id an entry spells out: an id equal to one of them is meant, anything else is only like it."""
    match match:
        case types.ClauseOr():
            for clause in match.or_:
                yield from _names(clause)
        case types.ClauseEquals():
            yield match.equals
        case types.ClauseStartsWith():
            yield match.starts_with
        case types.ClauseContains():
            yield match.contains


_Price = Decimal | types.TieredPrices


def _kinds(prices: types.ModelPrice) -> tuple[dict[str, _Price], tuple[str, ...]]:
    """A price for every kind that can be had, and the kinds whose price is borrowed from one that may differ.

    A write without a price of its own costs what the input costs: the vendor charges nothing for writing. A read at
    the input's price, or an hour's write at that of five minutes, is only the nearest price there is.
    """
    write = prices.cache_write_5m_mtok if prices.cache_write_5m_mtok is not None else prices.cache_write_mtok
    own = {
        "input": prices.input_mtok,
        "cache_read": prices.cache_read_mtok,
        "cache_write_5m": write,
        "cache_write_1h": prices.cache_write_1h_mtok,
        "output": prices.output_mtok,
    }
    kinds = {kind: one for kind, one in own.items() if one is not None}
    if "input" not in kinds:
        return {}, ()
    borrowed = []
    if "cache_read" not in kinds:
        kinds["cache_read"] = kinds["input"]
        borrowed.append("cache_read")
    kinds.setdefault("cache_write_5m", kinds["input"])
    if "cache_write_1h" not in kinds:
        kinds["cache_write_1h"] = kinds["cache_write_5m"]
        if write is not None:
            borrowed.append("cache_write_1h")
    return kinds, tuple(borrowed)


def _tiers(kinds: dict[str, _Price]) -> tuple[Tier, ...]:
    starts = {tier.start for one in kinds.values() if not isinstance(one, Decimal) for tier in one.tiers}
    return tuple(
        Tier(first, Rates(**{kind: _at(one, first) * _NANO_PER_TOKEN for kind, one in kinds.items()}))
        for first in (0, *(start + 1 for start in sorted(starts)))  # a tier begins one token past its `start`
    )


def _at(one: _Price, prompt: int) -> Decimal:
    """Dollars per million tokens of a request with this prompt."""
    if isinstance(one, Decimal):
        return one
    return next((tier.price for tier in reversed(one.tiers) if prompt > tier.start), one.base)


def _flat(one: _Price | None, factor: Decimal) -> Decimal | None:
    return one * factor if isinstance(one, Decimal) else None


def _override(model: str, at: datetime, overrides: Sequence[PriceOverride]) -> PriceOverride | None:
    today = at.date()
    best: PriceOverride | None = None
    for one in overrides:
        holds = one.from_date is None or one.from_date <= today
        if not holds or not fnmatchcase(model.lower(), one.model.lower()):
            continue
        if best is None or (one.from_date or date.min) > (best.from_date or date.min):
            best = one
    return best


def _negotiated(model: str, listed: ModelPrice | None, override: PriceOverride) -> ModelPrice | None:
    """The list price under the override: kinds it names are flat over all tiers, the others keep the list's, discounted."""
    named = {kind: amount * _NANO_PER_TOKEN for kind in KINDS if (amount := getattr(override, kind)) is not None}
    if listed is None:
        if not named:
            return None  # a discount on nothing
        return ModelPrice(
            model, override.model, exact=True, tiers=(Tier(0, Rates(**named)),), source=PriceSource.NEGOTIATED
        )
    factor = 1 - (override.discount_percent or Decimal(0)) / 100
    tiers = tuple(
        Tier(tier.from_prompt_tokens, Rates(**{kind: _discounted(tier.rates, kind, factor) for kind in KINDS} | named))
        for tier in listed.tiers
    )
    return replace(
        listed,
        exact=listed.exact or len(named) == len(KINDS),
        tiers=tiers if len(named) < len(KINDS) else tiers[:1],
        source=PriceSource.NEGOTIATED,
        borrowed=tuple(kind for kind in listed.borrowed if kind not in named),
    )


def _discounted(rates: Rates, kind: str, factor: Decimal) -> Decimal | None:
    rate: Decimal | None = getattr(rates, kind)
    return None if rate is None else rate * factor
