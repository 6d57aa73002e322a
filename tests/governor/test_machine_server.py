"""The machine and the server: which of its words stop a session, what lifts that stop, and what its silence means."""

from __future__ import annotations

import pytest

from tabstop.governor.facts import (
    Fact,
    Raised,
    Released,
    ServerSaid,
    Tick,
)
from tabstop.governor.machine import SERVER, govern
from tabstop.governor.orders import Act, EventKind
from tabstop.governor.settings import (
    Settings,
)
from tabstop.money import dollars
from tabstop.session import Limits, SessionOutcome
from tabstop.verdict import Signal, Verdict
from tests.governor.builders import answer, at, play
from tests.governor.test_machine import FIVE_CENTS, five_calls, kinds, said

MAY_STOP = [Signal.LIMIT, Signal.BREAKER, Signal.PAUSE]


@pytest.mark.parametrize("signal", list(Signal))
@pytest.mark.parametrize("order", ["halt", "suspend"])
def test_the_server_stops_a_session_only_for_its_own_reasons(signal: Signal, order: str) -> None:
    """Its own limits, its breaker, an operator's pause; a red tab, engineer or repository leaves it running (promise 4)."""
    decided = play([answer(), said(order, signal=signal)], Settings())[-1]
    assert decided.order.act.ends_turn == (signal in MAY_STOP)
    if signal not in MAY_STOP:
        assert decided.order.act is Act.WIND_DOWN


@pytest.mark.parametrize(
    ("signal", "order", "ends_as"),
    [
        (Signal.LIMIT, "halt", SessionOutcome.STOPPED_COST),
        (Signal.BREAKER, "halt", SessionOutcome.STOPPED_BREAKER),
        (Signal.PAUSE, "halt", SessionOutcome.CANCELLED),
        (Signal.PAUSE, "suspend", SessionOutcome.SUSPENDED),
    ],
)
def test_how_a_session_ends_that_the_server_stops(signal: Signal, order: str, ends_as: SessionOutcome) -> None:
    """The outcome names the reason."""
    assert play([answer(), said(order, signal=signal)], Settings())[-1].order.ends_as is ends_as


def test_a_red_budget_is_no_order() -> None:
    """A verdict alone, and orders of a newer server, change nothing."""
    assert play([answer(), said("proceed"), said("dance")], Settings())[-1].order.act is Act.PROCEED


def test_a_pause_is_lifted_by_a_release() -> None:
    """And comes back when the server says so again."""
    paused = play([answer(), said("suspend", signal=Signal.PAUSE)], Settings())[-1]
    released = govern(paused.state, Released(at(2), "octocat"), Settings())
    assert released.order.act is Act.PROCEED
    assert govern(released.state, said("suspend", signal=Signal.PAUSE, seconds=3), Settings()).order.act is Act.SUSPEND


def test_a_pause_ends_when_the_server_says_proceed() -> None:
    """An operator's resume reaches the session with the server's next word, and is logged once."""
    told: list[Fact] = [said("suspend", signal=Signal.PAUSE), said("proceed", seconds=9), Tick(at(10))]
    decisions = play([answer(), *told], Settings())
    assert [one.order.act for one in decisions[1:]] == [Act.SUSPEND, Act.PROCEED, Act.PROCEED]
    assert [(event.kind, event.by) for event in decisions[2].events] == [(EventKind.RELEASE, SERVER)]


def test_a_pause_is_no_limit() -> None:
    """An overdrive does not lift an operator's pause; a release does not lift a limit the server found reached."""
    paused = play([answer(), said("suspend", signal=Signal.PAUSE)], Settings())[-1]
    assert govern(paused.state, Raised(at(2), Limits(cost=1)), Settings()).order.act is Act.SUSPEND
    halted = play([answer(), said("halt", signal=Signal.LIMIT)], Settings())[-1]
    assert govern(halted.state, Released(at(2)), Settings()).order.act is Act.HALT
    assert govern(halted.state, Raised(at(2), Limits(cost=1)), Settings()).order.act is Act.PROCEED


def test_the_servers_word_may_grow_stronger() -> None:
    """A suspend that becomes a halt is a new stop; the same word with newer figures is none."""
    facts: list[Fact] = [
        said("suspend", signal=Signal.LIMIT),
        said("suspend", signal=Signal.LIMIT, spent=9),
        Tick(at(3)),
    ]
    decisions = play([answer(), *facts, said("halt", signal=Signal.LIMIT, seconds=4)], Settings())
    assert [one.order.act for one in decisions[1:]] == [Act.SUSPEND, Act.SUSPEND, Act.SUSPEND, Act.HALT]
    assert kinds(decisions[1:]) == [EventKind.SUSPEND, EventKind.STOP]
    assert decisions[2].order.findings[0].spent == 9


def test_an_overdrive_at_the_server_lifts_the_stop() -> None:
    """Its limits arrive with its word; the same limits again change nothing, and too little stops at once, told anew."""

    def told(seconds: float, limit: str) -> ServerSaid:
        return ServerSaid(at(seconds), Verdict(), limits=Limits(cost=dollars(limit)))

    facts = [*five_calls(), told(9, "0.05"), told(10, "0.051"), Tick(at(11)), answer(12), told(13, "1"), answer(14)]
    decisions = play(facts, FIVE_CENTS)
    assert [one.order.act for one in decisions[4:]] == [Act.HALT] * 2 + [Act.DEGRADE] * 2 + [Act.HALT] + [
        Act.PROCEED
    ] * 2
    assert kinds(decisions) == [EventKind.STOP, EventKind.RAISE, EventKind.STOP, EventKind.RAISE]
    assert decisions[6].events[0].by == SERVER


def test_a_silent_server_is_noticed_once() -> None:
    """After three missed reports; the session goes on."""
    decisions = play([answer(), ServerSaid(at(1), Verdict()), Tick(at(100)), Tick(at(182)), Tick(at(300))], Settings())
    assert [len(one.events) for one in decisions] == [1, 0, 0, 1, 0]
    assert decisions[3].order.act is Act.PROCEED
