"""Backoff: how long a session waits for its vendor."""

import pytest

from tabstop.governor.backoff import LONGEST_WAIT, Waiting, take
from tabstop.governor.facts import CallFailed, Fact, Heartbeat, Paused, Resumed, Tick
from tests.governor.builders import answer, at


@pytest.mark.parametrize(
    ("facts", "seconds", "failures"),
    [
        ([], 0, 0),
        ([Tick(at(5))], 0, 0),
        ([CallFailed(at(0))], 0, 1),
        ([CallFailed(at(0)), Tick(at(90))], 90, 1),
        ([CallFailed(at(0)), CallFailed(at(30)), Heartbeat(at(40))], 40, 2),
        ([CallFailed(at(0), 429, 3_600)], 3_600, 1),
        ([CallFailed(at(0), 429, 60), Tick(at(100))], 100, 1),
        ([CallFailed(at(0), 429, -5), Tick(at(1))], 1, 1),
        ([CallFailed(at(0), 429, 10**18)], LONGEST_WAIT, 1),
        ([CallFailed(at(60)), CallFailed(at(0))], 0, 2),
        ([CallFailed(at(0)), answer(5), Tick(at(90))], 0, 0),
        ([CallFailed(at(0)), Paused(at(5)), Tick(at(90))], 0, 0),
        ([CallFailed(at(0)), Resumed(at(5)), Tick(at(90))], 0, 0),
    ],
)
def test_how_long_it_waits(facts: list[Fact], seconds: int, failures: int) -> None:
    """From the first failed request to now, or to the end of the wait that was asked for; an answer ends it."""
    part = Waiting()
    for fact in facts:
        part = take(part, fact)
    assert (part.seconds, part.failures) == (seconds, failures)
