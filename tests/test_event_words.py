"""What people read about an event of a session: a title, one sentence with the numbers, what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tabstop.event_words import because, happened, limits_now, raised_by, to_go_on
from tabstop.governor.orders import EventKind
from tabstop.governor.signs import SIGNS
from tabstop.session import Limits
from tabstop.verdict import Signal
from tabstop.wire import SessionEvent

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def event(kind: EventKind, signal: Signal | None, scope: str = "", **more: Any) -> SessionEvent:
    """With only what matters."""
    return SessionEvent(kind, NOW, signal, scope, **more)


CASES = [
    (
        event(EventKind.SUSPEND, Signal.LIMIT, "cost", value=1_500_000_000, threshold=1_000_000_000),
        "was suspended",
        "It reached its cost limit: $1.50 of $1.00 used.",
        "`tabstop overdrive`",
    ),
    (
        event(EventKind.STOP, Signal.LIMIT, "tool_calls", value=500),
        "was stopped",
        "It reached its tool-call limit: 500 used.",
        "`tabstop overdrive`",
    ),
    (
        event(EventKind.ASK, Signal.LIMIT, "tokens", value=10, threshold=10, asked=5),
        "asks for more",
        "It reached its token limit: 10 tokens of 10 tokens used; it asks for another 5 tokens.",
        "`tabstop overdrive`",
    ),
    (
        event(EventKind.ALERT, Signal.RUNAWAY, "repeats", value=7, threshold=6),
        "may have lost its way",
        "Runaway signal `repeats`: it made the same call 7 times with nothing new in between (threshold 6).",
        "It goes on",
    ),
    (
        event(EventKind.SUSPEND, Signal.RETRY, "retry", subject="Bash", value=3),
        "was suspended",
        "`Bash` failed 3 times with the same arguments. A person has to look.",
        "`tabstop release`",
    ),
    (
        event(EventKind.SUSPEND, Signal.RETRY, "retry", value=1),
        "was suspended",
        "A tool failed 1 time with the same arguments. A person has to look.",
        "`tabstop release`",
    ),
    (
        event(EventKind.ALERT, Signal.SILENCE, "agent"),
        "went silent",
        "Its agent has shown nothing for a while: no answer, no tool, no sign of life.",
        "",
    ),
    (
        event(EventKind.SUSPEND, Signal.GAUGE, "5h", value=9_500, threshold=9_000),
        "was suspended",
        "Its vendor's 5-hour window is nearly full.",
        "`tabstop release`",
    ),
    (event(EventKind.SUSPEND, Signal.PAUSE), "was suspended", "An operator paused it.", "session resume ses_1"),
    (
        event(EventKind.STOP, Signal.PRICE, "cost"),
        "was stopped",
        "A model of it has no known price, and the policy stops what cannot be priced (`unknown_price: block`).",
        "`tabstop overdrive`",
    ),
    (
        event(EventKind.STOP, Signal.SUBTASK, "fan_out"),
        "was stopped",
        "Signal `subtask`: fan out.",
        "`tabstop release`",
    ),
    (event(EventKind.STOP, None), "was stopped", "Its governor says why.", "`tabstop release`"),
    (event(EventKind.STOP, Signal.LIMIT, "newer"), "was stopped", "Signal `limit`: newer.", "`tabstop overdrive`"),
]


@pytest.mark.parametrize(("told", "title", "why", "help_"), CASES)
def test_an_event_in_words(told: SessionEvent, title: str, why: str, help_: str) -> None:
    """The numbers are in the sentence; what to do names the command."""
    assert (happened(told), because(told)) == (title, why)
    assert help_ in to_go_on(told, "ses_1")
    assert bool(help_) is bool(to_go_on(told, "ses_1"))


def test_its_engineer_is_told_the_command() -> None:
    """Spoken to, they read which session to release; what only others can do stays as it is."""
    retry, limit = (event(EventKind.SUSPEND, signal, "cost") for signal in (Signal.RETRY, Signal.LIMIT))
    assert to_go_on(retry, "ses_1", yours=True) == "You let it go on with `tabstop release ses_1`, where it ran."
    assert to_go_on(limit, "ses_1", yours=True) == to_go_on(limit, "ses_1")


@pytest.mark.parametrize("sign", sorted(SIGNS))
def test_every_runaway_signal_has_words(sign: str) -> None:
    """With value and threshold."""
    said = because(event(EventKind.ALERT, Signal.RUNAWAY, sign, value=4_321, threshold=1_234))
    assert "4,321" in said
    assert "1,234" in said


def test_a_raise_in_words() -> None:
    """Each limit in its unit, the last joined by `and`."""
    assert raised_by(Limits(cost=5_000_000_000)) == "$5.00"
    more = Limits(200_000, 50, 1, 3_600, 5_000_000_000)
    assert raised_by(more) == "200k tokens, 50 tool calls, 1 iteration, 1 h and $5.00"
    assert limits_now(Limits(cost=1, tokens=2), Limits(cost=7_000_000_000)) == "Its cost limit is now $7.00."
