"""Many calls at once: the cap is never passed by a nano-dollar, a token or a call, whatever order they come and go in."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tabstop.governor.settings import Degradation, Settings
from tabstop.session import Limits
from tests.beside.proxy.scene import Scene, answer, scene
from tests.support.fake_llm import Seen
from tests.support.llm_answers import Step

CALLS = 64


def plan(share: float) -> object:
    """A vendor that uses this share of what a request allows, which it knows better than the agent: bytes, and `max_tokens`."""

    def answered(seen: Seen) -> Step:
        return answer(input=int(len(seen.raw) * share), output=int(seen.body["max_tokens"] * share))

    return answered


def all_at_once(on: Scene, **more: object) -> list[int]:
    barrier = threading.Barrier(CALLS)
    dice = random.Random(7)
    sizes = [dice.randint(1, 3_000) for _ in range(CALLS)]

    def one(number: int) -> int:
        barrier.wait()
        return on.ask(text="x" * sizes[number], stream=number % 2 == 0, **more).status_code  # type: ignore[arg-type]

    with ThreadPoolExecutor(CALLS) as pool:
        return list(pool.map(one, range(CALLS)))


@pytest.mark.parametrize("share", [0.3, 1.0])
@pytest.mark.parametrize(
    "limits",
    [
        Limits(cost=60_000_000),
        Limits(tokens=40_000),
        Limits(iterations=20),
        Limits(cost=60_000_000, tokens=30_000, iterations=40),
    ],
)
def test_no_limit_is_passed_by_64_calls_at_once(limits: Limits, share: float) -> None:
    """Some pass, the rest are refused, and at the end what is used is within every limit."""
    settings = Settings(limits=limits, degradation=Degradation(ladder=()))
    with scene(plan(share), settings=settings, think=0.01) as on:  # type: ignore[arg-type]
        statuses = all_at_once(on, max_tokens=2_000)
        totals = on.governed.state.totals
        assert set(statuses) <= {200, 400}
        assert statuses.count(200) == totals.iterations == len(on.fake.calls())
        assert totals.iterations > 3
        for name in ("cost", "tokens", "iterations"):
            limit = getattr(limits, name)
            assert limit is None or getattr(totals, name) <= limit
        assert on.proxy.meter.held.iterations == 0
        assert on.said() == []


def test_calls_wait_for_room_before_they_are_shortened() -> None:
    """What calls under way leave unused is used by those that wait: all of them are answered whole."""
    with scene(answer(input=10, output=10), limits=Limits(tokens=20_000), think=0.01) as on:
        assert all_at_once(on, max_tokens=2_000) == [200] * CALLS
        assert {seen.body["max_tokens"] for seen in on.fake.calls()} == {2_000}
