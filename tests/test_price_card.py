"""Pricing a usage with a card: exact, rounded once, and never zero for what is not known."""

import json
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.cost import Cost, CostState
from tabstop.price_card import ModelPrice, PriceCard, PriceSource, Rates, Tier, price
from tabstop.usage import Grain, Tokens, Usage

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
OPUS = Rates(Decimal(4000), Decimal(200), Decimal(5000), Decimal(8000), Decimal(20000))
LONG = Rates(Decimal(8000), Decimal(400), Decimal(10000), Decimal(16000), Decimal(30000))


def a_price(**changes: object) -> ModelPrice:
    facts: dict[str, object] = {"model": "opus", "matched": "opus-5", "exact": True, "tiers": (Tier(0, OPUS),)}
    return ModelPrice(**(facts | changes))  # type: ignore[arg-type]


def a_usage(tokens: Tokens | None = None, **changes: object) -> Usage:
    facts: dict[str, object] = {"keys": ("anthropic:req:1",), "model": "opus", "occurred_at": AT}
    return Usage(tokens=tokens or Tokens(input=10), **(facts | changes))  # type: ignore[arg-type]


def a_card(*prices: ModelPrice) -> PriceCard:
    return PriceCard(AT, {one.model: one for one in prices})


def test_each_kind_has_its_own_rate() -> None:
    """The client's own example: 60 in, 10,400 5m, 1,200 1h, 37,400 read, 850 out is $0.08632."""
    cost = price(a_usage(Tokens(60, 37_400, 10_400, 1_200, 850)), a_card(a_price()))
    assert cost == Cost(CostState.KNOWN, 86_320_000, matched="opus-5")


def test_fractions_are_summed_before_they_are_rounded() -> None:
    """Three kinds of a third of a nano-dollar each are one, not zero; a half goes up."""
    third = Decimal("0.3")
    thirds = a_price(tiers=(Tier(0, Rates(third, third, third, third, Decimal("0.5"))),))
    assert price(a_usage(Tokens(1, 1, 1)), a_card(thirds)).nano == 1
    assert price(a_usage(Tokens(output=1)), a_card(thirds)).nano == 1
    assert price(a_usage(Tokens(input=1)), a_card(thirds)).nano == 0


@pytest.mark.parametrize(
    ("prompt", "rates"),
    [(0, OPUS), (200_000, OPUS), (200_001, LONG), (1_000_000, LONG)],
)
def test_a_long_prompt_changes_the_rate_of_the_whole_request(prompt: int, rates: Rates) -> None:
    """The tier is chosen by everything the model read, and holds for its answer too."""
    tiered = a_price(tiers=(Tier(0, OPUS), Tier(200_001, LONG)))
    assert tiered.rates_for(prompt) == rates
    usage = a_usage(Tokens(cache_read=prompt, output=1))
    assert rates.cache_read is not None
    assert rates.output is not None
    assert price(usage, a_card(tiered)).nano == prompt * rates.cache_read + rates.output


def test_an_aggregate_is_an_estimate_at_the_first_tier() -> None:
    """The sum of many prompts is the prompt of none of them."""
    tiered = a_price(tiers=(Tier(0, OPUS), Tier(200_001, LONG)))
    cost = price(a_usage(Tokens(input=300_000), grain=Grain.AGGREGATE), a_card(tiered))
    assert cost == Cost(CostState.ESTIMATED, 1_200_000_000, "opus-5", "a total over several calls")


def test_web_searches_are_billed_by_request() -> None:
    """$10 a thousand."""
    cost = price(a_usage(Tokens(), web_searches=3), a_card(a_price(web_search=Decimal(10_000_000))))
    assert cost.nano == 30_000_000


@pytest.mark.parametrize(
    ("usage", "card", "why"),
    [
        (a_usage(), a_card(), "no price is known for opus"),
        (a_usage(model=""), a_card(), "no price is known for a model without a name"),
        (
            a_usage(Tokens(input=1, output=1)),
            a_card(a_price(tiers=(Tier(0, Rates(input=Decimal(1))),))),
            "opus-5 has no price for output tokens",
        ),
        (a_usage(web_searches=1), a_card(a_price()), "opus-5 has no price for web searches"),
    ],
)
def test_what_has_no_price_is_unknown_and_never_zero(usage: Usage, card: PriceCard, why: str) -> None:
    """A kind without a rate makes the whole usage unknown: a part would look like the whole."""
    assert price(usage, card) == Cost(CostState.UNKNOWN, None, why=why)


def test_a_kind_that_was_not_used_needs_no_rate() -> None:
    """A model without an output price still prices a prompt."""
    assert price(a_usage(), a_card(a_price(tiers=(Tier(0, Rates(input=Decimal(2))),)))).nano == 20


