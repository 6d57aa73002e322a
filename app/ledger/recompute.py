"""Recompute: what entries and live holds say every budget, session and tab should show, and where that differs.

Nothing is repaired in passing: a difference is a mistake in the code, and somebody has to look at it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.ledger.books import Books, BudgetChange, Cause, Place, SessionChange
from tabstop.budget import Amount


@dataclass(frozen=True, slots=True)
class Difference:
    """A projection that is not what the ledger says. what: `budget`, `session` or `tab`; id: its own; field: the column."""

    what: str
    id: str
    field: str
    shown: Any
    ledger: Any

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.what} {self.id}: {self.field} shows {self.shown}, the ledger says {self.ledger}"


def recompute(books: Books, now: datetime) -> list[Difference]:
    """Every difference; empty when the projections equal the ledger."""
    places = books.all_places()
    return [*_budgets(books, places, now), *_causes(books, places), *_sessions(books), *_tabs(books, places)]


def _budgets(books: Books, places: dict[int, Place], now: datetime) -> Iterator[Difference]:
    right: dict[int, BudgetChange] = {}
    for sums in books.entry_sums():
        place = places[sums.place_id]
        spent = Amount(sums.nano + (sums.notional if place.counts_notional else 0), sums.tokens)
        unplaced = spent if place.tab_id is None else Amount()
        for budget_id in place.budget_ids:
            more = BudgetChange(spent, Amount(), sums.notional, sums.unknown, unplaced)
            right[budget_id] = right.get(budget_id, BudgetChange()) + more
    for session in books.live_sessions():
        for budget_id in places[session.place_id].budget_ids:
            right[budget_id] = right.get(budget_id, BudgetChange()) + BudgetChange(held=session.held)
    shown = {budget.id: budget for budget in books.all_budgets(now)}
    for budget_id in sorted(right.keys() | shown.keys()):
        says = right.get(budget_id, BudgetChange())
        budget = shown.get(budget_id)
        if budget is None:
            yield Difference("budget", str(budget_id), "id", "nothing", "entries")
            continue
        for field in ("spent", "held", "notional", "unknown_usages", "unplaced"):
            if getattr(budget, field) != getattr(says, field):
                yield Difference("budget", str(budget_id), field, getattr(budget, field), getattr(says, field))


def _causes(books: Books, places: dict[int, Place]) -> Iterator[Difference]:
    right: dict[tuple[int, Cause], Amount] = {}
    for sums in books.cause_sums():
        place = places[sums.place_id]
        amount = Amount(sums.nano + (sums.notional if place.counts_notional else 0), sums.tokens)
        for budget_id in place.budget_ids:
            right[budget_id, sums.cause] = right.get((budget_id, sums.cause), Amount()) + amount
    shown = books.all_causes()
    for budget_id, cause in sorted(right.keys() | shown.keys()):
        says, shows = right.get((budget_id, cause), Amount()), shown.get((budget_id, cause), Amount())
        if says != shows:
            yield Difference("budget", str(budget_id), f"charged as {cause}", shows, says)


def _sessions(books: Books) -> Iterator[Difference]:
    right: dict[str, SessionChange] = {}
    for sums in books.entry_sums():
        more = SessionChange(Amount(sums.nano, sums.tokens), sums.notional, sums.unknown)
        right[sums.session_id] = right.get(sums.session_id, SessionChange()) + more
    for session_id, (calls, tools) in books.count_calls().items():
        more = SessionChange(iterations=calls, tool_calls=tools)
        right[session_id] = right.get(session_id, SessionChange()) + more
    for session in books.all_sessions():
        says = right.pop(session.id, SessionChange())
        for field in ("spent", "notional", "unknown_usages", "iterations", "tool_calls"):
            if getattr(session, field) != getattr(says, field):
                yield Difference("session", session.id, field, getattr(session, field), getattr(says, field))
        if session.ended_at is not None and session.held != Amount():
            yield Difference("session", session.id, "held", session.held, Amount())
    for session_id in right:
        yield Difference("session", session_id, "id", "nothing", "entries")


def _tabs(books: Books, places: dict[int, Place]) -> Iterator[Difference]:
    nothing = SessionChange()
    right: dict[tuple[int, str], SessionChange] = {}
    for sums in books.entry_sums():
        tab_id = places[sums.place_id].tab_id
        if tab_id is not None:
            key = (tab_id, sums.session_id)
            more = SessionChange(Amount(sums.nano, sums.tokens), sums.notional, sums.unknown)
            right[key] = right.get(key, nothing) + more
    shown = books.all_tab_shares()
    for key in sorted(right.keys() | shown.keys()):
        says, shows = right.get(key, nothing), shown.get(key, nothing)
        if says != shows:
            yield Difference("tab", str(key[0]), f"what {key[1]} spent on it", shows, says)
