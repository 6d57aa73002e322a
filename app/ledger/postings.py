"""Postings: entries and what they do to budgets and sessions, gathered in memory and written together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import compress
from typing import NamedTuple, TypeVar

from app.ledger.books import (
    BudgetChange,
    Cause,
    Entry,
    EntryKind,
    Job,
    Place,
    SessionChange,
    UsageRow,
)
from app.ledger.reached import Reached
from app.ledger.steps import latch_steps
from tabstop.budget import Amount, Budget, crossed
from tabstop.cost import CostState
from tabstop.money import Nano
from tabstop.usage import Billing, Grain, Tokens

# Looked up once: on Python 3.11 reaching a member through its enum takes 0.1 µs, and a batch does it for every usage.
_UNKNOWN, _CALL, _ADMITTED = CostState.UNKNOWN, Grain.CALL, Cause.ADMITTED
_NOTIONAL = frozenset(billing for billing in Billing if billing.notional)


class Sums(NamedTuple):
    """What a usage's entries add up to. unknown: 1 while it has tokens and no price."""

    nano: Nano = 0
    notional: Nano = 0
    tokens: int = 0
    unknown: int = 0

    def more(self, other: Sums) -> Sums:
        """Add part by part."""
        return Sums(
            self.nano + other.nano,
            self.notional + other.notional,
            self.tokens + other.tokens,
            self.unknown + other.unknown,
        )

    def less(self, other: Sums) -> Sums:
        """Subtract part by part."""
        return Sums(
            self.nano - other.nano,
            self.notional - other.notional,
            self.tokens - other.tokens,
            self.unknown - other.unknown,
        )


NOTHING = Sums()


def together(parts: Iterable[Sums]) -> Sums:
    """All of them added up, part by part."""
    return Sums(*map(sum, zip(*parts, strict=True)))


def sums_of(row: UsageRow) -> Sums:
    """What the entries of this usage have to add up to: promise 1 in one line."""
    tokens = row.tokens.total
    unknown = 1 if row.cost_state is _UNKNOWN and (tokens > 0 or row.web_searches > 0) else 0
    return Sums(0, row.cost, tokens, unknown) if row.billing in _NOTIONAL else Sums(row.cost, 0, tokens, unknown)


def counted(place: Place, sums: Sums) -> Amount:
    """What entries with these sums count for in their place's budgets."""
    return Amount(sums.nano + (sums.notional if place.counts_notional else 0), sums.tokens)


K = TypeVar("K")

_Posted = tuple[int, str, Cause]
"""What entries are added up by: place, session and cause. Budgets and sessions are added up from there."""


