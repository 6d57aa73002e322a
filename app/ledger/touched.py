"""Which budgets work at a place touches, and where it goes when a window of its place has ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.ledger.books import Books, Place, SessionRow
from tabstop.budget import Budget, BudgetKey, Scope
from tabstop.policy.model import Cap, Policy
from tabstop.window import chargeable_at, window_at


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
    """Where a session's usage goes: `place_id` now, and until when its earlier places took it, oldest first."""

    place_id: int
    place: Place
    earlier: tuple[tuple[datetime, int], ...] = ()

    def place_for(self, occurred_at: datetime) -> int:
        """The place of a usage: the windows the session was admitted in until they end, the next ones after.

        It goes by when the usage happened, so that the order in which reports arrive does not matter.
        """
        for until, place_id in self.earlier:
            if occurred_at < until:
                return place_id
        return self.place_id


def current_place(
    books: Books,
    session: SessionRow,
    places: dict[int, Place],
    budgets: dict[int, Budget],
    policy: Policy,
    login: str,
    now: datetime,
) -> Current:
    """The session's place in the windows of now. Places and budgets it needs are added to `places` and `budgets`.

    A session that has ended takes no new windows: its late usage belongs to those it was admitted in, or came to.
    """
    place = places[session.place_id]
    earlier = _earlier(books, session, places, budgets, now)
    ends = _first_end(place, budgets)
    if ends is None or now < ends or session.ended_at is not None:
        return Current(session.place_id, place, earlier)
    turned_id = _in_windows_of(books, place, places, budgets, policy, login, now, now)
    return Current(turned_id, places[turned_id], (*earlier, (ends, session.place_id)))


def places_by_time(
    books: Books,
    session: SessionRow,
    places: dict[int, Place],
    budgets: dict[int, Budget],
    policy: Policy,
    login: str,
    times: Sequence[datetime],
    now: datetime,
) -> Current:
    """Where usage of an unadmitted session goes: the windows in which it happened, at most 35 days back.

    times: when the usages to be placed happened. Places and budgets it needs are added to `places` and `budgets`.
    """
    place = places[session.place_id]
    at = chargeable_at(min(times, default=now), now)
    earlier: list[tuple[datetime, int]] = []
    while True:
        place_id = _in_windows_of(books, place, places, budgets, policy, login, at, now)
        end = _first_end(places[place_id], budgets)
        if end is None or end > now:
            return Current(place_id, places[place_id], tuple(earlier))
        earlier.append((end, place_id))
        at = end


def reach(
    books: Books, places: dict[int, Place], budgets: dict[int, Budget], place_ids: Iterable[int], now: datetime
) -> None:
    """Load places, and their budgets, that are not among those already loaded."""
    missing = set(place_ids) - places.keys()
    if missing:
        found = books.places(missing)
        places.update(found)
        touched = {b for place in found.values() for b in place.budget_ids} - budgets.keys()
        if touched:
            budgets.update(books.budgets_by_id(touched, now))


def _in_windows_of(
    books: Books,
    place: Place,
    places: dict[int, Place],
    budgets: dict[int, Budget],
    policy: Policy,
    login: str,
    at: datetime,
    now: datetime,
) -> int:
    """The same place in the windows of `at`; it and its budgets are added to `places` and `budgets`."""
    persons = {Scope.ENGINEER, Scope.GUEST, Scope.DOWNGRADE} & {budgets[b].key.scope for b in place.budget_ids}
    person = next(iter(persons), None)
    where = Where(books.organization_id, place.repository_id, place.tab_id, place.engineer_id, person, login)
    opened = books.budgets(touched_budgets(where, policy, books.timezone, at), now)
    budgets.update((budget.id, budget) for budget in opened)
    turned = replace(place, budget_ids=tuple(budget.id for budget in opened))
    turned_id = books.place_id(turned)
    places[turned_id] = turned
    return turned_id


def _earlier(
    books: Books, session: SessionRow, places: dict[int, Place], budgets: dict[int, Budget], now: datetime
) -> tuple[tuple[datetime, int], ...]:
    if not session.earlier_places:
        return ()
    reach(books, places, budgets, session.earlier_places, now)
    ends = [(_first_end(places[place_id], budgets), place_id) for place_id in session.earlier_places]
    return tuple((end, place_id) for end, place_id in ends if end is not None)


def _first_end(place: Place, budgets: dict[int, Budget]) -> datetime | None:
    """When the first of a place's windows ends; None when none does."""
    return min((end for b in place.budget_ids if (end := budgets[b].key.window.end) is not None), default=None)
