"""The corpus: no healthy session is stopped as a runaway, and every runaway is caught in time, by what should catch it."""

from collections.abc import Iterator

import pytest

from tabstop.governor.facts import Answer, Fact, Probed, ToolFinished, ToolStarted
from tabstop.lab.healthy import KINDS, edit_and_test, healthy
from tabstop.lab.runaways import RUNAWAYS, runaway
from tabstop.lab.script import Scenario, script
from tabstop.verdict import Signal
from tests.governor.corpus import held_out
from tests.governor.corpus.captured import captured
from tests.governor.corpus.play import Played, play

CAPTURED = captured()


def stopped_as_runaway(played: Played) -> bool:
    return played.stop is not None and played.stop.signal is Signal.RUNAWAY


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", KINDS)
def test_a_healthy_session_is_not_stopped(name: str, seed: int) -> None:
    """Long, repetitive, parallel, patient or idle: neither as a runaway, nor by the breaker, nor by a brake."""
    played = play(healthy(name, seed))
    assert (played.stop, played.refusal) == (None, None)


@pytest.mark.parametrize("name", CAPTURED)
def test_a_captured_session_is_no_runaway(name: str) -> None:
    """What real agents did is neither stopped nor reported."""
    assert play(Scenario(name, tuple(CAPTURED[name]))) == Played()


def test_captured_sessions_hold_what_happened() -> None:
    """Answers with tokens, calls with their arguments' digests, threads, a tree that changes."""
    facts = [fact for one in CAPTURED.values() for fact in one]
    answers = [fact for fact in facts if isinstance(fact, Answer)]
    calls = [fact for fact in facts if isinstance(fact, ToolStarted | ToolFinished)]
    assert len(CAPTURED) > 15
    assert all(fact.tokens.total > 0 for fact in answers)
    assert all(len(fact.arguments) == 16 for fact in calls)
    assert {fact.thread for fact in answers} > {""}
    assert any(isinstance(fact, Probed) for fact in facts)
    assert all(one == sorted(one, key=lambda fact: fact.at) for one in CAPTURED.values())


@pytest.mark.parametrize("name", RUNAWAYS)
def test_a_runaway_is_caught_in_time(name: str) -> None:
    """By what the scenario says, within the iterations it says: 30 at most."""
    scenario = runaway(name)
    caught = play(scenario).caught
    assert caught is not None
    assert caught.by in scenario.caught_by
    assert caught.iteration <= scenario.within <= 30


def slow_loop(command: str, seconds: float) -> Scenario:
    """Healthy work, then one command 60 times, nothing changed."""
    s = script(1)
    edit_and_test(s, 8)
    begins = s.iterations + 1
    for _ in range(60):
        s.answer("It is not done, so I look again.")
        s.call("Bash", command, seconds=seconds)
        s.probe(changed=False)
    return Scenario(command, tuple(s.facts), begins)


def test_a_slow_loop_is_reported_by_30() -> None:
    """A command of 12 s, over and over: reported by its 18th time. It is stopped later than a quick one: it may be a wait."""
    played = play(slow_loop("make build", 12))
    assert played.alert is not None
    assert played.stop is not None
    assert (played.alert.by, played.alert.iteration, played.stop.iteration) == ("repeats", 18, 38)


def test_two_answers_in_turns_are_reported_by_30() -> None:
    """The same two considerations over and over, though each leads to a call that was not made before."""
    said = (
        "The connection is refused, so I look at what the server writes when it begins to listen.",
        "Nothing there explains it; perhaps the port in the settings differs from what the client expects.",
    )
    s = script(1)
    for n in range(60):
        s.answer(said[n % 2])
        s.call("Read", f"file {n}")
    played = play(Scenario("in turns", tuple(s.facts), 1))
    assert played.alert is not None
    assert played.stop is not None
    assert (played.alert.by, played.alert.iteration, played.stop.iteration) == ("likeness", 6, 11)


def test_waiting_by_name_is_patient() -> None:
    """Half an hour of a look a minute is neither reported nor stopped; an hour of it is told of."""
    played = play(slow_loop("sleep 60 && kubectl get pods", 61))
    assert played.alert is not None
    assert (played.alert.iteration > 30, played.stop) == (True, None)


def unseen(facts: tuple[Fact, ...]) -> Iterator[Fact]:
    """As an attach point tells that sees only results, and never the working tree."""
    for fact in facts:
        if isinstance(fact, ToolFinished):
            yield ToolFinished(fact.at, fact.name, fact.arguments, fact.failed, fact.thread, unseen=True)
        elif not isinstance(fact, ToolStarted | Probed):
            yield fact


@pytest.mark.parametrize("name", KINDS)
def test_precision_does_not_depend_on_the_attach_point(name: str) -> None:
    """Without starts and without a look at the tree nothing healthy is stopped either."""
    assert not stopped_as_runaway(play(Scenario(name, tuple(unseen(healthy(name, 3).facts)))))


def test_a_scenario_is_the_same_each_time() -> None:
    """The same seed plays the same session; another seed another."""
    assert healthy("review", 5) == healthy("review", 5) != healthy("review", 6)
    assert runaway("busy tools", 5) == runaway("busy tools", 5)
    with pytest.raises(KeyError):
        healthy("unheard of")


@pytest.mark.slow
def test_held_out() -> None:
    """What nothing was tuned on: no healthy session stopped by anything, at most 2 % reported, every runaway caught."""
    healthy_ones = [play(one) for one in held_out.healthy_sessions()]
    assert [one for one in healthy_ones if one.stop or one.refusal] == []
    reported = [one for one in healthy_ones if one.alert is not None and one.alert.signal is Signal.RUNAWAY]
    assert len(reported) <= len(healthy_ones) // 50
    late = [
        scenario.name
        for scenario in held_out.runaway_sessions()
        if (caught := play(scenario).caught) is None or caught.iteration > 30
    ]
    assert late == []
