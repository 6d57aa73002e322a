"""Settling: usage eats a session's hold first, then the room its budgets have left, then it overshoots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.ledger.books import Cause, SessionRow
from app.ledger.postings import Postings, Sums, changed, counted, together
from app.ledger.reached import Reached
from tabstop.budget import Amount, Budget
from tabstop.hold import topped_up

_NO_END = 2**62


class _Account:
    """What one session may still charge to one budget: its own hold, and the room nobody holds."""

    __slots__ = ("held_nano", "held_tokens", "room_nano", "room_tokens")

    def __init__(self, budget: Budget, own: Amount) -> None:
        self.held_nano, self.held_tokens = own.nano, own.tokens
        self.room_nano = _NO_END if budget.nano_room is None else budget.nano_room
        self.room_tokens = _NO_END if budget.token_room is None else budget.token_room

    def has(self, nano: int, tokens: int) -> bool:
        """Whether this much, none of it negative, could be charged, be it at once or bit by bit."""
        return (nano <= self.held_nano or nano <= self.held_nano + self.room_nano) and (
            tokens <= self.held_tokens or tokens <= self.held_tokens + self.room_tokens
        )

    def take(self, nano: int, tokens: int) -> bool:
        """Charge this much; False when the room was gone. What is taken back leaves room."""
        fits = True
        if nano > self.held_nano:
            self.room_nano -= nano - self.held_nano
            self.held_nano = 0
            fits = self.room_nano >= 0
        elif nano >= 0:
            self.held_nano -= nano
        else:
            self.room_nano -= nano
        if tokens > self.held_tokens:
            self.room_tokens -= tokens - self.held_tokens
            self.held_tokens = 0
            fits = fits and self.room_tokens >= 0
        elif tokens >= 0:
            self.held_tokens -= tokens
        else:
            self.room_tokens -= tokens
        return fits


class Settling:
    """Follows one session's hold through a batch. The hold lies in the session's place; new usage goes to `current_id`."""

    def __init__(self, session: SessionRow, reached: Reached, current_id: int) -> None:
        """Start from the budgets as they are, this session's hold included."""
        self._session = session
        self._reached = reached
        self._current_id = current_id
        self._accounts: dict[int, _Account] = {}

    def causes_of(self, place_id: int, usages: Sequence[Sums]) -> list[Cause]:
        """Why new usages with these sums may be posted now, in this order: they eat the hold and then the room.

        Where all of them fit, each does, and they are taken at once.
        """
        place = self._reached.places[place_id]
        whole = counted(place, together(usages))
        if all(account.has(whole.nano, whole.tokens) for account in self._accounts_at(place_id)):
            return [self.take(place_id, whole)] * len(usages)
        return [self.take(place_id, counted(place, sums)) for sums in usages]

    def cause_for(self, session_id: str, place_id: int, amount: Amount) -> Cause:
        """Why something already stored may change by this much: growth of the session's own is settled like new usage.

        What shrinks, and what belongs to another session, is a correction.
        """
        cause = self.take(place_id, amount)
        grows = amount.nano > 0 or amount.tokens > 0
        return cause if grows and session_id == self._session.id else Cause.CORRECTED

    def take(self, place_id: int, amount: Amount) -> Cause:
        """Charge this much to a place's budgets, below zero to give it back, and say why it may be."""
        if self._session.unadmitted:
            return Cause.UNADMITTED
        if self._session.ended_at is not None:
            return Cause.LATE
        # A list: every account is charged, whatever the others have.
        fits = [account.take(amount.nano, amount.tokens) for account in self._accounts_at(place_id)]
        return Cause.ADMITTED if all(fits) else Cause.OVERSHOOT

    def close(self, postings: Postings) -> tuple[Amount, tuple[Budget, ...]]:
        """Give the hold back and take anew what the session should have, where its usage goes now.

        Returns the hold and the budgets that leave it too little to work on. It never takes a budget past its cap: one that was
        passed for another reason gets no hold at all. An ended session holds nothing and needs nothing.
        """
        session = self._session
        if session.ended_at is not None or session.unadmitted:
            return session.held, ()
        postings.hold(session.place_id, -session.held)
        changes = postings.budget_changes()
        after = [
            changed(self._reached.budgets[b], changes[b]) if b in changes else self._reached.budgets[b]
            for b in self._reached.places[self._current_id].budget_ids
        ]
        held, short = topped_up(self._wanted(postings), Amount(), after)
        postings.hold(self._current_id, held)
        return held, short

    def _accounts_at(self, place_id: int) -> list[_Account]:
        return [self._account(b) for b in self._reached.places[place_id].budget_ids]

    def _account(self, budget_id: int) -> _Account:
        if budget_id not in self._accounts:
            holds = budget_id in self._reached.places[self._session.place_id].budget_ids
            own = self._session.held if holds else Amount()
            self._accounts[budget_id] = _Account(self._reached.budgets[budget_id], own)
        return self._accounts[budget_id]

    def _wanted(self, postings: Postings) -> Amount:
        """The hold to keep: what admission found right, but no more than the session may still spend."""
        session, change = self._session, postings.session_change(self._session.id)
        counts_notional = self._reached.places[self._current_id].counts_notional
        spent, notional = session.spent + change.spent, session.notional + change.notional
        limits = session.limits
        cost, tokens = limits.get("cost"), limits.get("tokens")
        wanted = session.wanted
        if cost is not None:
            used = spent.nano + (notional if counts_notional else 0)
            wanted = replace(wanted, nano=min(wanted.nano, cost - used))
        if tokens is not None:
            wanted = replace(wanted, tokens=min(wanted.tokens, tokens - spent.tokens))
        if session.billing.notional and not counts_notional:
            wanted = replace(wanted, nano=0)  # its dollars count nowhere
        return wanted.at_least_zero()
