"""What the lab says of a session, where the golden files show no case of it."""

from tabstop.governor.limits import Totals
from tabstop.lab.record import Iteration, Note
from tabstop.lab.report import conclusion, said, sentence
from tests.lab.played import played

FAR = {"wall_clock_seconds": None, "cost": 10**15, "tokens": None, "tool_calls": None, "iterations": None}


def test_what_is_said_twice_is_told_once() -> None:
    """A trip stops in the same words; waits and refusals are counted."""
    notes = (Note("trip", "repeats", "Again."), Note("stop", "repeats", "Again."), Note("switched", "", "Cheaper."))
    one = Iteration(3, 7.0, "", Totals(), denied=2, waited=61.0, notes=notes)
    assert [line.strip() for line in said(one, 80)] == [
        "trip: Again.",
        "switched: Cheaper.",
        "2 calls refused.",
        "Waited 1 min 1 s as ordered.",
    ]


def test_a_session_that_nothing_stopped() -> None:
    """It says so, and how long it was watched."""
    result = played("backoff", signals=False, **FAR)
    assert any(line.endswith("nothing, for a whole day") for line in conclusion(result, 100))
    assert sentence(result).startswith("Still running at $")


def test_defaults_that_step_in_are_no_alert() -> None:
    """Without any limit the default ones bind, and are shown."""
    none = dict.fromkeys(("wall_clock_seconds", "cost", "tokens", "tool_calls", "iterations"))
    result = played("stuck-loop", **none)
    assert result.limits.iterations == 200
    assert result.alert is not None
    assert result.alert.by == "repeats"


def test_a_refusal_comes_before_the_end() -> None:
    """Subagents one too many are refused first, and the session is stopped later."""
    lines = conclusion(played("spawning"), 100)
    assert any(line.startswith("first refused") for line in lines[:2])
