"""Postings: entries and what they do to budgets and sessions, gathered in memory and written together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.ledger.books import (
    AuditRow,
    Books,
    BudgetChange,
    Cause,
    Entry,
    EntryKind,
    Job,
    Place,
    SessionChange,
    UsageRow,
)
from tabstop.budget import Amount, Budget, crossed
from tabstop.cost import CostState
from tabstop.money import Nano
from tabstop.usage import Grain


@dataclass(frozen=True, slots=True)
class Sums:
    """What a usage's entries add up to. unknown: 1 while it has tokens and no price."""

    nano: Nano = 0
    notional: Nano = 0
    tokens: int = 0
    unknown: int = 0

    def __sub__(self, other: Sums) -> Sums:
        """Subtract part by part."""
        return Sums(
            self.nano - other.nano,
            self.notional - other.notional,
            self.tokens - other.tokens,
            self.unknown - other.unknown,
        )


def sums_of(row: UsageRow) -> Sums:
    """What the entries of this usage have to add up to: promise 1 in one line."""
    unknown = int(row.cost_state is CostState.UNKNOWN and row.tokens.total > 0)
    if row.billing.notional:
        return Sums(0, row.cost, row.tokens.total, unknown)
    return Sums(row.cost, 0, row.tokens.total, unknown)


def counted(place: Place, sums: Sums) -> Amount:
    """What entries with these sums count for in their place's budgets."""
    return Amount(sums.nano + (sums.notional if place.counts_notional else 0), sums.tokens)


@dataclass
class Postings:
    """Entries about to be written, with the changes that follow from them. Nothing is stored before `write`."""

    books: Books
    now: datetime
    places: dict[int, Place]
    entries: list[Entry] = field(default_factory=list)
    budgets: dict[int, BudgetChange] = field(default_factory=lambda: defaultdict(BudgetChange))
    sessions: dict[str, SessionChange] = field(default_factory=lambda: defaultdict(SessionChange))

    def charge(self, row: UsageRow, cause: Cause, kind: EntryKind = EntryKind.CHARGE) -> None:
        """Post a new usage at its place."""
        self._post(row, row.place_id, sums_of(row), kind, cause)
        calls = 1 if row.grain is Grain.CALL else 0
        self.sessions[row.session_id] += SessionChange(iterations=calls, tool_calls=row.tool_calls)

    def correct(self, before: UsageRow, after: UsageRow, kind: EntryKind, cause: Cause, note: str) -> None:
        """Post the difference between two states of a usage, and store the new one."""
        self._post(after, before.place_id, sums_of(after) - sums_of(before), kind, cause, note)
        gone = int(before.tokens.total > 0 and after.tokens.total == 0 and after.grain is Grain.CALL)
        self.sessions[after.session_id] += SessionChange(
            iterations=-gone, tool_calls=after.tool_calls - before.tool_calls
        )
        self.books.change_usage(after)

    def move(self, row: UsageRow, to_place: int, note: str) -> None:
        """Take a usage's sums from one place and put them in another: -A, +B."""
        sums = sums_of(row)
        self._post(row, row.place_id, Sums() - sums, EntryKind.MOVE, Cause.MOVED, note)
        self._post(row, to_place, sums, EntryKind.MOVE, Cause.MOVED, note)
        self.books.change_usage(replace(row, place_id=to_place))

    def hold(self, place_id: int, amount: Amount) -> None:
        """Change what is held in a place's budgets."""
        if amount != Amount():
            for budget_id in self.places[place_id].budget_ids:
                self.budgets[budget_id] += BudgetChange(held=amount)

    def write(self, before: Mapping[int, Budget], steps: tuple[int, ...]) -> None:
        """Write entries, budgets and sessions; show the touched tabs again; tell of steps crossed for the first time."""
        if self.entries:
            self.books.add_entries(self.entries)
        self.books.change_budgets(self.budgets)
        self.books.add_to_sessions(self.sessions)
        for tab_id in sorted({tab for e in self.entries if (tab := self.places[e.place_id].tab_id) is not None}):
            self.books.enqueue(Job("refresh_tab", str(tab_id), {"tab": tab_id}))
        for budget_id, change in self.budgets.items():
            after = changed(before[budget_id], change)
            for step in crossed(before[budget_id], after, steps):
                if self.books.latch(budget_id, step):
                    self._tell_crossed(after, step)

    def _post(self, row: UsageRow, place_id: int, sums: Sums, kind: EntryKind, cause: Cause, note: str = "") -> None:
        if sums == Sums():
            return
        self.entries.append(
            Entry(
                id=self.books.new_id(),
                usage_id=row.id,
                kind=kind,
                place_id=place_id,
                nano=sums.nano,
                notional=sums.notional,
                tokens=sums.tokens,
                unknown=sums.unknown,
                cause=cause,
                occurred_at=row.occurred_at,
                received_at=self.now,
                note=note,
            )
        )
        place = self.places[place_id]
        change = BudgetChange(counted(place, sums), Amount(), sums.notional, sums.unknown)
        for budget_id in place.budget_ids:
            self.budgets[budget_id] += change
        self.sessions[row.session_id] += SessionChange(Amount(sums.nano, sums.tokens), sums.notional, sums.unknown)

    def _tell_crossed(self, budget: Budget, step: int) -> None:
        self.books.audit(
            AuditRow(
                "budget.crossed",
                self.now,
                str(budget.id),
                {
                    "scope": budget.key.scope.value,
                    "subject": budget.key.subject_id,
                    "window": budget.key.window.name,
                    "step": step,
                    "spent": {"nano": budget.spent.nano, "tokens": budget.spent.tokens},
                    "cap": {"nano": budget.nano_ceiling, "tokens": budget.token_ceiling},
                },
            )
        )
        notice = {"notice": "crossed", "budget": budget.id, "step": step}
        self.books.enqueue(Job("notice", f"crossed:{budget.id}:{step}", notice))


def changed(budget: Budget, change: BudgetChange) -> Budget:
    """The budget with a change added."""
    return replace(
        budget,
        spent=budget.spent + change.spent,
        held=budget.held + change.held,
        notional=budget.notional + change.notional,
        unknown_usages=budget.unknown_usages + change.unknown_usages,
    )
