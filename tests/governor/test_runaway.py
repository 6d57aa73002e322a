"""Runaway: each signal's threshold and words, what the policy's response does, when it trips, and what a release forgets."""

import json
from collections.abc import Sequence
from dataclasses import fields, replace

import pytest

from tabstop.governor.facts import Answer, CallFailed, Fact, Probed, Released, SubagentEnded, Tick
from tabstop.governor.limits import Totals
from tabstop.governor.orders import Act, Advice, Event, EventKind, Step
from tabstop.governor.runaway import Watched, watch
from tabstop.governor.settings import Detector, Response, Runaway, Settings
from tabstop.governor.signs import SIGNS
from tabstop.session import SessionOutcome
from tabstop.verdict import Finding, Outcome, Signal
from tabstop.wire_json import from_json, to_json
from tests.governor.builders import answer, at, finished, started

SETTINGS = Settings(session="ses_1")
Step_ = tuple[Watched, tuple[Advice, ...], tuple[Event, ...]]


def steps(facts: Sequence[Fact], settings: Settings = SETTINGS, part: Watched | None = None) -> list[Step_]:
    """What came of each fact."""
    found: list[Step_] = []
    current = part or Watched()
    for number, fact in enumerate(facts):
        found.append(watch(current, fact, Totals(iterations=number), settings))
        current = found[-1][0]
    return found


def events(found: list[Step_]) -> list[tuple[int, EventKind, str]]:
    """(number of the fact, kind, signal) of every event."""
    return [
        (number, event.kind, event.finding.scope)
        for number, (_, _, told) in enumerate(found)
        for event in told
        if event.finding
    ]


def only(name: str, detector: Detector) -> Settings:
    """Settings with one signal; the others are off."""
    off = {one.name: Detector(1, 1, Response.OFF) for one in fields(Runaway)}
    return replace(SETTINGS, runaway=Runaway(**(off | {name: detector})))


def said(seconds: float, thread: str = "") -> Answer:
    return replace(answer(seconds, thread=thread), likeness=7)


def usual(minutes: int = 10) -> list[Fact]:
    """A quiet session: an answer of 1,000 tokens and a new call every twenty seconds."""
    return [
        fact
        for n in range(minutes * 3)
        for fact in (answer(n * 20), started(n * 20 + 1, arguments=f"usual {n}"), finished(n * 20 + 2))
    ]


STUCK: list[Fact] = [fact for n in range(20) for fact in (started(n * 10), finished(n * 10 + 1), answer(n * 10 + 2))]

CASES: list[tuple[str, list[Fact], int, str]] = [
    (
        "token_spike",
        [*usual(), *(answer(600 + n * 5, 60_000) for n in range(12))],
        500,
        "The session uses 249.3k tokens a minute, cache reads not counted: 80.5 times its average before (3.1k).",
    ),
    (
        "tool_spike",
        [*usual(), *(started(600 + n * 0.3, arguments=str(n)) for n in range(400))],
        500,
        "The session makes 71 tool calls a minute, 23.7 times its average before (3).",
    ),
    (
        "tool_rate",
        [started(n / 10, arguments=str(n)) for n in range(60)],
        10,
        "The session calls tools 10 times a second; the policy allows fewer than 10.",
    ),
    (
        "repeats",
        STUCK,
        6,
        "`Bash` was called 6 times with the same arguments, and nothing new happened in between.",
    ),
    ("likeness", [said(n * 10) for n in range(20)], 5, "5 of the last 8 answers say nearly the same."),
    (
        "no_progress",
        STUCK * 2,
        15,
        "For 15 iterations no tool was called in a new way and nothing changed in the working tree.",
    ),
    (
        "backoff",
        [CallFailed(at(n * 120)) for n in range(20)],
        300,
        "The session waits for its vendor: 4 requests in a row without an answer, 6 min in all.",
    ),
]
BY_NAME = {case[0]: case for case in CASES}


def test_every_signal_has_a_case() -> None:
    """The table below is complete, and so is the one in the code."""
    assert list(BY_NAME) == list(SIGNS) == [one.name for one in fields(Runaway)]


