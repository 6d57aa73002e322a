"""Budgets as stored: opened once per window, capped by the policy, raised by overdrives, never overbooked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.ledger.books import Books, BudgetChange, OverbookedError, Overdrive
from app.registry import Store
from tabstop.budget import Amount, Budget, BudgetKey, Scope
from tabstop.money import dollars
from tabstop.policy.model import Cap
from tabstop.window import WindowKind, window_at
from tests.ledger.builders import NOW, a_cap, an_organization, at

LONG_AGO = datetime(2026, 11, 1, tzinfo=UTC)


def key(
    scope: Scope, subject: int = 1, *, kind: WindowKind = WindowKind.MONTH, zone: str = "UTC", now: datetime = NOW
) -> BudgetKey:
    return BudgetKey(scope, subject, window_at(kind, zone, now))


def one(books: Books, cap: Cap, now: datetime = NOW, zone: str = "UTC") -> Budget:
    return books.budgets([(key(Scope.ENGINEER, kind=cap.window, zone=zone, now=now), cap)], now)[0]


def test_a_budget_is_opened_once_and_comes_back_in_order(store: Store) -> None:
    """The same keys give the same budgets, in the order they were asked for."""
    wanted = [
        (key(Scope.TAB, 7, kind=WindowKind.LIFETIME), a_cap("50", window=WindowKind.LIFETIME)),
        (key(Scope.REPOSITORY, 7), a_cap("100")),
        (key(Scope.ENGINEER, 7), a_cap(tokens=1_000)),
        (key(Scope.ORGANIZATION, 7), a_cap()),
    ]
    organization = an_organization(store)
    with store.open(organization.id) as books:
        first = books.budgets(wanted[:2], NOW)
    with store.open(organization.id) as books:
        again = books.budgets(list(reversed(wanted)), at(1))
        assert [budget.key for budget in again] == [key for key, _ in reversed(wanted)]
        assert again[2:] == list(reversed(first))
        assert books.budgets_by_id([first[0].id], NOW) == {first[0].id: first[0]}
        assert books.budgets_by_id([], NOW) == {}
        assert books.budgets([], NOW) == []


def test_every_window_has_its_own_budget(store: Store) -> None:
    """A new month begins at nothing: windows are part of the key, so no reset job exists."""
    with store.open(an_organization(store).id) as books:
        november = one(books, a_cap("10"))
        books.change_budgets({november.id: BudgetChange(spent=Amount(5, 5))})
        december = one(books, a_cap("10"), NOW + timedelta(days=12))
        assert december.spent == Amount()
        assert one(books, a_cap("10")).spent == Amount(5, 5)
        assert one(books, a_cap("10", window=WindowKind.WEEK)).id not in {november.id, december.id}


def test_a_timezone_applies_from_the_next_window(store: Store) -> None:
    """The running window stays the one it is, and the next begins where it ends: no instant is in two."""
    with store.open(an_organization(store).id) as books:
        utc = one(books, a_cap("10"))
        assert one(books, a_cap("10"), zone="Asia/Tokyo") == utc
        december = datetime(2026, 12, 1, 0, 5, tzinfo=UTC)
        tokyo = one(books, a_cap("10"), december, "Asia/Tokyo")
        assert tokyo.id != utc.id
        assert tokyo.key.window.start == utc.key.window.end
        assert tokyo.key.window.end == datetime(2026, 12, 31, 15, tzinfo=UTC)


def test_a_cap_follows_the_policy_with_an_audit_row(store: Store) -> None:
    """A changed cap is stored, told once with old and new; a changed reason alone is no decision."""
    organization = an_organization(store)
    with store.open(organization.id) as books:
        before = one(books, a_cap("10"))
        after = one(books, a_cap("4", why="audit season"))
        assert (after.id, after.cap_nano, after.why) == (before.id, dollars(4), "audit season")
        assert one(books, a_cap("4", why="other words")).why == "other words"
    store.seal_audit(organization.id, b"key")
    with store.look(organization.id) as books:
        rows = [found.row for found in books.audit_rows()]
        assert [(row.kind, row.subject) for row in rows] == [("budget.cap_changed", str(before.id))]
        assert rows[0].body["old"] == {"nano": dollars(10), "tokens": None, "why": ""}
        assert rows[0].body["new"] == {"nano": dollars(4), "tokens": None, "why": "audit season"}


def raise_of(budget: Budget, number: int, nano: int, **more: datetime | None) -> Overdrive:
    return Overdrive(number, budget.id, Amount(nano, nano), LONG_AGO, more.get("expires_at"), "bob", "why")


def test_raises_in_force_add_up(store: Store) -> None:
    """Every raise that is neither expired nor revoked counts; a budget comes once, however many it has."""
    with store.open(an_organization(store).id) as books:
        budget = one(books, a_cap("10"))
        books.add_overdrive(raise_of(budget, 1, 100))
        books.add_overdrive(raise_of(budget, 2, 20, expires_at=at(10)))
        books.add_overdrive(raise_of(budget, 3, 3))
        books.add_overdrive(replace(raise_of(budget, 4, 4_000), granted_at=at(60)))
        books.revoke_overdrive(3, at(5))
        books.revoke_overdrive(3, at(7))
        found = books.overdrive(3)
        assert found is not None
        assert found.revoked_at == at(5)
        assert one(books, a_cap("10")).raised == Amount(120, 120)
        assert one(books, a_cap("10"), at(10)).raised == Amount(100, 100)
        assert books.budgets_by_id([budget.id], at(61))[budget.id].raised == Amount(4_100, 4_100)
        assert [overdrive.id for overdrive in books.overdrives()] == [4, 3, 2, 1]
        assert [overdrive.id for overdrive in books.overdrives(in_force_at=at(1))] == [2, 1]
        assert books.overdrive(99) is None


def test_a_hold_beyond_a_ceiling_undoes_everything(store: Store) -> None:
    """Promise 3's last line: whatever was read before, the statement itself refuses."""
    organization = an_organization(store)
    with store.open(organization.id) as books:
        budget = one(books, a_cap("10", tokens=1_000))
        books.hold([budget], Amount(dollars(6), 10))
    with pytest.raises(OverbookedError), store.open(organization.id) as books:
        books.hold([budget], Amount(dollars(5), 0))
    with pytest.raises(OverbookedError), store.open(organization.id) as books:
        books.hold([budget], Amount(0, 991))
    with store.open(organization.id) as books:
        books.hold([replace(budget, raised=Amount(dollars(1), 0))], Amount(dollars(5), 990))
        assert one(books, a_cap("10", tokens=1_000)).held == Amount(dollars(11), 1_000)


