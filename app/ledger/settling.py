"""Settling: usage eats a session's hold first, then the room its budgets have left, then it overshoots."""

from __future__ import annotations

from collections.abc import Mapping

from app.ledger.books import Cause, Place, SessionRow
from app.ledger.postings import Postings, changed
from tabstop.budget import Amount, Budget
from tabstop.hold import topped_up


class Settling:
    """Follows one session's hold through a batch. `old` is where the hold lies, `current` where new usage goes."""

    def __init__(
        self, session: SessionRow, budgets: Mapping[int, Budget], places: Mapping[int, Place], current_id: int
    ) -> None:
        """Start from the budgets as they are, this session's hold included."""
        self._session = session
        self._budgets = budgets
        self._places = places
        self._current_id = current_id
        self._left = session.held
        self._taken: dict[int, Amount] = dict.fromkeys(budgets, Amount())

    def cause_of(self, place_id: int, amount: Amount) -> Cause:
        """Why this much may be charged now, taking it from the hold and then from the room."""
        if self._session.ended_at is not None:
            return Cause.LATE
        from_hold = amount.at_most(self._left).at_least_zero() if place_id == self._session.place_id else Amount()
        self._left -= from_hold
        beyond = amount - from_hold
        budget_ids = self._places[place_id].budget_ids
        fits = all(self._budgets[b].fits(self._taken[b] + beyond) for b in budget_ids) or beyond == Amount()
        for budget_id in budget_ids:
            self._taken[budget_id] += beyond
        return Cause.ADMITTED if fits else Cause.OVERSHOOT

    def close(self, postings: Postings) -> tuple[Amount, bool]:
        """Release what was used, move the rest to the current windows, top it up. Returns the hold and whether it is full.

        An ended session holds nothing and needs nothing.
        """
        if self._session.ended_at is not None:
            return self._session.held, True
        if self._current_id != self._session.place_id:
            postings.hold(self._session.place_id, -self._session.held)
            self._left = Amount()
        else:
            postings.hold(self._session.place_id, self._left - self._session.held)
        after = [changed(self._budgets[b], postings.budgets[b]) for b in self._places[self._current_id].budget_ids]
        add, full = topped_up(self._wanted(postings), self._left, after)
        postings.hold(self._current_id, add)
        return self._left + add, full

    def _wanted(self, postings: Postings) -> Amount:
        """The hold to keep: what admission found right, but no more than the session may still spend."""
        used = self._session.spent + postings.sessions[self._session.id].spent
        limits = self._session.limits
        cost, tokens = limits.get("cost"), limits.get("tokens")
        return Amount(
            self._session.wanted.nano if cost is None else min(self._session.wanted.nano, cost - used.nano),
            self._session.wanted.tokens if tokens is None else min(self._session.wanted.tokens, tokens - used.tokens),
        ).at_least_zero()
