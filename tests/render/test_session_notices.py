"""What a channel reads about a running session: golden files, and no names unless the policy says so."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from app.render.notices import Notice
from app.render.session_notices import Which, raised_notice, session_notice
from app.render.slack import slack_message
from tabstop.governor.orders import EventKind
from tabstop.session import Limits
from tabstop.verdict import Signal
from tabstop.visibility import Reader
from tabstop.wire import SessionEvent
from tests.render.tabs import BRANCH, NOW
from tests.render.test_notices import ALICE, CHANNEL, LINKS, NAMES, shown
from tests.support.golden import expect

WHICH = Which("ses_1a2b", "claude-code", "acme/web", BRANCH, "alice", LINKS)
DOLLAR = 1_000_000_000


def told(event: SessionEvent, reader: Reader = CHANNEL) -> Notice:
    """An event of that session."""
    return session_notice(event, WHICH, reader=reader, at=NOW)


def raised(reader: Reader = CHANNEL, approver: str = "carol") -> Notice:
    """Five dollars and 50 tool calls more."""
    return raised_notice(
        Limits(cost=5 * DOLLAR, tool_calls=50),
        Limits(cost=15 * DOLLAR, tool_calls=550, tokens=1),
        WHICH,
        approver=approver,
        expires_at=NOW + timedelta(hours=24),
        reader=reader,
        at=NOW,
    )


LIMIT = SessionEvent(EventKind.SUSPEND, NOW, Signal.LIMIT, "cost", "", "usd", 10_040_000_000, 10 * DOLLAR)
RETRY = SessionEvent(EventKind.SUSPEND, NOW, Signal.RETRY, "retry", "Bash", "", 3, 2)
SPIKE = SessionEvent(EventKind.ALERT, NOW, Signal.RUNAWAY, "token_spike", "", "", 812, 500)
SILENT = SessionEvent(EventKind.ALERT, NOW, Signal.SILENCE, "agent")

STOPPED = SessionEvent(EventKind.STOP, NOW, Signal.LIMIT, "tool_calls", "", "", 500, 500)
ASKS = SessionEvent(EventKind.ASK, NOW, Signal.LIMIT, "cost", "", "usd", 10 * DOLLAR, 10 * DOLLAR, 5 * DOLLAR)
PAUSED = SessionEvent(EventKind.SUSPEND, NOW, Signal.PAUSE)

CASES = {
    "session-suspended": told(LIMIT),
    "session-suspended-names": told(LIMIT, NAMES),
    "session-retry": told(RETRY),
    "session-runaway": told(SPIKE),
    "session-silent": told(SILENT),
    "session-raised": raised(),
    "session-raised-names": raised(NAMES),
    "session-raised-operator": raised(approver=""),
}


@pytest.mark.parametrize("name", CASES)
def test_what_the_channel_reads(name: str) -> None:
    """The message as Slack gets it, reviewed like code."""
    expect(f"slack/{name}.txt", shown(slack_message("#ai-spend", CASES[name])))


@pytest.mark.parametrize(
    ("name", "event"),
    {"retry": RETRY, "suspended": LIMIT, "stopped": STOPPED, "asks": ASKS, "paused": PAUSED}.items(),
)
def test_what_its_engineer_reads(name: str, event: SessionEvent) -> None:
    """A direct message speaks to the one whose session it is, with the command to type, and names nobody."""
    message = slack_message("U012AB3CD", told(event, ALICE))
    expect(f"slack/direct-{name}.txt", shown(message))
    assert "alice" not in json.dumps(message.blocks)


@pytest.mark.parametrize("notice", [told(LIMIT), told(RETRY), raised()])
def test_nobody_is_named(notice: Notice) -> None:
    """Promise 12: neither who started it nor who approved."""
    text = json.dumps(slack_message("#ai-spend", notice).blocks)
    assert "alice" not in text
    assert "carol" not in text