def test_nothing_is_held_below_zero(store: Store) -> None:
    """A release that was not held is an error in the code, and the transaction is undone."""
    organization = an_organization(store)
    with store.open(organization.id) as books:
        budget = one(books, a_cap("10"))
    with pytest.raises(Exception, match=r"held|budget"), store.open(organization.id) as books:
        books.change_budgets({budget.id: BudgetChange(held=Amount(-1, 0))})


def test_amounts_are_larger_than_32_bits(store: Store) -> None:
    """A billion dollars of nano-dollars come back to the last one."""
    huge = 10**9 * 10**9 + 1
    with store.open(an_organization(store).id) as books:
        budget = one(books, a_cap())
        books.change_budgets({budget.id: BudgetChange(Amount(huge, 2**40), Amount(), huge, 7)})
        found = one(books, a_cap())
        assert (found.spent, found.notional, found.unknown_usages) == (Amount(huge, 2**40), huge, 7)


def test_a_step_latches_once(store: Store) -> None:
    """Steps latch per budget and step, and never re-arm."""
    organization = an_organization(store)
    with store.open(organization.id) as books:
        assert books.latch(1, 75)
        assert not books.latch(1, 75)
        assert books.latch(1, 90)
        assert books.latch(2, 75)
    with store.open(organization.id) as books:
        assert not books.latch(2, 75)


def test_budgets_are_found_by_subject(store: Store) -> None:
    """The budget whose window holds an instant; none before anything touched it."""
    with store.open(an_organization(store).id) as books:
        assert books.budget_in_window(Scope.ENGINEER, 1, NOW) is None
        budget = one(books, a_cap("10"))
        assert books.budget_in_window(Scope.ENGINEER, 1, NOW) == budget
        assert books.budget_in_window(Scope.ENGINEER, 1, NOW + timedelta(days=30)) is None
        assert books.budgets_of_tab(1, NOW) == []
        assert books.all_budgets(NOW) == [budget]
