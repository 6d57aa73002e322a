"""A breaker played: facts in, what it did and where it stood out; and runs of tools to play."""

from __future__ import annotations

from dataclasses import replace

from tabstop.breaker_memory import BreakerState
from tabstop.governor.breaker import SessionBreaker, watch
from tabstop.governor.facts import Fact, ToolStarted
from tabstop.governor.limits import Totals, count
from tabstop.governor.orders import Event
from tabstop.governor.settings import Breaker, Settings
from tests.governor.builders import finished, started

OPEN, HALF_OPEN, CLOSED = BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED
PLAIN = Settings("s1")
OFF = Breaker(failures_percent=None, repeats=None, cost_per_minute=None)


def run(facts: list[Fact], rules: Breaker = PLAIN.breaker) -> tuple[SessionBreaker, list[Event], list[BreakerState]]:
    part, totals = SessionBreaker(), Totals()
    events: list[Event] = []
    states: list[BreakerState] = []
    for fact in facts:
        totals = count(totals, fact)
        part, _, told = watch(part, fact, totals, replace(PLAIN, breaker=rules))
        events += told
        states.append(part.state)
    return part, events, states


def used(second: float, name: str, arguments: str, *, failed: bool = False, thread: str = "") -> list[Fact]:
    begun = started(second, name, arguments, thread=thread)
    return [begun, finished(second + 0.5, name, arguments, failed=failed, thread=thread)]


def failing(times: int, name: str = "fetch", *, apart: float = 2, begin: float = 0) -> list[Fact]:
    return [fact for n in range(times) for fact in used(begin + n * apart, name, f"{n}", failed=True)]


def opened_at(facts: list[Fact], rules: Breaker = PLAIN.breaker) -> int | None:
    """The call at which it opens, counting from 1; None if it never does."""
    _, _, states = run(facts, rules)
    if OPEN not in states:
        return None
    return sum(isinstance(fact, ToolStarted) for fact in facts[: states.index(OPEN) + 1])


TRIPPED = failing(3)

READ_AGAIN = [fact for n in range(40) for fact in used(n * 5, "Read", "huge.log")]
"""A file read 40 times."""
