"""Usage that nobody can read: it binds by what can still be counted, people are told once, and nothing unknown is zero."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tabstop.governor.facts import Fact, Unreadable
from tabstop.governor.limits import DEFAULTS, limits_in_force
from tabstop.governor.machine import govern
from tabstop.governor.orders import Act, EventKind
from tabstop.governor.settings import Settings
from tabstop.governor.state import State
from tabstop.money import dollars
from tabstop.session import Limits
from tests.governor.builders import answer, at, started

UNREAD = replace(answer(1, 0, None), unread=True)
BLIND = Unreadable(at(1))
DEFAULT = "What this session uses cannot be read; default tool-call, iteration and time limits apply."
OWN = "What this session uses cannot be read; only its tool-call, iteration and time limits bind it."


def told(limits: Limits, *facts: Fact) -> tuple[State, list[str]]:
    state, said = State(), []
    for fact in facts:
        decision = govern(state, fact, Settings(limits=limits))
        state = decision.state
        said += [one.finding.sentence for one in decision.events if one.kind is EventKind.ALERT and one.finding]
    return state, said


@pytest.mark.parametrize("fact", [UNREAD, BLIND])
@pytest.mark.parametrize("limits", [Limits(cost=dollars(1)), Limits(tokens=5), Limits(iterations=1_000)])
def test_the_default_limits_step_in_and_it_is_said_once(fact: Fact, limits: Limits) -> None:
    """Where a limit relies on what cannot be read; those that were given stay."""
    state, said = told(limits, fact, fact)
    assert said == [DEFAULT]
    bound, _ = limits_in_force(state.totals, Settings(limits=limits))
    given = limits.iterations or DEFAULTS.iterations
    assert (bound.tool_calls, bound.iterations, bound.wall_clock_seconds) == (
        DEFAULTS.tool_calls,
        given,
        DEFAULTS.wall_clock_seconds,
    )
    assert bound.cost == limits.cost


def test_what_is_bounded_without_it_stays_as_it_is() -> None:
    """A session that only its clock binds relies on nothing that cannot be read."""
    state, said = told(Limits(wall_clock_seconds=60), BLIND)
    assert said == [OWN]
    assert limits_in_force(state.totals, Settings(limits=Limits(wall_clock_seconds=60)))[0].tool_calls is None


def test_a_session_that_cannot_be_read_ends() -> None:
    """By its iterations where they are seen, by its tool calls where not even they are."""
    limits = Limits(cost=dollars(1))
    state, _ = told(limits, *[replace(UNREAD, at=at(n)) for n in range(DEFAULTS.iterations or 0)])
    assert state.stopped is not None
    assert "iteration limit" in (state.stopped.finding.sentence if state.stopped.finding else "")
    assert (state.totals.cost, state.totals.unseen, state.totals.unpriced) == (0, True, DEFAULTS.iterations)
    state, _ = told(limits, BLIND, *[started(n, f"t{n}", str(n)) for n in range(2, 2 + (DEFAULTS.tool_calls or 0))])
    assert state.stopped is None
    last = govern(state, started(10_000, "x"), Settings(limits=limits))
    assert last.order.act is Act.HALT


def test_an_answer_that_is_read_ends_the_blindness() -> None:
    """What was not read before stays so: the totals are the least it used."""
    state, _ = told(Limits(cost=dollars(1)), BLIND, answer(2))
    assert (state.totals.in_part, state.totals.blind) == (False, False)
    state, _ = told(Limits(cost=dollars(1)), UNREAD, answer(2))
    assert (state.totals.in_part, state.totals.unseen, state.totals.iterations) == (True, False, 2)
    state, _ = told(Limits(cost=dollars(1)), BLIND, UNREAD)
    assert state.totals.blind
