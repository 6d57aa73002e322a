"""A session that turns out to be another engineer's: the person's budget changes, everything else stays what it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from app.ledger.assign import Word, assign
from app.ledger.books import SessionRow
from app.ledger.by_hand import Target
from app.ledger.end_session import end_session
from app.ledger.hand_over import hand_over
from app.ledger.recompute import recompute
from app.registry import Engineer, EngineerKind, Store, Transaction
from tabstop.budget import Scope
from tabstop.money import dollars
from tabstop.policy.model import Downgrade, OnEmpty
from tabstop.session import SessionOutcome
from tabstop.window import WindowKind
from tests.ledger.always import entries_of
from tests.ledger.builders import (
    NOW,
    REPOSITORY,
    a_cap,
    a_policy,
    a_report,
    a_start,
    a_usage,
    an_organization,
    at,
    begun,
    report,
)
from tests.support.stores import KINDS

BOT = Engineer(0, 601, "renovate[bot]", EngineerKind.BOT)
WHY = "said so"
MILLION = 1_000_000


@pytest.fixture(params=KINDS)
def books(request: pytest.FixtureRequest, new_store: Callable[[str], Store]) -> Iterator[Transaction]:
    """An organization's books, open on each kind of store."""
    store = new_store(request.param)
    with store.open(an_organization(store).id) as books:
        yield books


def people(books: Transaction) -> tuple[Engineer, Engineer]:
    """The bot, and alice."""
    alice = Engineer(0, 501, "alice", EngineerKind.MEMBER, NOW)
    return books.save_engineer(BOT), books.save_engineer(alice)


def ended(books: Transaction, session: SessionRow) -> SessionRow:
    """It finishes."""
    end_session(books, session, SessionOutcome.FINISHED, "", at(60))
    return again(books, session)


def again(books: Transaction, session: SessionRow) -> SessionRow:
    """As it is now."""
    found = books.session(session.id)
    assert found
    return found


