"""Prices beside the agent: by card, by another spelling, by the book, by the dearest, and never zero."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tabstop.beside.pricing import LookUp, Pricer, from_price_book
from tabstop.price_card import ModelPrice, PriceCard, Rates, Tier
from tabstop.usage import Tokens, Usage
from tests.governor.builders import BEGUN


def model_price(name: str, rate: int) -> ModelPrice:
    return ModelPrice(name, name, exact=True, tiers=(Tier(0, Rates(Decimal(rate), output=Decimal(rate))),))


CARD = PriceCard(BEGUN, {"claude-opus-5-5": model_price("claude-opus-5-5", 4_000), "cheap": model_price("cheap", 10)})


def used(model: str, tokens: Tokens | None = None) -> Usage:
    return Usage(("k",), model, tokens or Tokens(input=10), BEGUN)


TABLE: list[tuple[str, str, LookUp | None, tuple[int | None, bool]]] = [
    ("on the card", "claude-opus-5-5", None, (40_000, False)),
    ("with a date behind it", "claude-opus-5-5-20260801", None, (40_000, False)),
    ("only in the book", "other", lambda model, _at: model_price(model, 1), (10, False)),
    ("nowhere: the dearest of the card is assumed", "other", lambda _model, _at: None, (40_000, True)),
    ("without a name", "", lambda _model, _at: pytest.fail("nothing to look up"), (40_000, True)),
]


@pytest.mark.parametrize(("model", "look_up", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_cost(model: str, look_up: LookUp | None, expected: tuple[int | None, bool]) -> None:
    """The nano-dollars, and whether they are assumed."""
    pricer = Pricer(CARD, look_up)
    assert pricer.cost(used(model)) == expected
    assert pricer.cost(used(model)) == expected


def test_with_nothing_to_assume_the_cost_is_unknown() -> None:
    """Never zero."""
    assert Pricer(PriceCard(BEGUN)).cost(used("x")) == (None, True)
    no_reads = Pricer(CARD).cost(used("x", Tokens(cache_read=5)))
    assert no_reads == (None, True)


def test_the_installed_price_book() -> None:
    """Knows what the vendors list."""
    found = from_price_book("claude-sonnet-4-5", BEGUN)
    assert found is not None
    assert found.rates_for(0).input == Decimal(3_000)
