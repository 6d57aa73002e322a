"""What happens after the fact: endings, moves, new prices, raises; and the check that the projections are right."""

from __future__ import annotations

import pytest

from app.ledger.attribute_again import attribute_again
from app.ledger.books import BudgetChange, Cause, Place
from app.ledger.end_session import end_session
from app.ledger.move import move
from app.ledger.overdrives import grant, revoke
from app.ledger.recompute import recompute
from app.ledger.reprice import reprice
from app.ledger.unadmitted import TOLD_LATE, take_in
from app.registry import Store, Transaction
from app.store.memory import MemoryStore
from tabstop.budget import Amount, Scope
from tabstop.evidence import Evidence
from tabstop.money import dollars
from tabstop.session import SessionOutcome
from tabstop.window import WindowKind
from tabstop.wire import StartAnswer
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
    begin,
    begun,
    report,
)
from tests.ledger.drawn import a_dear_price


@pytest.fixture
def store() -> Store:
    return MemoryStore()


@pytest.fixture
def books(store: Store) -> Transaction:
    return store.open(an_organization(store).id).__enter__()


def outcome_of(books: Transaction) -> SessionOutcome | None:
    session = books.session("session-one")
    assert session is not None
    return session.outcome


def test_an_end_releases_the_hold_once(books: Transaction) -> None:
    """Ending it again changes nothing."""
    session = begun(books, a_start())
    ended = end_session(books, session, SessionOutcome.FINISHED, "done", at(1))
    assert end_session(books, ended, SessionOutcome.FAILED, "again", at(2)) == ended
    assert {budget.held for budget in books.all_budgets(NOW)} == {Amount()}
    assert outcome_of(books) is SessionOutcome.FINISHED


def test_a_sessions_own_word_replaces_what_was_inferred(books: Transaction) -> None:
    """Silent or cancelled is what it looked like from outside; the session itself may still say how it ended."""
    session = begun(books, a_start())
    silent = end_session(books, session, SessionOutcome.SILENT, "", at(1))
    silent = end_session(books, silent, SessionOutcome.CANCELLED, "", at(2))
    assert outcome_of(books) is SessionOutcome.SILENT
    end_session(books, silent, SessionOutcome.STOPPED_COST, "cap", at(3))
    assert outcome_of(books) is SessionOutcome.STOPPED_COST
    assert recompute(books, NOW) == []


def test_endings_teach_what_sessions_need(books: Transaction) -> None:
    """The next hold is what 9 of 10 needed."""
    for number in range(10):
        session = begun(books, a_start(str(number)))
        report(books, session.id, a_report([a_usage(f"k{number}", tokens=(number + 1) * 100_000)]))
        stored = books.session(session.id)
        assert stored is not None
        end_session(books, stored, SessionOutcome.FINISHED, "", at(number))
    assert books.learned(REPOSITORY, "claude-code")[0] == Amount(dollars("0.9"), 900_000)


def test_a_move_takes_from_one_place_and_gives_to_another(books: Transaction) -> None:
    """-A, +B, in one transaction, with an audit row; moving again changes nothing (promise 1)."""
    session = begun(books, a_start())
    begun(books, a_start("two", branch="other"))
    report(books, session.id, a_report([a_usage("a"), a_usage("b")]))
    ids = [row.id for row in books.usages_of(session.id)]
    there = books.session("session-two")
    assert there is not None
    place = books.places([there.place_id])[there.place_id]
    for expected in (2, 0):
        moved = move(books, ids, place, why="wrong branch", steps=(75, 90), now=at(1))
        assert moved == expected
    tabs = {b.key.subject_id: b.spent.tokens for b in books.all_budgets(NOW) if b.key.scope is Scope.TAB}
    assert tabs == {session.tab_id: 0, there.tab_id: 200_000}
    (organization,) = [b for b in books.all_budgets(NOW) if b.key.scope is Scope.ORGANIZATION]
    assert organization.spent.tokens == 200_000
    assert recompute(books, NOW) == []
    unattributed = Place(reason="nobody's")
    assert move(books, ids, unattributed, why="unknown", steps=(), now=at(2)) == 2
    assert recompute(books, NOW) == []