def spent(books: Transaction) -> dict[tuple[str, int], int]:
    """Dollars of every budget that anything was spent of."""
    sums = {(b.key.scope.value, b.key.subject_id): b.spent.nano for b in books.all_budgets(at(90)) if b.spent.nano}
    return {key: nano // 1_000_000_000 for key, nano in sums.items()}


def test_the_person_s_budget_changes_and_nothing_else(books: Transaction) -> None:
    """A bot's run on a branch and beside it: the guest budget gets it back, alice's has it, tab and repository stay."""
    bot, alice = people(books)
    start = a_start("one", engineer_id=bot.id, person=Scope.GUEST, login=bot.login)
    session = begun(books, start)
    report(books, session.id, a_report([a_usage("a", tokens=2 * MILLION), a_usage("b", tokens=MILLION)]), at(5))
    before, tab = spent(books), session.tab_id or 0
    session = ended(books, again(books, session))

    assert hand_over(books, session, alice, Scope.ENGINEER, WHY, at(90)) == 2
    assert recompute(books, at(90)) == []
    assert before == {
        ("tab", tab): 3,
        ("guest", REPOSITORY): 3,
        ("repository", REPOSITORY): 3,
        ("organization", books.organization_id): 3,
    }
    after = spent(books)
    assert after == {
        ("tab", tab): 3,
        ("engineer", alice.id): 3,
        ("repository", REPOSITORY): 3,
        ("organization", books.organization_id): 3,
    }

    session = again(books, session)
    assert (session.engineer_id, session.spent.nano) == (alice.id, dollars(3))
    report(books, session.id, a_report([a_usage("late", tokens=MILLION)]), at(95))
    assert spent(books)["engineer", alice.id] == 4
    assert ("guest", REPOSITORY) not in spent(books)
    once = entries_of(books)
    assert hand_over(books, again(books, session), alice, Scope.ENGINEER, WHY, at(99)) == 0
    assert entries_of(books) == once


def test_what_was_assigned_by_hand_stays_where_it_is(books: Transaction) -> None:
    """Also what is told later."""
    bot, alice = people(books)
    session = begun(books, a_start("one", engineer_id=bot.id, person=Scope.GUEST, login=bot.login))
    report(books, session.id, a_report([a_usage("a", tokens=2 * MILLION)]), at(5))
    elsewhere = books.open_tab(REPOSITORY, "fix", NOW)
    assign(books, again(books, session), Target(elsewhere.id, REPOSITORY), Word("it was the fix"), at(6))
    session = ended(books, again(books, session))
    hand_over(books, session, alice, Scope.ENGINEER, WHY, at(90))
    report(books, session.id, a_report([a_usage("b", tokens=MILLION)]), at(95))
    assert recompute(books, at(95)) == []
    assert spent(books)["tab", elsewhere.id] == 3
    assert spent(books)["engineer", alice.id] == 3


def test_in_the_windows_in_which_it_was_charged(books: Transaction) -> None:
    """A budget by the day gets each call on its own day; one that nobody had draws on nobody's."""
    bot, alice = people(books)
    daily = a_policy(engineer=a_cap("100", window=WindowKind.DAY), guest=a_cap("100", window=WindowKind.DAY))
    start = a_start("one", engineer_id=bot.id, person=Scope.GUEST, login=bot.login, policy=daily)
    session = begun(books, start)
    calls = [a_usage("a", tokens=MILLION, occurred_at=at(1)), a_usage("b", tokens=MILLION, occurred_at=at(60 * 24))]
    for call in calls:
        report(books, session.id, a_report([call], policy=daily), call.occurred_at)
    end_session(books, again(books, session), SessionOutcome.FINISHED, "", at(60 * 25))
    hand_over(books, again(books, session), alice, Scope.ENGINEER, WHY, at(60 * 26))
    assert recompute(books, at(60 * 26)) == []
    # The policy in force has a budget by the month: the days' windows say when each was charged.
    found = [b for b in books.all_budgets(at(60 * 26)) if b.key.scope is Scope.ENGINEER and b.spent.nano]
    assert [(b.key.window.name, b.spent.nano) for b in found] == [("November 2026", dollars(2))]


def test_a_guest_in_no_repository_draws_on_nobody_s(books: Transaction) -> None:
    """As at a start: only the organization's budget bounds them there."""
    _, alice = people(books)
    start = a_start("one", branch="", repository_id=0, engineer_id=alice.id)
    session = begun(books, start)
    report(books, session.id, a_report([a_usage("a", tokens=MILLION)]), at(5))
    outsider = books.save_engineer(Engineer(0, 777, "eve", EngineerKind.OUTSIDE, NOW))
    hand_over(books, ended(books, again(books, session)), outsider, Scope.GUEST, WHY, at(90))
    assert recompute(books, at(90)) == []
    assert spent(books) == {("organization", books.organization_id): 1}


def test_cheaper_models_stay_a_budget_of_their_own(books: Transaction) -> None:
    """A downgraded session is charged to the other's budget for cheaper models."""
    _, alice = people(books)
    empty = a_policy(
        engineer=a_cap("0"), on_empty=OnEmpty.DOWNGRADE, downgrade=Downgrade(("claude-haiku-4-5",), dollars(5))
    )
    carol = books.save_engineer(Engineer(0, 502, "carol", EngineerKind.MEMBER, NOW))
    session = begun(books, a_start("one", policy=empty, engineer_id=carol.id, login="carol"))
    batch = a_report([a_usage("a", tokens=MILLION, model="claude-haiku-4-5")], policy=empty)
    report(books, session.id, batch, at(5))
    assert spent(books)["downgrade", carol.id] == 1
    hand_over(books, ended(books, again(books, session)), alice, Scope.ENGINEER, WHY, at(90))
    assert recompute(books, at(90)) == []
    assert spent(books)["downgrade", alice.id] == 1
    assert ("downgrade", carol.id) not in spent(books)


def test_a_running_session_keeps_whom_it_began_with(books: Transaction) -> None:
    """Its hold lies in that person's budget."""
    bot, alice = people(books)
    session = begun(books, a_start("one", engineer_id=bot.id, person=Scope.GUEST, login=bot.login))
    with pytest.raises(ValueError, match="has not ended"):
        hand_over(books, session, alice, Scope.ENGINEER, WHY, at(9))
    assert again(books, session) == replace(session, engineer_id=bot.id)
