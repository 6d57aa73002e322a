"""A vendor's window that runs full: people are told once, and the session stands still only where the policy says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tabstop.beside.journal import Entry
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.governor.facts import Fact, GaugesRead, Released, Tick
from tabstop.governor.machine import govern
from tabstop.governor.orders import Act, Event, EventKind, Order
from tabstop.governor.settings import InSession, Settings, Windows
from tabstop.governor.state import State
from tabstop.session import Limits, SessionOutcome
from tabstop.verdict import Signal
from tabstop.wire_json import from_json, to_json
from tests.governor.builders import at

MINUTE, HOUR = 60, 3600
ALERT = Settings(limits=Limits(tokens=10**9))
SUSPEND = replace(ALERT, windows=Windows(in_session=InSession.SUSPEND))


def read(percent: int, seconds: float = 0, window: str = "5h", minutes: int = 300) -> GaugesRead:
    """A window that resets in an hour from the beginning: four of its five hours are over."""
    reading = GaugeReading(
        "anthropic", "org", window, percent * 100, at(seconds), GaugeSource.HEADER, at(HOUR), minutes
    )
    return GaugesRead(at(seconds), (reading,))


def run(settings: Settings, *facts: Fact) -> tuple[State, list[Order], list[Event]]:
    state = State()
    orders: list[Order] = []
    events: list[Event] = []
    for fact in facts:
        decision = govern(state, fact, settings)
        state = decision.state
        orders.append(decision.order)
        events += decision.events
    return state, orders, events


@pytest.mark.parametrize(
    ("facts", "sentences"),
    [
        ((read(50),), []),
        ((read(89),), ["Anthropic's 5-hour window is 89 % used; at its average rate full at 09:29 UTC, resets at 10:00 UTC."]),
        ((read(95), read(96, MINUTE)), ["Anthropic's 5-hour window is 95 % used; at its average rate full at 09:12 UTC, resets at 10:00 UTC."]),
        ((read(100),), ["Anthropic's 5-hour window is full; resets at 10:00 UTC."]),
        ((read(95), read(95, window="weekly", minutes=10_080)), [
            "Anthropic's 5-hour window is 95 % used; at its average rate full at 09:12 UTC, resets at 10:00 UTC.",
            "Anthropic's weekly window is 95 % used; resets at 10:00 UTC.",
        ]),
        ((replace(read(95), at=at(2 * HOUR)),), []),
    ],
)  # fmt: skip
def test_people_are_told_once_of_each_window(facts: tuple[Fact, ...], sentences: list[str]) -> None:
    """At the policy's share, or half an hour before it is full at this rate; a window that has begun anew is no news."""
    _, orders, events = run(ALERT, *facts, Tick(facts[-1].at))
    assert [e.finding.sentence for e in events if e.finding] == sentences
    assert {(e.kind, e.finding.signal) for e in events if e.finding} <= {(EventKind.ALERT, Signal.GAUGE)}
    assert {order.act for order in orders} == {Act.PROCEED}


def test_the_rate_is_of_the_last_half_hour_or_so() -> None:
    """However long the session runs: who fills a window at once is told in time, and who has stopped is not told."""
    half = 30 * MINUTE
    slow = [read(20 + number, number * 5 * MINUTE) for number in range(9)]
    state, _, events = run(ALERT, *slow, read(60, 45 * MINUTE), read(78, 50 * MINUTE))
    assert [event.finding.sentence for event in events if event.finding] == [
        "Anthropic's 5-hour window is 78 % used; at this rate full at 09:58 UTC, resets at 10:00 UTC."
    ]
    assert [one.observed_at for one in state.gauged.earlier] == [at(0), at(half)]
    idle = [read(80, number * 5 * MINUTE) for number in range(11)]
    assert run(ALERT, *idle)[2] == []


def test_one_window_that_two_sources_tell_of_is_told_once() -> None:
    """In whatever order: the status line names no account, the headers do."""
    (header,) = read(95).readings
    line = replace(header, account="", used=9_550, source=GaugeSource.STATUS_LINE, observed_at=at(1))
    for first, second in ((header, line), (replace(line, observed_at=at(0)), replace(header, observed_at=at(1)))):
        _, _, events = run(ALERT, GaugesRead(at(0), (first,)), GaugesRead(at(1), (second,)))
        assert len(events) == 1
    state, _, events = run(SUSPEND, GaugesRead(at(1), (header, line)), Released(at(2)), Tick(at(3)))
    assert [event.kind for event in events].count(EventKind.ALERT) == 1
    assert len(state.gauged.released) == 1


def test_the_next_window_is_news_again() -> None:
    """What was told of one window says nothing of the next."""
    later = replace(read(95).readings[0], observed_at=at(5 * HOUR), resets_at=at(6 * HOUR))
    _, _, events = run(ALERT, read(95), GaugesRead(at(5 * HOUR), (later,)))
    assert len(events) == 2


def test_the_policy_may_suspend_it_until_the_window_begins_anew() -> None:
    """It stands still resumably, and goes on by itself: its vendor would have refused it meanwhile."""
    state, orders, events = run(SUSPEND, read(50), read(95, 1), Tick(at(2)), Tick(at(HOUR - 1)), Tick(at(HOUR)))
    assert [order.act for order in orders] == [Act.PROCEED, Act.SUSPEND, Act.SUSPEND, Act.SUSPEND, Act.PROCEED]
    assert orders[1].ends_as is SessionOutcome.SUSPENDED
    assert [event.kind for event in events].count(EventKind.SUSPEND) == 1
    assert state.stopped is None


def test_a_window_of_one_model_stops_no_session() -> None:
    """It may call another one; people are told."""
    _, orders, events = run(SUSPEND, read(95, 0, "7d_opus", 10_080), Tick(at(1)))
    assert {order.act for order in orders} == {Act.PROCEED}
    assert [event.kind for event in events] == [EventKind.ALERT]


def test_a_person_lets_it_go_on_with_a_window_that_is_nearly_full() -> None:
    """For that window; the next one that runs full stops it again."""
    other = read(99, 4, "weekly", 10_080)
    _, orders, _ = run(SUSPEND, read(95), Released(at(1)), Tick(at(2)), read(99, 3), other)
    assert [order.act for order in orders] == [Act.SUSPEND, Act.PROCEED, Act.PROCEED, Act.PROCEED, Act.SUSPEND]


def test_what_the_governor_remembers_survives_its_journal() -> None:
    """A session taken up again knows what it read."""
    state, _, _ = run(SUSPEND, read(95), read(96, MINUTE))
    assert from_json(State, to_json(state)) == state
    assert Entry(read(95)).fact == read(95)
