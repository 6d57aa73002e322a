"""Prices at the server: each usage at its own date, cards for runners; one cache for the process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from tabstop.cost import Cost
from tabstop.plausible import Most, most_of
from tabstop.policy.model import PriceOverride
from tabstop.price_book import card, context_window, models_of, price_of
from tabstop.price_card import PriceCard, price
from tabstop.usage import Usage
from tabstop.wire_json import to_json

__all__ = ["models_of", "most_in_a_call", "price_card", "price_usage"]


def price_usage(usage: Usage, overrides: Sequence[PriceOverride]) -> Cost:
    """What a usage costs by the list of its own date, under what the policy negotiated."""
    found = price_of(usage.model, at=usage.occurred_at, overrides=overrides)
    return price(usage, PriceCard(usage.occurred_at, {} if found is None else {usage.model: found}))


def most_in_a_call(model: str) -> Most:
    """The tokens that one response of this model can have, by the window that the price book knows of it."""
    return most_of(context_window(model))


def price_card(models: Sequence[str], at: datetime, overrides: Sequence[PriceOverride]) -> dict[str, Any]:
    """The prices one session needs, as JSON, to the minute: starts of one minute share a card. Not to be changed by who gets it."""
    return _card(tuple(models), at.replace(second=0, microsecond=0), tuple(overrides))


@lru_cache(maxsize=256)
def _card(models: tuple[str, ...], at: datetime, overrides: tuple[PriceOverride, ...]) -> dict[str, Any]:
    body: dict[str, Any] = to_json(card(models, at=at, overrides=overrides).to_json())
    return body
