"""Which budgets work at a place touches, and where it goes when a window of its place has ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from app.ledger.books import Books, Place, SessionRow
from tabstop.budget import Budget, BudgetKey, Scope
from tabstop.policy.model import Cap, Policy
from tabstop.window import window_at


@dataclass(frozen=True, slots=True)
class Where:
    """A place before its windows are known. person: whose budget is drawn on (engineer, guest, downgrade); None: nobody's."""

    organization_id: int
    repository_id: int | None
    tab_id: int | None
    engineer_id: int | None
    person: Scope | None
    login: str = ""


def touched_budgets(where: Where, policy: Policy, timezone: str, at: datetime) -> list[tuple[BudgetKey, Cap]]:
    """Every budget that work there and then touches, with its cap by the policy: tab, person, repository, organization."""
    person_cap = policy.engineer_cap(where.login)
    wanted: list[tuple[Scope, int | None, Cap]] = [(Scope.TAB, where.tab_id, policy.tab)]
    match where.person:
        case Scope.GUEST:
            wanted.append((Scope.GUEST, where.repository_id, policy.guest))
        case Scope.DOWNGRADE:
            wanted.append((Scope.DOWNGRADE, where.engineer_id, downgrade_cap(policy, person_cap)))
        case Scope.ENGINEER:
            wanted.append((Scope.ENGINEER, where.engineer_id, person_cap))
    wanted.append((Scope.REPOSITORY, where.repository_id, policy.repository))
    wanted.append((Scope.ORGANIZATION, where.organization_id, policy.organization))
    return [
        (BudgetKey(scope, subject, window_at(cap.window, timezone, at)), cap)
        for scope, subject, cap in wanted
        if subject is not None
    ]


def downgrade_cap(policy: Policy, engineer: Cap) -> Cap:
    """The cap of the budget that sessions on cheaper models draw on: in the window of the engineer's own."""
    return Cap(nano=policy.downgrade.cap, window=engineer.window, why="cheaper models after the budget is empty")


@dataclass(frozen=True, slots=True)
class Current:
    """Where a session's usage goes now. turned_at: when the first of its old windows ended; None while all are open."""

    place_id: int
    place: Place
    turned_at: datetime | None = None

    def place_for(self, occurred_at: datetime, admitted_place_id: int) -> int:
        """The place of a usage: the windows the session was admitted in until they end, the current ones after."""
        if self.turned_at is None or occurred_at < self.turned_at:
            return admitted_place_id
        return self.place_id


def current_place(
    books: Books,
    session: SessionRow,
    place: Place,
    budgets: dict[int, Budget],
    policy: Policy,
    login: str,
    now: datetime,
) -> Current:
    """The session's place in the windows of now; budgets opened for it are added to `budgets`, which has those of `place`.

    A session that has ended keeps its place: its late usage belongs to the windows it was admitted in.
    """
    ends = [budgets[b].key.window.end for b in place.budget_ids]
    turned = min((end for end in ends if end is not None and end <= now), default=None)
    if turned is None or session.ended_at is not None:
        return Current(session.place_id, place)
    persons = {Scope.ENGINEER, Scope.GUEST, Scope.DOWNGRADE} & {budgets[b].key.scope for b in place.budget_ids}
    where = Where(
        books.organization_id,
        place.repository_id,
        place.tab_id,
        place.engineer_id,
        next(iter(persons), None),
        login,
    )
    opened = books.budgets(touched_budgets(where, policy, books.timezone, now), now)
    budgets.update({budget.id: budget for budget in opened})
    moved = replace(place, budget_ids=tuple(budget.id for budget in opened))
    return Current(books.place_id(moved), moved, turned)
