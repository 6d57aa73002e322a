"""The model ladder: a model is changed only when that really costs less, cold cache counted, and the context fits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.governor.model_ladder import AT_MOST, Ahead, Stay, Switch, cheaper_model
from tabstop.governor.settings import Degradation
from tabstop.price_book import card as card_of
from tabstop.price_card import ModelPrice, PriceCard, Rates, Tier, price
from tabstop.usage import Tokens, Usage

AT = datetime(2026, 11, 21, tzinfo=UTC)


def a_price(model: str, per_token: int, window: int | None = 1_000_000) -> ModelPrice:
    """Reads cost a tenth of the input, writes a quarter more, output five times as much; nano-dollars."""
    rate = Decimal(per_token)
    rates = Rates(rate, rate / 10, rate * 5 / 4, rate * 2, rate * 5)
    return ModelPrice(model, model, exact=True, tiers=(Tier(0, rates),), context_window=window)


LADDERS = (("big", "middle", "small"), ("other", "one"))
CARD = PriceCard(
    AT, {one.model: one for one in (a_price("big", 5_000), a_price("middle", 3_000), a_price("small", 100))}
)
LONG = Ahead(context=100_000, cached=100_000, answers=20, output=1_000)


def with_price(one: ModelPrice) -> PriceCard:
    return PriceCard(AT, {**CARD.prices, one.model: one})


@pytest.mark.parametrize(
    ("current", "ahead", "expected"),
    [
        ("big", LONG, "middle"),
        ("big", replace(LONG, answers=1), "small"),
        ("big", replace(LONG, cached=0, answers=1), "middle"),
        ("middle", LONG, "small"),
    ],
    ids=["many answers pay for a cold cache", "one pays only on the cheapest", "nothing is lost", "down the ladder"],
)
def test_the_first_model_below_that_pays(current: str, ahead: Ahead, expected: str) -> None:
    """The mildest change that costs less, not the cheapest model there is."""
    switch = cheaper_model(current, LADDERS, CARD, ahead)
    assert isinstance(switch, Switch)
    assert switch.model == expected


def test_the_sum_is_exact() -> None:
    """Two answers: the context is read here and written there, then each reads what came before and writes one answer."""
    switch = cheaper_model("big", (("big", "small"),), CARD, Ahead(10_000, 8_000, 2, 100))
    here = 8_000 * 500 + 2_000 * 6_250 + 100 * 25_000 + 10_000 * 500 + 100 * 6_250 + 100 * 25_000
    there = 10_000 * 125 + 100 * 500 + 10_000 * 10 + 100 * 125 + 100 * 500
    assert switch == Switch("small", there, here)
    assert switch.sentence == "small answers from here on: what is ahead costs about $0.0015, $0.03 less."


MIDDLE_ONLY = (("big", "middle"),)


@pytest.mark.parametrize(
    ("current", "ladders", "card", "ahead", "sentence"),
    [
        ("small", LADDERS, CARD, LONG, "small has no cheaper model below it on any ladder of the policy."),
        ("", LADDERS, CARD, LONG, "The model has no cheaper model below it on any ladder of the policy."),
        ("other", LADDERS, CARD, LONG, "The price of other is not known, so nothing can be said to cost less."),
        ("big", (("big", "unheard of"),), CARD, LONG, "The price of unheard of is not known."),
        (
            "big",
            MIDDLE_ONLY,
            with_price(a_price("middle", 1, None)),
            LONG,
            "The context window of middle is not known.",
        ),
        (
            "big",
            MIDDLE_ONLY,
            with_price(a_price("middle", 1, 119_999)),
            LONG,
            "middle holds 119,999 tokens, and up to 120,000 are needed.",
        ),
        (
            "big",
            MIDDLE_ONLY,
            CARD,
            replace(LONG, answers=1),
            "middle has nothing cached: 1 answer ahead would cost $0.39 there and $0.08 here.",
        ),
        (
            "big",
            MIDDLE_ONLY,
            CARD,
            replace(LONG, answers=0),
            "middle has nothing cached: 0 answers ahead would cost $0.00 there and $0.00 here.",
        ),
    ],
)
def test_no_change_says_why(
    current: str, ladders: tuple[tuple[str, ...], ...], card: PriceCard, ahead: Ahead, sentence: str
) -> None:
    """Unknown price, unknown or too small a window, no saving: the model stays, and it is said why."""
    assert cheaper_model(current, ladders, card, ahead) == Stay(sentence)


def test_a_model_that_is_ruled_out_does_not_rule_out_the_next() -> None:
    """An unknown middle leaves the small one."""
    card = with_price(a_price("middle", 3_000, None))
    switch = cheaper_model("big", LADDERS, card, LONG)
    assert isinstance(switch, Switch)
    assert switch.model == "small"


def test_a_missing_rate_is_an_unknown_price() -> None:
    """A price without output is no price to compare with."""
    half = replace(a_price("middle", 1), tiers=(Tier(0, Rates(Decimal(1), Decimal(1), Decimal(1), Decimal(1))),))
    assert cheaper_model("big", MIDDLE_ONLY, with_price(half), LONG) == Stay("The price of middle is not known.")


def test_a_dearer_tier_is_seen() -> None:
    """A model that is cheap for short prompts only is compared at the price of the long one."""
    steep = a_price("middle", 100)
    steep = replace(steep, tiers=(steep.tiers[0], Tier(100_001, a_price("middle", 9_000).tiers[0].rates)))
    assert isinstance(
        cheaper_model("big", MIDDLE_ONLY, with_price(steep), replace(LONG, context=90_000, answers=5)), Switch
    )
    assert isinstance(cheaper_model("big", MIDDLE_ONLY, with_price(steep), LONG), Stay)


def test_not_more_than_so_many_answers_are_counted() -> None:
    """A loop that might run for ever is not a reason to switch, and not a second of arithmetic."""
    many, most = (cheaper_model("big", LADDERS, CARD, replace(LONG, answers=some)) for some in (10**6, AT_MOST))
    assert isinstance(many, Switch)
    assert many == most


@given(st.integers(0, 200_000), st.integers(0, 250_000), st.integers(0, 40), st.integers(0, 3_000))
def test_a_switch_always_costs_less(context: int, cached: int, answers: int, output: int) -> None:
    """Priced answer by answer as they would be charged, staying is dearer than any switch that is proposed."""
    switch = cheaper_model("big", LADDERS, CARD, Ahead(context, cached, answers, output))
    if isinstance(switch, Stay):
        return

    def bill(model: str, read: int) -> int:
        total = 0
        for turn in range(answers):
            prompt = context + turn * output
            tokens = Tokens(cache_read=read, cache_write_5m=prompt - read, output=output)
            total += price(Usage((), model, tokens, AT), CARD).nano or 0
            read = prompt
        return total

    assert bill(switch.model, 0) == switch.cost < switch.cost_of_staying == bill("big", min(cached, context))


def test_the_default_ladders_name_real_models() -> None:
    """Every one has an exact price; every one that can be switched to has a known window, but for one; cheaper downward."""
    ladders = Degradation().models
    card = card_of([model for ladder in ladders for model in ladder], at=AT)
    for ladder in ladders:
        prices = [card.prices[model] for model in ladder]
        assert all(one.exact for one in prices)
        assert {one.model for one in prices[1:] if one.context_window is None} <= {"gemini-2.5-pro"}
        for dearer, cheaper in pairwise(one.rates_for(50_000) for one in prices):
            assert dearer.input is not None
            assert cheaper.input is not None
            assert dearer.input > cheaper.input


def test_the_captured_clients_models_can_switch() -> None:
    """What the clients ask for by default, dated and marked as they spell it, with a fresh and with a long context."""
    ladders = Degradation().models
    card = card_of([*(one for ladder in ladders for one in ladder), "claude-opus-5-5[1m]"], at=AT)
    fresh = Ahead(context=20_000, cached=0, answers=10, output=1_000)
    answers = [
        cheaper_model(model, ladders, card, fresh)
        for model in ("claude-opus-5-5[1m]", "gpt-5.5", "gemini-3.1-pro-preview")
    ]
    found = [one.model for one in answers if isinstance(one, Switch)]
    assert found == ["claude-sonnet-5-5", "gpt-6.1-sol", "gemini-3.8-flash"]
    long = Ahead(context=300_000, cached=300_000, answers=2, output=1_000)
    assert isinstance(cheaper_model("claude-opus-5-5", ladders, card, long), Stay)
    switch = cheaper_model("claude-opus-5-5", ladders, card, replace(long, answers=3))
    assert isinstance(switch, Switch)
    assert switch.model == "claude-haiku-5-5"
