"""Single sessions at the operator's desk: paused, let go on, and given more than their limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.ledger.books import Place, SessionRow
from app.ledger.end_session import end_session
from tabstop.money import dollars
from tabstop.session import SessionOutcome
from tests.cli_operator.operator_at_work import Acme, AtWork

LIMITS = {"tokens": 100_000, "tool_calls": None, "iterations": 50, "wall_clock_seconds": None, "cost": dollars("5")}


def begun(at_work: AtWork, acme: Acme) -> None:
    """A session of alice's that runs."""
    now = datetime.now(UTC)
    with at_work.store().open(acme.organization.id) as books:
        tab_id = acme.pull_request.tab_id
        place = books.place_id(Place(tab_id=tab_id, repository_id=acme.widget.id, engineer_id=acme.alice.id))
        row = SessionRow(
            "ses_1", acme.widget.id, acme.alice.id, tab_id, place, "claude-code", now, now + timedelta(hours=1)
        )
        books.add_session(replace(row, limits=LIMITS))


def stored(at_work: AtWork, acme: Acme) -> SessionRow:
    """It, as the server sees it."""
    with at_work.store().look(acme.organization.id) as books:
        session = books.session("ses_1")
    assert session is not None
    return session


def test_pause_and_resume(at_work: AtWork) -> None:
    """The server tells it at its next report; both are said once."""
    acme = at_work.with_acme()
    begun(at_work, acme)
    said = [at_work.types("session", "pause", "ses_1", "--why", "odd").output for _ in range(2)]
    assert said == [
        "ses_1 is paused: it is suspended when it reports next. `session resume ses_1` ends the pause.\n",
        "ses_1 is already paused.\n",
    ]
    assert stored(at_work, acme).paused_at is not None
    said = [at_work.types("session", "resume", "ses_1").output for _ in range(2)]
    assert said == ["ses_1 is not paused any more.\n", "ses_1 is not paused.\n"]
    assert stored(at_work, acme).paused_at is None


def test_a_session_nobody_knows(at_work: AtWork) -> None:
    """In no organization."""
    at_work.with_acme()
    result = at_work.types("session", "pause", "ses_9", "--why", "x")
    assert (result.exit_code, "There is no session ses_9" in result.output) == (1, True)


def test_more_than_its_limits(at_work: AtWork) -> None:
    """An operator needs no policy's word; the answer has the new limits."""
    acme = at_work.with_acme()
    begun(at_work, acme)
    grant = ("overdrive", "grant", "--session", "ses_1", "--why", "release week")
    result = at_work.types(*grant, "--amount", "$2", "--tokens", "50k", "--iterations", "10", "--for", "2h")
    assert result.exit_code == 0, result.output
    assert "Session ses_1 may use 50k tokens, 10 iterations and $2.00 more, until " in result.output
    assert (
        "Its cost limit is now $7.00. Its token limit is now 150k tokens. Its iteration limit is now 60."
        in result.output
    )
    limits = stored(at_work, acme).limits
    assert (limits["cost"], limits["tokens"], limits["iterations"]) == (dollars("7"), 150_000, 60)


def test_a_session_that_ended_goes_on_as_it_may(at_work: AtWork) -> None:
    """It takes a hold again where there is room; where there is none the operator reads why, and nothing is raised."""
    acme = at_work.with_acme()
    begun(at_work, acme)
    store = at_work.store()
    with store.open(acme.organization.id) as books:
        session = books.session("ses_1")
        assert session is not None
        end_session(books, session, SessionOutcome.SUSPENDED, "", datetime.now(UTC))
        books.save_organization(replace(books.organization(), paused=True))
    grant = ("overdrive", "grant", "--session", "ses_1", "--why", "x", "--amount", "$2", "--by", "alice")
    refused = at_work.types(*grant)
    assert refused.exit_code == 1
    assert "Not raised" in refused.output
    assert "paused new sessions" in refused.output
    at_work.types("resume", "acme")
    assert at_work.types(*grant).exit_code == 0
    assert stored(at_work, acme).ended_at is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--amount", "$2", "--tab", "widget#7"), "Name one session or one budget"),
        ((), "Say by how much"),
        (("--tool-calls", "5"), "This session has no limit of tool_calls."),
    ],
)
def test_what_cannot_be_granted(at_work: AtWork, words: tuple[str, ...], said: str) -> None:
    """The mistake, in words."""
    acme = at_work.with_acme()
    begun(at_work, acme)
    result = at_work.types("overdrive", "grant", "--session", "ses_1", "--why", "x", *words)
    assert result.exit_code
    assert said in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tab", "widget#7", "--amount", "$2"), "Missing option '--organization'"),
        (("--organization", "acme", "--tab", "widget#7", "--iterations", "5", "--amount", "$2"), "need --session"),
    ],
)
def test_a_budget_is_not_a_session(at_work: AtWork, words: tuple[str, ...], said: str) -> None:
    """What only a session has is not taken for a budget."""
    at_work.with_acme()
    assert said in at_work.types("overdrive", "grant", "--why", "x", *words).output
