"""Patience: how much of a repeat a call is, and which commands say that they wait."""

from datetime import timedelta

import pytest

from tabstop.governor.facts import ToolStarted
from tabstop.governor.patience import EIGHTH, QUARTER, RUNNING, WHOLE, Runs, begun, ended, weight
from tabstop.governor.tool_kinds import says_it_waits
from tests.governor.builders import at, finished, started


@pytest.mark.parametrize(
    ("name", "seconds", "waits", "expected"),
    [
        ("Bash", 9.9, False, WHOLE),
        ("Bash", 10, False, QUARTER),
        ("Bash", 1, True, QUARTER),
        ("Bash", 10, True, EIGHTH),
        ("TaskOutput", 0.1, False, EIGHTH),
        ("Bash", -5, False, WHOLE),
    ],
)
def test_weights(name: str, seconds: float, waits: bool, expected: int) -> None:
    """Slow is one sign of waiting, `sleep` another; a tool that asks how far something is needs neither."""
    assert weight(ToolStarted(at(0), name, waits=waits), timedelta(seconds=seconds)) == expected


def test_a_weight_shows_at_the_end() -> None:
    """Measured from its start; from what was heard of its thread before where only its end is told; else not known."""
    runs, before = begun(Runs(), "k", started(0))
    assert (before, runs.began) == (0, {"k": at(0)})
    runs, at_end = ended(runs, "k", finished(20))
    assert (runs, at_end) == (Runs({}, at(20)), QUARTER)
    assert ended(runs, "k", finished(25))[1] == 0
    assert ended(runs, "k", finished(25, unseen=True))[1] == WHOLE
    assert ended(Runs(), "k", finished(25, unseen=True))[1] == 0


def test_what_never_ended_was_over_when_the_thread_was_heard_of() -> None:
    """A refused call did not last until the model asked for it again."""
    assert begun(Runs({"k": at(0)}), "k", started(30))[1] == QUARTER
    assert begun(Runs({"k": at(0)}, at(1)), "k", started(30))[1] == WHOLE
    assert begun(Runs({"k": at(0)}, at(-1)), "k", started(30))[1] == QUARTER


def test_calls_that_never_end_are_forgotten() -> None:
    """The oldest first."""
    runs = Runs()
    for n in range(RUNNING + 2):
        runs, _ = begun(runs, f"{n}", started(n))
    assert len(runs.began) == RUNNING
    assert "1" not in runs.began


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("sleep 30; gh run view 4711", True),
        ("make && sleep 5 && curl localhost", True),
        ("(sleep 1)", True),
        ("Start-Sleep -Seconds 5", True),
        ("gh run watch 4711", True),
        ("gh pr checks --watch", True),
        ("kubectl rollout status deploy/web", True),
        ("watch -n 5 kubectl get pods", True),
        ("./wait-for-it.sh db:5432", True),
        ("bash -lc 'sleep 20; make status'", True),
        ("until curl localhost; do sleep 2; done", True),
        ("pytest tests/test_sleep.py", False),
        ("grep -rn sleep src", False),
        ("cat watch.py", False),
        ("git commit -m 'wait'", False),
        ("", False),
    ],
)
def test_commands_that_say_they_wait(command: str, expected: bool) -> None:
    """By the program they run or a flag of it, not by a word in a name."""
    assert says_it_waits(command) is expected