@pytest.mark.parametrize(
    ("usage", "one", "why"),
    [
        (a_usage(), a_price(exact=False), "opus is not in the price book; priced as opus-5"),
        (
            a_usage(Tokens(cache_write_5m=1), cache_split_known=False),
            a_price(),
            "the lifetime of the cache writes is not known; priced as 5 minutes",
        ),
        (
            a_usage(Tokens(cache_write_1h=1)),
            a_price(borrowed=("cache_write_1h",)),
            "opus-5 has no price of its own for cache write 1h tokens",
        ),
    ],
)
def test_an_estimate_says_why(usage: Usage, one: ModelPrice, why: str) -> None:
    """A price that may be another's is shown as what it is."""
    cost = price(usage, a_card(one))
    assert (cost.state, cost.why) == (CostState.ESTIMATED, why)
    assert cost.nano


@pytest.mark.parametrize("usage", [a_usage(Tokens(output=1), cache_split_known=False), a_usage(Tokens(output=1))])
def test_a_doubt_about_something_unused_is_no_doubt(usage: Usage) -> None:
    """No cache writes: their lifetime does not matter."""
    assert price(usage, a_card(a_price(borrowed=("cache_write_1h",)))).state is CostState.KNOWN


@pytest.mark.parametrize("starts", [(), (1,), (0, 0), (0, 5, 3)])
def test_tiers_start_at_zero_and_ascend(starts: tuple[int, ...]) -> None:
    """There is exactly one tier for every prompt."""
    with pytest.raises(ValueError, match="must start at 0 and ascend"):
        a_price(tiers=tuple(Tier(start, OPUS) for start in starts))


amounts = st.none() | st.decimals(0, 10**6, places=4)
rates = st.builds(Rates, amounts, amounts, amounts, amounts, amounts)
prices = st.builds(
    ModelPrice,
    model=st.text(min_size=1),
    matched=st.text(),
    exact=st.booleans(),
    tiers=st.lists(st.tuples(st.integers(1, 10**6), rates), unique_by=lambda t: t[0], max_size=3).map(
        lambda more: (Tier(0, OPUS), *(Tier(start, one) for start, one in sorted(more, key=lambda t: t[0])))
    ),
    web_search=amounts,
    source=st.sampled_from(PriceSource),
    borrowed=st.sampled_from([(), ("cache_read",), ("cache_read", "cache_write_1h")]),
    context_window=st.none() | st.integers(1, 10**7),
)


@given(st.lists(prices, max_size=4))
def test_a_card_survives_the_wire(some: list[ModelPrice]) -> None:
    """What the runner reads is what the server wrote, to the last digit."""
    card = a_card(*some)
    assert PriceCard.from_json(json.loads(json.dumps(card.to_json()))) == card


@pytest.mark.parametrize("window", [None, "large", 0, -5])
def test_a_card_without_context_windows_is_a_card(window: object) -> None:
    """An older server sends none: it is not known then, and neither is one that is no length."""
    body = a_card(a_price(context_window=200_000)).to_json()
    body["prices"]["opus"]["context_window"] = window
    assert PriceCard.from_json(body) == a_card(a_price())
    del body["prices"]["opus"]["context_window"]
    assert PriceCard.from_json(body) == a_card(a_price())


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"at": "yesterday", "prices": {}},
        {"at": "2026-11-21T12:00:00", "prices": {}},
        {"at": "2026-11-21T12:00:00+00:00", "prices": {"opus": 4}},
        {"at": "2026-11-21T12:00:00+00:00", "prices": {"opus": {"matched": "o", "exact": True, "tiers": []}}},
        {
            "at": "2026-11-21T12:00:00+00:00",
            "prices": {"opus": {"matched": "o", "exact": True, "tiers": [{"from": 0, "input": "-1"}]}},
        },
        {
            "at": "2026-11-21T12:00:00+00:00",
            "prices": {"opus": {"matched": "o", "exact": True, "tiers": [{"from": 0, "input": "much"}]}},
        },
    ],
)
def test_something_else_is_no_card(value: object) -> None:
    """One error, whatever is wrong."""
    with pytest.raises(ValueError, match="not a price card"):
        PriceCard.from_json(value)


@pytest.mark.slow
def test_pricing_is_quick() -> None:
    """100,000 usages take about half a second on a small machine; the bound leaves room for a busy one."""
    card = a_card(a_price())
    usages = [a_usage(Tokens(i, i, i, i, i)) for i in range(1, 1001)]
    begun = time.perf_counter()
    for _ in range(100):
        for usage in usages:
            price(usage, card)
    assert time.perf_counter() - begun < 5
