"""Reached: the places and budgets one transaction has loaded so far, and the only way to load more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.ledger.books import Books, Place
from app.ledger.touched import Where, touched_budgets
from tabstop.budget import Budget, Scope
from tabstop.policy.model import Policy

_PERSONS = {Scope.ENGINEER, Scope.GUEST, Scope.DOWNGRADE}


@dataclass(slots=True)
class Reached:
    """Places by id, and every budget of theirs by id, with the raises in force at `now`."""

    books: Books
    now: datetime
    places: dict[int, Place] = field(default_factory=dict)
    budgets: dict[int, Budget] = field(default_factory=dict)

    def reach(self, place_ids: Iterable[int]) -> Reached:
        """Load the places that are not loaded yet, with their budgets."""
        missing = set(place_ids) - self.places.keys()
        if missing:
            found = self.books.places(missing)
            self.places.update(found)
            touched = {b for place in found.values() for b in place.budget_ids} - self.budgets.keys()
            if touched:
                self.budgets.update(self.books.budgets_by_id(touched, self.now))
        return self

    def in_windows_of(self, place_id: int, at: datetime, policy: Policy, login: str) -> int:
        """The id of the same place in the windows of `at`, which are opened where they are not yet."""
        return self.opened(self.places[place_id], at, policy, login)

    def opened(self, place: Place, at: datetime, policy: Policy, login: str) -> int:
        """The id of this place in the windows of `at`; whose person's budget it draws on is read off the budgets it has."""
        person = next((s for b in place.budget_ids if (s := self.budgets[b].key.scope) in _PERSONS), None)
        where = Where(self.books.organization_id, place.repository_id, place.tab_id, place.engineer_id, person, login)
        opened = self.books.budgets(touched_budgets(where, policy, self.books.timezone, at), self.now)
        self.budgets.update((budget.id, budget) for budget in opened)
        turned = replace(place, budget_ids=tuple(budget.id for budget in opened))
        turned_id = self.books.place_id(turned)
        self.places[turned_id] = turned
        return turned_id

    def first_end(self, place_id: int) -> datetime | None:
        """When the first of a place's windows ends; None when none does."""
        ends = (self.budgets[b].key.window.end for b in self.places[place_id].budget_ids)
        return min((end for end in ends if end is not None), default=None)
