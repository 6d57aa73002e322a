"""Prices inside a program: the installed price book, prices of one's own over it, and what is assumed where neither knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from tabstop.beside.hook_records import pricer_of
from tabstop.beside.pricing import Pricer
from tabstop.beside.session_folder import Record
from tabstop.governor.settings import Degradation
from tabstop.policy.model import PriceOverride
from tabstop.price_card import ModelPrice, cost_of
from tabstop.usage import Usage


def pricer_for(record: Record | None, now: datetime, prices: Sequence[PriceOverride], models: Degradation) -> Pricer:
    """Prices by the card that a server sent with the session, else by the book at this moment, under `prices`.

    Without a server's, the card holds the models of the ladders, so that the dearest of them is assumed for a model that is
    not known or not named: never zero.
    """
    from tabstop.price_book import card, price_of  # noqa: PLC0415 - half a second that importing this package need not take

    if record is not None and record.price_card:
        return pricer_of(record, now)
    known = card((model for ladder in models.models for model in ladder), at=now, overrides=prices)

    def look_up(model: str, at: datetime) -> ModelPrice | None:
        return price_of(model, at=at, overrides=prices)

    return Pricer(known, look_up)


def assumption(pricer: Pricer, usage: Usage) -> str:
    """What is assumed of a usage without a known price, in a sentence for people."""
    priced = [
        (nano, name)
        for name, one in pricer.card.prices.items()
        if (nano := cost_of(replace(usage, model=name), one).nano) is not None
    ]
    _, model = max(priced, default=(0, ""))
    named = f"The price of {usage.model} is not known" if usage.model else "An answer names no model"
    then = f"it is priced as {model}, the dearest model known" if model else "it counts by its tokens only"
    return f"{named}, so {then}. Name a model that has a price (`model=…`), or give its price (`prices=…`)."