class Postings:
    """Entries about to be written, with the changes that follow from them. Only stored usages change before `write`."""

    def __init__(self, reached: Reached) -> None:
        """`reached` has every place that is posted to."""
        self.reached = reached
        self.books = reached.books
        self.now = reached.now
        self.places = reached.places
        self.entries: list[Entry] = []
        self._posted: dict[_Posted, Sums] = {}
        self._held: dict[int, Amount] = {}
        self._calls: dict[str, tuple[int, int]] = {}

    def charge(
        self,
        rows: Sequence[UsageRow],
        sums: Sequence[Sums],
        causes: Sequence[Cause],
        kind: EntryKind = EntryKind.CHARGE,
    ) -> None:
        """Post new usages of one session at one place, with what each adds up to and why it may be posted.

        An entry has its usage's id: both are new, once. At least one row.
        """
        place_id, session_id = rows[0].place_id, rows[0].session_id
        now = self.now
        self.entries += [
            Entry(
                row.id,
                row.id,
                kind,
                place_id,
                nano,
                notional,
                tokens,
                unknown,
                cause,
                row.occurred_at,
                now,
                "",
                session_id,
            )
            for row, (nano, notional, tokens, unknown), cause in zip(rows, sums, causes, strict=True)
            if nano or notional or tokens or unknown
        ]
        for cause in set(causes):
            those = compress(sums, (its is cause for its in causes))
            self._tally(place_id, session_id, cause, together(those))
        calls = [row.tool_calls for row in rows if row.grain is _CALL]
        if calls:
            self._count(session_id, len(calls), sum(calls))

    def correct(self, before: UsageRow, after: UsageRow, kind: EntryKind, cause: Cause, note: str) -> None:
        """Post the difference between two states of a usage, and store the new one."""
        self._post(after, before.place_id, sums_of(after).less(sums_of(before)), kind, cause, note)
        if after.grain is Grain.CALL:
            self._count(after.session_id, 0, after.tool_calls - before.tool_calls)
        self.books.change_usage(after)

    def drop(self, row: UsageRow, same_as: int) -> None:
        """Take back everything a usage was charged: it turned out to be another one."""
        if row.same_as is not None:
            return
        nothing = row._replace(
            tokens=Tokens(), web_searches=0, tool_calls=0, cost=0, same_as=same_as, disputed=False, told=""
        )
        note = f"the same response as usage {same_as}"
        self._post(row, row.place_id, NOTHING.less(sums_of(row)), EntryKind.CORRECT, Cause.CORRECTED, note)
        if row.grain is Grain.CALL:
            self._count(row.session_id, -1, -row.tool_calls)
        self.books.change_usage(nothing)

    def move(self, row: UsageRow, to_place: int, note: str) -> None:
        """Take a usage's sums from one place and put them in another: -A, +B."""
        sums = sums_of(row)
        self._post(row, row.place_id, NOTHING.less(sums), EntryKind.MOVE, Cause.MOVED, note)
        self._post(row, to_place, sums, EntryKind.MOVE, Cause.MOVED, note)
        self.books.change_usage(row._replace(place_id=to_place))

    def hold(self, place_id: int, amount: Amount) -> None:
        """Change what is held in a place's budgets."""
        if amount != Amount():
            for budget_id in self.places[place_id].budget_ids:
                self._held[budget_id] = self._held.get(budget_id, Amount()) + amount

    def budget_changes(self) -> dict[int, BudgetChange]:
        """What everything posted so far adds to each budget, in the order of their ids."""
        changes: dict[int, BudgetChange] = {}
        for place_id, sums in self._added_up(lambda posted: posted[0]).items():
            place = self.places[place_id]
            spent = counted(place, sums)
            unplaced = spent if place.tab_id is None else Amount()
            change = BudgetChange(spent, Amount(), sums.notional, sums.unknown, unplaced)
            for budget_id in place.budget_ids:
                changes[budget_id] = changes[budget_id] + change if budget_id in changes else change
        for budget_id, held in self._held.items():
            changes[budget_id] = changes.get(budget_id, BudgetChange()) + BudgetChange(held=held)
        return dict(sorted(changes.items()))

    def _cause_changes(self) -> dict[tuple[int, Cause], Amount]:
        changes: dict[tuple[int, Cause], Amount] = {}
        for (place_id, cause), sums in self._added_up(lambda posted: (posted[0], posted[2])).items():
            if cause is not _ADMITTED:
                place = self.places[place_id]
                amount = counted(place, sums)
                for budget_id in place.budget_ids:
                    changes[budget_id, cause] = changes.get((budget_id, cause), Amount()) + amount
        return dict(sorted(changes.items()))

    def session_change(self, session_id: str) -> SessionChange:
        """What everything posted so far adds to a session's totals."""
        return self._session_changes().get(session_id, SessionChange())

    def _session_changes(self) -> dict[str, SessionChange]:
        changes = {
            session_id: SessionChange(Amount(sums.nano, sums.tokens), sums.notional, sums.unknown)
            for session_id, sums in self._added_up(lambda posted: posted[1]).items()
        }
        for session_id, (calls, tool_calls) in self._calls.items():
            changes[session_id] = replace(
                changes.get(session_id, SessionChange()), iterations=calls, tool_calls=tool_calls
            )
        return changes

    def _tab_changes(self) -> dict[tuple[int, str], SessionChange]:
        """What everything posted so far adds to what each session spent on each tab."""
        changes: dict[tuple[int, str], SessionChange] = {}
        for (place_id, session_id), sums in self._added_up(lambda posted: posted[:2]).items():
            tab_id = self.places[place_id].tab_id
            if tab_id is not None:
                more = SessionChange(Amount(sums.nano, sums.tokens), sums.notional, sums.unknown)
                changes[tab_id, session_id] = changes.get((tab_id, session_id), SessionChange()) + more
        return dict(sorted(changes.items()))

    def _added_up(self, by: Callable[[_Posted], K]) -> dict[K, Sums]:
        added: dict[K, Sums] = {}
        for posted, sums in self._posted.items():
            key = by(posted)
            added[key] = added.get(key, NOTHING).more(sums)
        return added

    def write(self, steps: tuple[int, ...]) -> None:
        """Write entries, budgets and sessions; show the touched tabs again; tell of steps crossed for the first time."""
        before = self.reached.budgets
        self.books.add_entries(self.entries)
        changes = self.budget_changes()
        self.books.change_budgets(changes)
        self.books.add_causes(self._cause_changes())
        self.books.add_to_sessions(self._session_changes())
        self.books.add_to_tabs(self._tab_changes())
        for tab_id in sorted({tab for place, *_ in self._posted if (tab := self.places[place].tab_id) is not None}):
            self.books.enqueue(Job("refresh_tab", str(tab_id), {"tab": tab_id}))
        for budget_id, change in changes.items():
            after = changed(before[budget_id], change)
            latch_steps(self.books, after, crossed(before[budget_id], after, steps), self.now)

    def _post(
        self,
        row: UsageRow,
        place_id: int,
        sums: Sums,
        kind: EntryKind,
        cause: Cause,
        note: str,
    ) -> None:
        if sums == NOTHING:
            return
        at, session_id = row.occurred_at, row.session_id
        self.entries.append(
            Entry(self.books.new_id(), row.id, kind, place_id, *sums, cause, at, self.now, note, session_id)
        )
        self._tally(place_id, session_id, cause, sums)

    def _tally(self, place_id: int, session_id: str, cause: Cause, sums: Sums) -> None:
        if sums != NOTHING:
            posted = (place_id, session_id, cause)
            self._posted[posted] = self._posted.get(posted, NOTHING).more(sums)

    def _count(self, session_id: str, calls: int, tool_calls: int) -> None:
        calls_before, tools_before = self._calls.get(session_id, (0, 0))
        self._calls[session_id] = (calls_before + calls, tools_before + tool_calls)


def changed(budget: Budget, change: BudgetChange) -> Budget:
    """The budget with a change added."""
    return replace(
        budget,
        spent=budget.spent + change.spent,
        held=budget.held + change.held,
        notional=budget.notional + change.notional,
        unknown_usages=budget.unknown_usages + change.unknown_usages,
        unplaced=budget.unplaced + change.unplaced,
    )
