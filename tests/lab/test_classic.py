"""The classic exercise: a tool every 100 ms and a budget of $0.05. It ends at the budget, never a nano-dollar above."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabstop.governor.settings import Settings
from tabstop.lab.session import SessionOver
from tabstop.money import dollars
from tabstop.session import Limits, SessionOutcome
from tests.lab.played import an_agent, bare, ended

CALL = dollars("0.001")
PROMPT = dollars("0.0004")
"""What reading costs of each call; the rest is the answer."""


@pytest.mark.parametrize("degradation", [True, False])
def test_it_stops_at_exactly_five_cents(degradation: bool) -> None:
    """50 calls of $0.001 fill the budget; the 51st is not sent."""
    result = ended("classic", degradation=degradation)
    assert result.totals.cost == dollars("0.05")
    assert result.totals.iterations == 50
    assert result.outcome is SessionOutcome.STOPPED_COST
    assert result.now - result.begun <= timedelta(seconds=5)


@settings(max_examples=40)
@given(nano=st.integers(1_000_000, 60_000_000))
def test_any_budget_is_filled_as_far_as_calls_can(nano: int) -> None:
    """What is left at the end buys no further call: the last answer is shortened to what the budget still buys.

    Exactly the budget where it is a multiple of a token's price and the prompt still fits; never above.
    """
    result = ended.__wrapped__("classic", degradation=False, signals=False, cost=nano)
    assert result.totals.cost <= nano
    assert nano - result.totals.cost < PROMPT + 500
    if nano % 500 == 0 and nano % CALL >= PROMPT + 500:
        assert result.totals.cost == nano


@settings(max_examples=30)
@given(
    cap=st.integers(1_000_000, 3_000_000_000),
    calls=st.lists(st.tuples(st.integers(0, 60_000), st.integers(1, 30_000), st.booleans()), min_size=60, max_size=60),
)
def test_calls_of_any_size_never_pass_the_cap(cap: int, calls: list[tuple[int, int, bool]]) -> None:
    """Whatever is read, cached or not, and however long the answers would be."""
    agent = an_agent(bare(Settings(limits=Limits(cost=cap))))
    try:
        for read, output, uncached in calls:
            agent.unread += read
            agent.answer(output=output, uncached=uncached)
    except SessionOver:
        pass
    assert agent.session.totals.cost <= cap
