"""What a run says, and its meters: every text from the values it is made of."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tabstop.agents.command_line import command_line_of
from tabstop.beside.session_folder import Record, SessionFolder
from tabstop.beside.wrapper import launch, words
from tabstop.beside.wrapper.conclusion import Conclusion
from tabstop.beside.wrapper.opening import Opened
from tabstop.beside.wrapper.status_line import Burn, StatusLine, meters, status
from tabstop.beside.wrapper.tee import Growth, can_be_teed
from tabstop.beside.wrapper.terminal import terminal_of
from tabstop.governor.limits import Totals
from tabstop.governor.orders import Act, Event, EventKind
from tabstop.governor.state import Stopped
from tabstop.money import dollars
from tabstop.session import Limits, SessionOutcome
from tabstop.verdict import Finding, Outcome, Signal
from tabstop.wire import StartRequest
from tests.governor.builders import BEGUN, at
from tests.support.golden import expect

LIMITS = Limits(2_000_000, 500, 200, 7_200, dollars("10"))
TOTALS = Totals(tokens=12_345, tool_calls=3, iterations=1, cost=dollars("0.42"), ran_milliseconds=125_000)
UNPRICED = Totals(tokens=12_345, cost=dollars("0.42"), unpriced=2)
UNSEEN = Totals(tool_calls=3, iterations=2, unpriced=2, unread=2, ran_milliseconds=5_000)
IN_PART = replace(UNSEEN, iterations=3, cost=dollars("0.42"), tokens=12_345)
ASSUMED = Totals(tokens=12_345, cost=dollars("0.42"), assumed=1)


def event(kind: EventKind, sentence: str = "Something.", by: str = "") -> Event:
    return Event(at(0), kind, Finding(Signal.LIMIT, Outcome.WARN, "cost", sentence), by=by)


def test_the_status_line() -> None:
    """Burn rate first, then a meter per limit that binds; of what nobody counts only the time."""
    lines = [
        status(TOTALS, LIMITS, dollars("0.12")),
        status(TOTALS, Limits(cost=dollars("10")), 0),
        status(UNPRICED, Limits(), 0),
        status(UNSEEN, LIMITS, 0),
        status(IN_PART, LIMITS, 0),
        status(TOTALS, LIMITS, 0, counted=False),
        ", ".join(meters(TOTALS, Limits(), counted=False)),
    ]
    expect("run/status-lines.txt", "\n".join(lines) + "\n")


def test_the_burn_rate() -> None:
    """Over the last five minutes; never more than was spent in a second at the beginning, never below zero."""
    burn = Burn()
    assert burn.per_minute(BEGUN, 0) == 0
    assert burn.per_minute(BEGUN + timedelta(seconds=30), dollars("1")) == dollars("2")
    assert burn.per_minute(BEGUN + timedelta(minutes=5), dollars("1")) == dollars("0.2")
    assert burn.per_minute(BEGUN + timedelta(minutes=9), dollars("1")) == 0
    assert burn.per_minute(BEGUN + timedelta(minutes=9), dollars("0.5")) == 0


def test_a_terminal_too_small_has_no_status_line() -> None:
    """Nor is anything given back that was not taken."""
    ours, theirs = os.openpty()
    line = StatusLine(theirs)
    line.draw("x")
    line.clear()
    os.set_blocking(ours, False)
    with pytest.raises(BlockingIOError):
        os.read(ours, 100)
    os.close(ours)
    os.close(theirs)


def test_what_stands_there_is_not_drawn_again() -> None:
    """A line each second would be noise to whoever records the terminal."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    line = StatusLine(theirs)
    for text in ("$1.00", "$1.00", "$2.00"):
        line.draw(text)
    drawn = b""
    while b"$2.00" not in drawn:
        drawn += os.read(ours, 10_000)
    assert drawn.count(b"$1.00") == 1
    os.close(ours)
    os.close(theirs)


def test_a_terminal_that_is_not_ours_is_left_alone() -> None:
    """Nobody's foreground can be had there, and a file is no terminal."""
    ours, theirs = os.openpty()
    assert terminal_of(theirs) is None
    os.close(ours)
    os.close(theirs)
    with Path(os.devnull).open("rb") as file:
        assert terminal_of(file.fileno()) is None


@pytest.mark.parametrize("headless", [True, False])
def test_what_is_missing_without_hooks(headless: bool) -> None:
    """Where somebody types, a new conversation inside the session too."""
    claude = command_line_of("claude")
    assert claude is not None
    said = words.without_hooks(claude, headless=headless)
    assert said.startswith("no hooks: single tools are not refused")
    assert said.endswith("`tabstop install claude-code` puts hooks in.")
    assert ("A conversation begun inside it (/clear, /new) is not seen." in said) is not headless