@pytest.mark.parametrize(("name", "facts", "threshold", "sentence"), CASES, ids=list(BY_NAME))
def test_a_signal_alerts_then_trips(name: str, facts: list[Fact], threshold: int, sentence: str) -> None:
    """One alert with its numbers, later one trip that stops the session and says how to go on."""
    detector: Detector = getattr(SETTINGS.runaway, name)
    found = steps(facts, only(name, detector))
    told = events(found)
    assert [kind for _, kind, _ in told] == [EventKind.ALERT, EventKind.TRIP]
    assert {scope for _, _, scope in told} == {name}
    alert = found[told[0][0]][2][0].finding
    trip = found[told[1][0]][2][0].finding
    assert alert is not None
    assert trip is not None
    assert (alert.signal, alert.outcome, alert.cap) == (Signal.RUNAWAY, Outcome.WARN, threshold)
    assert alert.spent >= threshold
    assert alert.sentence == sentence
    assert alert.unit == SIGNS[name].unit
    assert trip.outcome is Outcome.STOP
    assert f"It was seen {detector.persists + 1} times in a row. The session was stopped" in trip.sentence
    assert "`tabstop release ses_1`" in trip.remedy
    assert f"`runaway.{name}`" in trip.remedy


@pytest.mark.parametrize("name", BY_NAME)
def test_off_is_off(name: str) -> None:
    """A signal that is off says and does nothing."""
    assert events(steps(BY_NAME[name][1], only(name, Detector(1, 1, Response.OFF)))) == []


@pytest.mark.parametrize("name", BY_NAME)
def test_it_says_nothing_before_its_sample(name: str) -> None:
    """However bad the little looks that was seen. (The window of the answers compared is likeness's sample.)"""
    detector: Detector = getattr(SETTINGS.runaway, name)
    settings = only(name, replace(detector, sample=200_000))
    assert events(steps(BY_NAME[name][1], settings)) == [] or name == "likeness"


@pytest.mark.parametrize("name", BY_NAME)
def test_what_does_not_persist_by_policy_never_trips(name: str) -> None:
    """`persists: 0` leaves it at the alert."""
    detector: Detector = getattr(SETTINGS.runaway, name)
    told = events(steps(BY_NAME[name][1], only(name, replace(detector, persists=0))))
    assert [kind for _, kind, _ in told] == [EventKind.ALERT]


@pytest.mark.parametrize(
    ("response", "kind", "advice"),
    [
        (Response.ALERT, EventKind.ALERT, Advice(Act.PROCEED)),
        (Response.THROTTLE, EventKind.THROTTLE, Advice(Act.THROTTLE, seconds=10.0)),
        (Response.DEGRADE, EventKind.DEGRADE, Advice(Act.DEGRADE, steps=(Step.CHEAPER_MODEL, Step.NO_SUBAGENTS))),
    ],
)
def test_a_response_holds_while_the_signal_shows(response: Response, kind: EventKind, advice: Advice) -> None:
    """Told once, in force at every fact until the signal is gone, then no more."""
    settings = only("repeats", Detector(6, 6, response))
    found = steps([*STUCK[:18], Tick(at(500)), started(510, arguments="new"), Tick(at(520))], settings)
    assert [one for _, one, _ in events(found)] == [kind]
    in_force = [[replace(one, finding=None) for one in given] for _, given, _ in found]
    assert in_force[14] == []
    assert in_force[15:19] == [[advice]] * 4
    assert in_force[19:] == [[], []]


def test_a_trip_by_policy_comes_at_once() -> None:
    """`response: trip` does not wait."""
    found = steps(STUCK[:18], only("repeats", Detector(6, 6, Response.TRIP)))
    assert events(found) == [(15, EventKind.TRIP, "repeats")]
    _, (halt,), _ = found[15]
    assert (halt.act, halt.thread, halt.ends_as) == (Act.HALT, None, SessionOutcome.STOPPED_BREAKER)
    assert halt.finding is not None
    assert "in a row" not in halt.finding.sentence


def test_a_trip_holds_until_a_person_releases_it() -> None:
    """Whatever the session is told of; the release clears it, and what was repeated before."""
    found = steps([*STUCK, Tick(at(900)), answer(901), Released(at(902)), started(903), answer(904)])
    trip = next(number for number, kind, _ in events(found) if kind is EventKind.TRIP)
    assert all(given[0].act is Act.HALT for _, given, _ in found[trip:62])
    assert [given for _, given, _ in found[62:]] == [(), (), ()]
    assert found[62][0].seen.rates.answers > 0
    assert found[62][0].told == ()


