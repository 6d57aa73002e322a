"""Pricing beside the agent: what an answer costs by the session's price card, and what to assume where no price is known.

Used to enforce, never to bill: the server prices what counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from tabstop.governor.settings import Degradation
from tabstop.model_id import bare
from tabstop.money import Nano
from tabstop.policy.model import PriceOverride
from tabstop.price_card import ModelPrice, PriceCard, cost_of
from tabstop.usage import Usage

LookUp = Callable[[str, datetime], ModelPrice | None]
"""Finds a model that is not on the card, where a price book is installed."""


class Pricer:
    """Prices by card. A model the card spells otherwise (a date behind it, a region before it) is found all the same."""

    def __init__(self, card: PriceCard, look_up: LookUp | None = None) -> None:
        """look_up: asked for models the card does not have; its answers are kept."""
        self.card = card
        self._look_up = look_up
        self._by_name: dict[str, ModelPrice | None] = dict(card.prices)
        self._by_bare = {bare(name): price for name, price in card.prices.items()}

    def price_of(self, model: str) -> ModelPrice | None:
        """The price of this model, or None."""
        if model not in self._by_name:
            found = self._by_bare.get(bare(model))
            if found is None and self._look_up is not None and model:
                found = self._look_up(model, self.card.at)
            self._by_name[model] = found
        return self._by_name[model]

    def cost(self, usage: Usage) -> tuple[Nano | None, bool]:
        """Nano-dollars, and whether they are assumed.

        Without a price the dearest of the card is assumed: a limit that binds too early can be raised, a bill cannot be
        undone. With an empty card there is nothing to assume, and the cost is None: never zero.
        """
        known = cost_of(usage, self.price_of(usage.model)).nano
        if known is not None:
            return known, False
        costs = [cost_of(replace(usage, model=name), one).nano for name, one in self.card.prices.items()]
        return max((one for one in costs if one is not None), default=None), True


def assumption(card: PriceCard | None, usage: Usage) -> str:
    """What is done with a usage without a known price, in sentences for people. card: None where nothing is assumed."""
    priced = [
        (nano, name)
        for name, one in (card.prices if card else {}).items()
        if (nano := cost_of(replace(usage, model=name), one).nano) is not None
    ]
    _, model = max(priced, default=(0, ""))
    named = f"The price of {usage.model} is not known" if usage.model else "An answer names no model"
    then = f"it is priced as {model}, the dearest model known" if model else "it counts by its tokens only"
    return f"{named}, so {then}. `prices` gives a model a price."


def local_pricer(at: datetime, overrides: Sequence[PriceOverride], models: Degradation) -> Pricer:
    """Prices by the installed price book at this moment, under `overrides`; half a second the first time. Raises `ImportError`.

    Its card holds the models of the ladders, so that the dearest of them is assumed for a model that is not known or not
    named: never zero.
    """
    from tabstop.price_book import card, price_of  # noqa: PLC0415 - as below

    known = card((model for ladder in models.models for model in ladder), at=at, overrides=overrides)

    def look_up(model: str, when: datetime) -> ModelPrice | None:
        return price_of(model, at=when, overrides=overrides)

    return Pricer(known, look_up)


def from_price_book(model: str, at: datetime) -> ModelPrice | None:
    """Look a model up in the installed price book (`Pricer`'s `look_up`); half a second the first time."""
    from tabstop.price_book import price_of  # noqa: PLC0415 (1.5 MB, and hooks and gates never need it)

    return price_of(model, at=at)