def test_what_is_said_of_events() -> None:
    """Once, by whom, and nothing of what stands at the end or cannot be done here."""
    said = [
        words.of_event(event(EventKind.ALERT), hooks=False),
        words.of_event(event(EventKind.RAISE, by="octocat"), hooks=False),
        words.of_event(event(EventKind.RELEASE), hooks=False),
        words.of_event(event(EventKind.DEGRADE), hooks=True),
    ]
    assert said == [
        "warning: Something.",
        "octocat allowed more; it goes on",
        "somebody released the session; it goes on",
        "warning: Something.",
    ]
    silent = [event(EventKind.STOP), event(EventKind.SUSPEND), event(EventKind.ASK), event(EventKind.DEGRADE)]
    assert [words.of_event(one, hooks=False) for one in [*silent, event(EventKind.ALERT, "")]] == [""] * 5
    assert words.joined(["a (1): x.", "a (1): y.", "z"]) == ["a (1): x; y.", "z"]


def test_what_a_session_used() -> None:
    """What has no price, or an assumed one, says so."""
    said = [words.used(one) for one in (TOTALS, UNPRICED, ASSUMED, IN_PART, UNSEEN)] + [
        words.used(TOTALS, counted=False)
    ]
    expect("run/used.txt", "\n".join(said) + "\n")


def test_a_beginning_with_a_proxy(tmp_path: Path) -> None:
    """Exact, for what goes through it."""
    record = Record("s1", BEGUN, StartRequest("mine"))
    lines = words.beginning(
        Opened(SessionFolder(tmp_path), record, "as it began"), "mine", None, LIMITS, TOTALS, proxy=True
    )
    assert lines[-1] == "enforcement: exact. Model calls go through the proxy; what goes past it is not seen."
    nothing = words.beginning(
        Opened(SessionFolder(tmp_path), record, "x"), "mine", None, Limits(), Totals(), proxy=True
    )
    assert nothing[0] == "session s1, limits x: none"


def test_endings() -> None:
    """Its reason, its remedy, its command; nothing for an agent that kept within its limits."""
    halted = Stopped(
        Act.HALT, SessionOutcome.STOPPED_COST, at(0), Finding(Signal.LIMIT, Outcome.STOP, "cost", "Spent.")
    )
    own = Conclusion(0, SessionOutcome.FINISHED)
    ours = Conclusion(70, SessionOutcome.STOPPED_COST, ours=True)
    silent = Conclusion(73, SessionOutcome.SILENT, ours=True)
    assert words.ending(own, None, "s1", "claude --continue", 0) == []
    resume = "tabstop run --session s1 -- claude --continue"
    assert words.ending(ours, halted, "s1", "claude --continue", 0) == ["stopped: Spent.", f"To resume: {resume}"]
    assert words.ending(ours, Stopped(Act.HALT, SessionOutcome.CANCELLED, at(0)), "s1", "", 0) == ["stopped."]
    assert words.ending(own, halted, "s1", "", 0) == [
        "the agent ended by itself, and its last answer used up what it had. stopped: Spent."
    ]
    assert words.ending(silent, None, "s1", "claude --continue", 1_800)[-1] == f"To go on: {resume}"
    assert len(words.ending(silent, None, "s1", "", 1_800)) == 2
    assert words.waits(2.5).startswith("the agent is stopped for 2.5 s")


def test_annotations_cannot_be_forged() -> None:
    """A title or a text cannot end the command and begin another one."""
    assert words.annotation("a:b,c%", ["x\n::error::y", "z%"]) == "::error title=a%3Ab%2Cc%25::x%0A::error::y z%25"


def test_what_can_be_seen_of_output(tmp_path: Path) -> None:
    """A pipe is read along, a file is measured, anything else is left alone."""
    ends = os.pipe()
    with (tmp_path / "file").open("wb", buffering=0) as file:
        assert [can_be_teed(one) for one in (ends[1], file.fileno(), 99_999)] == [True, False, False]
        growth = Growth(file.fileno())
        assert [growth.moved(), growth.moved()] == [True, False]
        file.write(b"x")
        assert growth.moved()
    blind = Growth(ends[1])
    assert (blind.visible, blind.moved()) == (False, False)
    for one in ends:
        os.close(one)


def test_the_launcher_is_self_contained() -> None:
    """It runs without site-packages, so it may import nothing of ours."""
    text = Path(launch.__file__).read_text(encoding="utf-8")
    assert "tabstop." not in text.partition('"""')[2].partition('"""')[2].replace("tabstop: ", "")