def test_an_alert_is_told_once_a_session() -> None:
    """A signal that comes and goes does not fill the channel; it still acts."""
    facts = [
        *STUCK[:18],
        started(500, arguments="new"),
        *(replace(fact, at=at(600 + n)) for n, fact in enumerate(STUCK[:21])),
    ]
    found = steps(facts)
    assert len(events(found)) == 1
    assert found[-1][1] != ()


@pytest.mark.parametrize(
    "good",
    [[Probed(at(900), "one"), Probed(at(901), "two")], [started(900, arguments="new")], [SubagentEnded(at(900), "")]],
)
def test_a_signal_ends_with_its_cause(good: list[Fact]) -> None:
    """A changed tree, a new call, or the end of the thread that was stuck."""
    found = steps([*STUCK[:18], *good])
    assert found[-2][0].streaks or found[-3][0].streaks
    assert found[-1][0].streaks == {}


def test_one_threads_progress_does_not_hide_anothers_loop() -> None:
    """A subagent that is stuck while the main thread works is stopped all the same."""
    facts: list[Fact] = []
    for n in range(20):
        facts += [started(n * 10, arguments=f"new {n}"), finished(n * 10 + 1, arguments=f"new {n}"), answer(n * 10 + 2)]
        facts += [started(n * 10 + 3, thread="a"), finished(n * 10 + 4, thread="a"), answer(n * 10 + 5, thread="a")]
    assert [kind for _, kind, _ in events(steps(facts))] == [EventKind.ALERT, EventKind.TRIP]


def test_a_burst_is_one_observation() -> None:
    """Forty tools that one answer asks for are not forty signs of a runaway."""
    found = steps([started(n / 1_000, arguments=str(n)) for n in range(120)])
    assert [kind for _, kind, _ in events(found)] == [EventKind.ALERT]


def test_an_answer_ends_the_wait() -> None:
    """The vendor is back."""
    failed = [CallFailed(at(n * 120)) for n in range(6)]
    found = steps([*failed, answer(700), Tick(at(9_999))])
    assert found[5][1] != ()
    assert found[6][1] == found[7][1] == ()


def test_an_announced_wait_needs_no_second_failure() -> None:
    """Two hours were announced: told at once, stopped after ten minutes of waiting."""
    ticks: list[Fact] = [Tick(at(n * 30)) for n in range(1, 60)]
    found = steps([CallFailed(at(0), 429, 7_200), *ticks])
    assert events(found) == [(0, EventKind.ALERT, "backoff"), (20, EventKind.TRIP, "backoff")]


def test_more_of_an_answer_is_no_observation() -> None:
    """Counts that are told later do not count as further answers."""
    settings = only("likeness", SETTINGS.runaway.likeness)
    found = steps([*(said(n) for n in range(5)), *(replace(said(9), more=True) for _ in range(20))], settings)
    assert [kind for _, kind, _ in events(found)] == [EventKind.ALERT]


@pytest.mark.parametrize("name", BY_NAME)
def test_its_state_survives_being_written_down(name: str) -> None:
    """A governor that starts again goes on where it was, at any moment."""
    settings = only(name, getattr(SETTINGS.runaway, name))
    straight = events(steps(BY_NAME[name][1], settings))
    part, told = Watched(), []
    for number, fact in enumerate(BY_NAME[name][1]):
        part = from_json(Watched, json.loads(json.dumps(to_json(part))))
        part, _, new = watch(part, fact, Totals(iterations=number), settings)
        told += [(number, event.kind, event.finding.scope) for event in new if event.finding]
    assert told == straight


def test_findings_are_plain() -> None:
    """A finding names the signal and its numbers, and nothing of budgets."""
    found = steps(STUCK[:18])
    finding = next(event.finding for _, _, told in found for event in told)
    assert finding == Finding(
        Signal.RUNAWAY,
        Outcome.WARN,
        "repeats",
        "`Bash` was called 6 times with the same arguments, and nothing new happened in between.",
        unit="calls",
        cap=6,
        spent=6,
    )
