"""Price card: what a session's models cost, as data, and `price`, which turns a usage into a cost.

Standard library only: the runner prices with the card it was sent. Where the numbers come from is `tabstop.price_book`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from itertools import pairwise
from typing import Any

from tabstop.cost import Cost, CostState
from tabstop.money import round_half_up
from tabstop.usage import Grain, Usage

KINDS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
"""The kinds of tokens, in the order of `Tokens` and `Rates`."""


class PriceSource(StrEnum):
    """Whose price it is."""

    LIST = "list"
    """The vendor's public list."""
    NEGOTIATED = "negotiated"
    """The policy sets it, wholly or on top of the list."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Nano-dollars per token, exact ($4 per million tokens is 4000). None for a kind nobody has a price for."""

    input: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write_5m: Decimal | None = None
    cache_write_1h: Decimal | None = None
    output: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Tier:
    """The rates of every token of a request whose prompt has at least `from_prompt_tokens` tokens."""

    from_prompt_tokens: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """The price of one model at one moment.

    model: the id as usage spells it. matched: the id whose price this is, as the price book spells it.
    exact: whether both name the same model (a dated or documented alias counts); a fuzzy match makes costs estimates.
    tiers: ascending, the first from 0. borrowed: kinds billed at another kind's rate because the book has none for
    them; usage of such a kind makes the cost an estimate. web_search: nano-dollars per request; None when unknown.
    context_window: the tokens of the longest prompt and its answer together; None when unknown.
    """

    model: str
    matched: str
    exact: bool
    tiers: tuple[Tier, ...]
    web_search: Decimal | None = None
    source: PriceSource = PriceSource.LIST
    borrowed: tuple[str, ...] = ()
    context_window: int | None = None

    def __post_init__(self) -> None:
        """Tiers start at 0 and ascend: there is exactly one for every prompt."""
        starts = [tier.from_prompt_tokens for tier in self.tiers]
        if not starts or starts[0] != 0 or any(a >= b for a, b in pairwise(starts)):
            raise ValueError(f"the tiers of {self.model} start at {starts}; they must start at 0 and ascend")

    def rates_for(self, prompt_tokens: int) -> Rates:
        """The rates of a request with this many prompt tokens, cache included."""
        found = self.tiers[0]
        for tier in self.tiers[1:]:
            if prompt_tokens >= tier.from_prompt_tokens:
                found = tier
        return found.rates


@dataclass(frozen=True, slots=True)
class PriceCard:
    """The prices one session needs, by model id as usage spells it, as they were at `at` (UTC)."""

    at: datetime
    prices: Mapping[str, ModelPrice] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The card as JSON values; rates are decimal strings, so that no float ever holds money."""
        return {"at": self.at.isoformat(), "prices": {name: _price_to_json(p) for name, p in self.prices.items()}}

    @classmethod
    def from_json(cls, value: object) -> PriceCard:
        """Read what `to_json` wrote. Raises `ValueError` naming the part that is not a price card."""
        try:
            body = _mapping(value)
            at = datetime.fromisoformat(str(body["at"]))
            prices = {str(name): _price_from_json(str(name), one) for name, one in _mapping(body["prices"]).items()}
        except (KeyError, TypeError, ValueError, InvalidOperation) as error:
            raise ValueError(f"not a price card: {type(error).__name__} {error}") from error
        if at.tzinfo is None:
            raise ValueError("not a price card: `at` has no time zone")
        return cls(at, prices)


def price(usage: Usage, card: PriceCard) -> Cost:
    """Price one usage with the card it was sent."""
    return cost_of(usage, card.prices.get(usage.model))


def cost_of(usage: Usage, model_price: ModelPrice | None) -> Cost:
    """Exact nano-dollars per kind, summed, rounded half up once.

    A long-context tier applies to the whole request. An aggregate is priced at the first tier, because the prompts of
    its calls are not known and their sum is the prompt of none of them. Cache writes whose lifetime is not known lie in
    `cache_write_5m` and are priced so: it is the vendor's default lifetime, and the one a client asks for unless told.
    """
    if model_price is None:
        return Cost(CostState.UNKNOWN, None, why=f"no price is known for {usage.model or 'a model without a name'}")
    aggregate = usage.grain is Grain.AGGREGATE
    rates = model_price.rates_for(0 if aggregate else usage.tokens.prompt)
    tokens = usage.tokens
    exact = Decimal(0)
    for kind in KINDS:
        count: int = getattr(tokens, kind)
        if count:
            rate: Decimal | None = getattr(rates, kind)
            if rate is None:
                return _no_rate(model_price, kind.replace("_", " ") + " tokens")
            exact += rate * count
    if usage.web_searches:
        if model_price.web_search is None:
            return _no_rate(model_price, "web searches")
        exact += model_price.web_search * usage.web_searches
    why = _why_estimated(usage, model_price)
    state = CostState.ESTIMATED if why else CostState.KNOWN
    return Cost(state, round_half_up(exact), matched=model_price.matched, why=why)


def _no_rate(model_price: ModelPrice, what: str) -> Cost:
    return Cost(CostState.UNKNOWN, None, why=f"{model_price.matched} has no price for {what}")


def _why_estimated(usage: Usage, model_price: ModelPrice) -> str:
    if not model_price.exact:
        return f"{usage.model} is not in the price book; priced as {model_price.matched}"
    if usage.grain is Grain.AGGREGATE:
        return "a total over several calls"
    tokens = usage.tokens
    if not usage.cache_split_known and tokens.cache_write_5m + tokens.cache_write_1h:
        return "the lifetime of the cache writes is not known; priced as 5 minutes"
    for kind in model_price.borrowed:
        if getattr(tokens, kind):
            return f"{model_price.matched} has no price of its own for {kind.replace('_', ' ')} tokens"
    return ""


def _price_to_json(one: ModelPrice) -> dict[str, Any]:
    return {
        "matched": one.matched,
        "exact": one.exact,
        "source": one.source.value,
        "borrowed": list(one.borrowed),
        "web_search": None if one.web_search is None else str(one.web_search),
        "context_window": one.context_window,
        "tiers": [
            {"from": tier.from_prompt_tokens, **{kind: _text(getattr(tier.rates, kind)) for kind in KINDS}}
            for tier in one.tiers
        ],
    }


def _price_from_json(model: str, value: object) -> ModelPrice:
    body = _mapping(value)
    return ModelPrice(
        model=model,
        matched=str(body["matched"]),
        exact=body["exact"] is True,
        tiers=tuple(
            Tier(int(tier["from"]), Rates(**{kind: _rate(tier.get(kind)) for kind in KINDS}))
            for tier in map(_mapping, body["tiers"])
        ),
        web_search=_rate(body.get("web_search")),
        source=PriceSource(body.get("source", PriceSource.LIST)),
        borrowed=tuple(kind for kind in KINDS if kind in body.get("borrowed", ())),
        context_window=_window(body.get("context_window")),
    )


def _text(rate: Decimal | None) -> str | None:
    return None if rate is None else str(rate)


def _rate(value: object) -> Decimal | None:
    if value is None:
        return None
    rate = Decimal(str(value))
    if not rate.is_finite() or rate < 0:
        raise ValueError(f"{value!r} is not a rate")
    return rate


def _window(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None  # also for cards of servers that tell none


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{type(value).__name__} where an object was expected")
    return value