def test_a_policys_new_windows_move_nothing(books: Transaction) -> None:
    """What lies where it belongs stays charged to the month it was charged to, though the policy counts by the week since."""
    take_in(books, a_start(), at(-600), NOW, lambda session: StartAnswer(TOLD_LATE, session.id, "", None))
    report(books, "session-one", a_report([a_usage("k", occurred_at=at(-300))]))
    entries, session = books.all_entries(), books.session("session-one")
    assert session is not None
    weekly = a_policy(engineer=a_cap("1000", window=WindowKind.WEEK))
    assert attribute_again(books, session, weekly, "alice", at(1)) == 0
    assert books.all_entries() == entries


def test_a_price_that_becomes_known_is_charged(books: Transaction) -> None:
    """Entries bring each usage to its new cost; unknown ones are unknown no more; nothing twice."""
    session = begun(books, a_start())
    report(books, session.id, a_report([a_usage("a", model="mystery"), a_usage("b")]))
    ids = [row.id for row in books.usages_of(session.id)]
    assert reprice(books, ids, a_dear_price, why="new list", steps=(75, 90), now=at(1)) == 2
    assert reprice(books, ids, a_dear_price, why="new list", steps=(75, 90), now=at(2)) == 0
    tab = next(b for b in books.all_budgets(NOW) if b.key.scope is Scope.TAB)
    assert (tab.spent.nano, tab.unknown_usages) == (dollars("0.05") + dollars("0.2"), 0)
    assert {entry.cause for entry in books.all_entries()[2:]} == {Cause.REPRICED}


def test_a_raise_opens_the_gate_until_it_ends(books: Transaction) -> None:
    """Refused, raised, admitted; revoked or expired, refused again (and nobody running is touched)."""
    policy = a_policy(tab="1", hold="1")
    begun(books, a_start("one", policy=policy))
    assert begin(books, a_start("two", policy=policy)).status == 403
    tab = next(b for b in books.all_budgets(NOW) if b.key.scope is Scope.TAB)
    raised = grant(books, tab, Amount(dollars(2)), expires_at=at(60), approver="bob", why="release", now=NOW)
    begun(books, a_start("three", policy=policy))
    assert begin(books, a_start("four", policy=policy), at(61)).status == 403
    revoke(books, raised, tab, why="done", now=at(1))
    stored = books.overdrive(raised.id)
    assert stored is not None
    revoke(books, stored, tab, why="again", now=at(2))
    assert begin(books, a_start("five", policy=policy), at(3)).status == 403
    assert len(books.live_sessions()) == 2


def test_recompute_finds_what_is_wrong(books: Transaction) -> None:
    """A projection that drifted is named with both figures."""
    session = begun(books, a_start())
    report(books, session.id, a_report([a_usage("a")]))
    budget = books.all_budgets(NOW)[0]
    books.change_budgets({budget.id: BudgetChange(spent=Amount(1, 0))})
    (found,) = recompute(books, NOW)
    assert (found.what, found.id, found.field) == ("budget", str(budget.id), "spent")
    assert str(budget.id) in str(found)


def test_a_report_that_tells_no_place_corrects_one_that_did(books: Transaction) -> None:
    """A proxy knows the counts, and the log before it where the call was made: what is known of the place stays."""
    begun(books, a_start())
    begun(books, a_start("two", agent="proxy"))
    report(books, "session-one", a_report([a_usage("k", tokens=1_000, evidence=Evidence(branch="fix"))]))
    recorded = report(books, "session-two", a_report([a_usage("k", "other", tokens=2_000)]))
    assert (recorded.new, recorded.known) == (0, 1)
    (row,) = books.usages_of("session-one")
    assert row.tokens.output == 2_000
    assert books.evidence([row.evidence_id or 0])[row.evidence_id or 0].branch == "fix"
    assert recompute(books, NOW) == []
