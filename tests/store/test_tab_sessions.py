"""The sessions of a tab, in every kind of store: who began there, who came by, and what each spent on it."""

from __future__ import annotations

from dataclasses import replace

from app.ledger.books import SessionChange
from app.ledger.recompute import recompute
from app.registry import Store
from tabstop.budget import Amount
from tabstop.evidence import Evidence
from tabstop.money import dollars
from tests.ledger.builders import (
    NOW,
    REPOSITORY,
    a_report,
    a_start,
    a_usage,
    an_organization,
    at,
    begun,
    report,
)


def test_what_each_spent_there(store: Store) -> None:
    """A session's totals on a tab are of that tab alone; newest first, whether it began there or not."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        first = begun(books, a_start("first", branch="a"))
        second = begun(books, a_start("second", branch="b"), at(1))
        idle = begun(books, a_start("idle", branch="a"), at(2))
        report(books, first.id, a_report([a_usage("1"), a_usage("2", occurred_at=at(1), evidence=Evidence("", "b"))]))
        report(books, second.id, a_report([a_usage("3", model="mystery")]))
        a, b = (books.open_tab(REPOSITORY, branch, NOW).id for branch in "ab")
        assert [(one.id, one.spent.nano, one.elsewhere) for one in books.sessions_of_tab(a)] == [
            (idle.id, 0, False),
            (first.id, dollars("0.10"), True),
        ]
        assert [(one.id, one.spent.nano, one.unknown_usages, one.elsewhere) for one in books.sessions_of_tab(b)] == [
            (second.id, 0, 1, False),
            (first.id, dollars("0.10"), 0, True),
        ]
        assert [one.id for one in books.sessions_of_tab(b, limit=1)] == [second.id]
        assert (books.count_sessions_of_tab(a), books.count_sessions_of_tab(b), books.count_sessions_of_tab(1)) == (
            2,
            2,
            0,
        )
        assert recompute(books, NOW) == []


def test_shares_add_up_and_go(store: Store) -> None:
    """What was moved away leaves nobody behind; a share that is wrong is found."""
    organization, other = an_organization(store).id, an_organization(store, "other").id
    some = SessionChange(Amount(5, 7), 3, 1)
    with store.open(organization) as books:
        session = begun(books, a_start("one", branch="a"))
        books.add_to_tabs({(1, session.id): some, (2, session.id): some})
        books.add_to_tabs({(1, session.id): SessionChange(Amount(-5, -7), -3, -1)})
        assert books.all_tab_shares() == {(1, session.id): SessionChange(), (2, session.id): some}
        assert books.sessions_of_tab(1) == []
        (found,) = books.sessions_of_tab(2)
        assert found == replace(found, spent=Amount(5, 7), notional=3, unknown_usages=1)
        wrong = [str(one) for one in recompute(books, NOW)]
        assert len(wrong) == 1
        assert wrong[0].startswith(f"tab 2: what {session.id} spent on it shows")
    with store.look(other) as books:
        assert books.all_tab_shares() == {}
