"""Reservations: no limit is passed by calls that keep within their worst case, in any order; waiting comes before shortening."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.governor.limits import Totals
from tabstop.governor.reservation import Demand, Granted, Held, Refused, Room, Wait, decide, room
from tabstop.governor.settings import Exhaustion, OnLimit, Settings
from tabstop.session import Limits
from tabstop.usage import Tokens


def cost(tokens: Tokens) -> int:
    """Reading from the cache 1, input 10, writing to it 12 or 20, output 50 each."""
    weights = (10, 1, 12, 20, 50)
    counts = (tokens.input, tokens.cache_read, tokens.cache_write_5m, tokens.cache_write_1h, tokens.output)
    return sum(weight * count for weight, count in zip(weights, counts, strict=True))


def demand(prompt: int = 100, output: int = 1_000, least: int = 200, write: str = "input") -> Demand:
    return Demand(prompt, output, least, cost, write)


@pytest.mark.parametrize(
    ("write", "worst"),
    [("input", 51_000), ("cache_write_5m", 51_200), ("cache_write_1h", 52_000), ("cache_read", 51_000)],
)
def test_the_worst_case_takes_the_dearest_kind(write: str, worst: int) -> None:
    """A prompt counts as what it may become at the most, and never as less than plain input."""
    assert demand(write=write).worst() == Held(worst, 1_100, 1)


def test_without_a_price_the_cost_is_not_known() -> None:
    """It is not zero; the tokens are held all the same."""
    held = Demand(10, 5, 5, lambda _tokens: None).worst()
    assert held == Held(None, 15, 1)
    assert Held(7, 1, 1) + held - held == Held(7, 1, 1)


@pytest.mark.parametrize(
    ("left", "after", "expected"),
    [
        (Room(), Room(), Granted(1_000, Held(51_000, 1_100, 1))),
        (Room(cost=51_000), Room(cost=51_000), Granted(1_000, Held(51_000, 1_100, 1))),
        (Room(cost=50_999), Room(cost=50_999), Granted(999, Held(50_950, 1_099, 1))),
        (Room(cost=11_000), Room(cost=11_000), Granted(200, Held(11_000, 300, 1))),
        (Room(cost=10_999), Room(cost=10_999), Refused("cost", 11_000)),
        (Room(tokens=300), Room(tokens=300), Granted(200, Held(11_000, 300, 1))),
        (Room(tokens=299), Room(tokens=299), Refused("tokens", 300)),
        (Room(iterations=0), Room(iterations=0), Refused("iterations", 1)),
        (Room(cost=20_000), Room(cost=60_000), Wait()),
        (Room(cost=20_000), Room(cost=20_001), Wait()),
        (Room(iterations=0), Room(iterations=1), Wait()),
        (Room(cost=0), Room(cost=10_000), Refused("cost", 11_000)),
    ],
)
def test_whole_then_wait_then_shorter_then_not_at_all(
    left: Room, after: Room, expected: Granted | Wait | Refused
) -> None:
    """A call under way may leave room, so it is waited for; what would not fit even then is refused at once."""
    assert decide(demand(), left, after) == expected


def test_a_short_answer_is_never_made_longer() -> None:
    """A call that asks for less than the least is taken as it is."""
    assert decide(demand(output=50), Room(tokens=150), Room(tokens=150)) == Granted(50, Held(3_500, 150, 1))
    assert decide(demand(output=50), Room(tokens=149), Room(tokens=149)) == Refused("tokens", 150)


def test_room_is_what_nobody_has_taken() -> None:
    """Used, set aside and kept for a last answer are gone; what nothing limits is unlimited."""
    totals = Totals(tokens=100, cost=40, iterations=2, reserve=15, reserve_tokens=5)
    held = Held(20, 30, 1)
    halting = Settings(limits=Limits(cost=100, tokens=1_000))
    assert room(totals, halting, held) == Room(40, 870, None)
    summing = Settings(
        limits=Limits(cost=100, tokens=1_000, iterations=9),
        exhaustion=Exhaustion(on_limit=OnLimit.SUMMARY, on_tokens=OnLimit.SUMMARY),
        can_summarize=True,
    )
    assert room(totals, summing, held) == Room(25, 865, 5)
    assert room(totals, summing, held, last=True) == Room(40, 870, 6)


def test_a_model_without_a_price_is_bound_by_tokens() -> None:
    """A cost limit alone cannot bind it, so the default limit of tokens does, already before its first answer."""
    settings = Settings(limits=Limits(cost=100))
    assert room(Totals(), settings, Held()).tokens is None
    assert room(Totals(), settings, Held(), priced=False).tokens


@dataclass
class Running:
    granted: Granted
    demand: Demand

    def used(self, share: float) -> Tokens:
        """Some share of its worst case."""
        prompt = int(self.demand.prompt * share)
        return Tokens(output=int(self.granted.output * share)) + Tokens(**{self.demand.write: prompt})


@given(
    seed=st.integers(0, 2**32),
    cap=st.integers(0, 3_000_000),
    token_cap=st.integers(0, 200_000) | st.none(),
    iterations=st.integers(1, 100) | st.none(),
    greed=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_no_limit_is_passed_in_any_order(
    seed: int, cap: int, token_cap: int | None, iterations: int | None, greed: float
) -> None:
    """64 calls at once that begin and end in any order, each using anything up to its worst case: spent stays within the cap."""
    dice = random.Random(seed)
    settings = Settings(limits=Limits(cost=cap, tokens=token_cap, iterations=iterations))
    totals, held = Totals(), Held()
    running: list[Running] = []
    waiting = [
        demand(dice.randint(1, 5_000), dice.randint(1, 4_000), 200, dice.choice(["input", "cache_write_1h"]))
        for _ in range(64)
    ]
    while waiting or running:
        if waiting and (not running or dice.random() < 0.7):
            one = waiting.pop(0)
            found = decide(one, room(totals, settings, held), room(totals, settings, Held()))
            if isinstance(found, Granted):
                held += found.held
                running.append(Running(found, one))
            elif isinstance(found, Wait):
                assert running, "nobody waits for nobody"
                waiting.append(one)
        if running and dice.random() < 0.6:
            done = running.pop(dice.randrange(len(running)))
            used = done.used(max(greed, dice.random()))
            held -= done.granted.held
            totals = Totals(totals.tokens + used.total, 0, totals.iterations + 1, totals.cost + cost(used))
            assert totals.cost <= cap
            assert token_cap is None or totals.tokens <= token_cap
            assert iterations is None or totals.iterations <= iterations
    assert held == Held()
