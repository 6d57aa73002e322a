"""Budgets and their raises in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from app.ledger.books import AuditRow, BudgetChange, Cause, CauseSums, OverbookedError, Overdrive
from app.store.budget_rows import end_of, instant_in, line_of, new_budget
from app.store.cap_change import cap_changed
from app.store.columns import to_micros
from app.store.memory_tables import MemoryPart
from tabstop.budget import Amount, Budget, BudgetKey, Scope
from tabstop.policy.model import Cap


class MemoryBudgets(MemoryPart):
    """The part of `app.ledger.books.Books` about budgets."""

    audit: Callable[[AuditRow], None]

    def budgets(self, wanted: Sequence[tuple[BudgetKey, Cap]], now: datetime) -> list[Budget]:
        """See `Books`."""
        return [self._capped(self._found_or_opened(key, cap, now), cap, now) for key, cap in wanted]

    def budgets_by_id(self, ids: Iterable[int], now: datetime) -> dict[int, Budget]:
        """See `Books`."""
        return {b: self._raised(self._t.budgets[b], now) for b in sorted(set(ids)) if b in self._t.budgets}

    def all_budgets(self, now: datetime) -> list[Budget]:
        """See `Books`."""
        return [self._raised(budget, now) for _, budget in sorted(self._t.budgets.items())]

    def budget_in_window(self, scope: Scope, subject_id: int, now: datetime) -> Budget | None:
        """See `Registry`."""
        return next(iter(self._in_window(scope, subject_id, now)), None)

    def budgets_of_tab(self, tab_id: int, now: datetime) -> list[Budget]:
        """See `Registry`."""
        return self._in_window(Scope.TAB, tab_id, now)

    def hold(self, budgets: Sequence[Budget], amount: Amount) -> None:
        """See `Books`."""
        for budget in budgets:
            stored = replace(self._t.budgets[budget.id], raised=budget.raised)
            if not stored.fits(amount):
                raise OverbookedError("A budget changed while this start was decided; nothing was stored, ask again.")
        self.change_budgets({budget.id: BudgetChange(held=amount) for budget in budgets})

    def change_budgets(self, changes: Mapping[int, BudgetChange]) -> None:
        """See `Books`."""
        for budget_id, change in changes.items():
            before = self._t.budgets[budget_id]
            after = replace(
                before,
                spent=before.spent + change.spent,
                held=before.held + change.held,
                notional=before.notional + change.notional,
                unknown_usages=before.unknown_usages + change.unknown_usages,
                unplaced=before.unplaced + change.unplaced,
            )
            if after.held.nano < 0 or after.held.tokens < 0 or after.unknown_usages < 0:
                raise ValueError(f"budget {budget_id} would hold {after.held}, {after.unknown_usages} unknown")
            self._put(self._t.budgets, budget_id, after)

    def latch(self, budget_id: int, step: int) -> bool:
        """See `Books`."""
        if (budget_id, step) in self._t.latches:
            return False
        self._put(self._t.latches, (budget_id, step), None)
        return True

    def add_causes(self, changes: Mapping[tuple[int, Cause], Amount]) -> None:
        """See `Books`."""
        for key, amount in changes.items():
            self._put(self._t.causes, key, self._t.causes.get(key, Amount()) + amount)

    def causes_of(self, budget_id: int) -> dict[Cause, Amount]:
        """See `Books`."""
        return {cause: amount for (budget, cause), amount in self._t.causes.items() if budget == budget_id}

    def all_causes(self) -> dict[tuple[int, Cause], Amount]:
        """See `Books`."""
        return dict(self._t.causes)

    def cause_sums(self) -> list[CauseSums]:
        """See `Books`."""
        sums: dict[tuple[int, Cause], list[int]] = {}
        for entry in self._t.entries.values():
            if entry.cause is not Cause.ADMITTED:
                tally = sums.setdefault((entry.place_id, entry.cause), [0, 0, 0])
                for n, part in enumerate((entry.nano, entry.notional, entry.tokens)):
                    tally[n] += part
        return [CauseSums(*key, *tally) for key, tally in sums.items()]

    def add_overdrive(self, overdrive: Overdrive) -> None:
        """See `Books`."""
        self._put(self._t.overdrives, overdrive.id, overdrive)

    def overdrive(self, overdrive_id: int) -> Overdrive | None:
        """See `Books`."""
        return self._t.overdrives.get(overdrive_id)

    def overdrives(self, *, in_force_at: datetime | None = None) -> list[Overdrive]:
        """See `Registry`."""
        found = [overdrive for _, overdrive in sorted(self._t.overdrives.items(), reverse=True)]
        return found if in_force_at is None else [o for o in found if o.in_force(in_force_at)]

    def revoke_overdrive(self, overdrive_id: int, now: datetime) -> None:
        """See `Books`."""
        found = self._t.overdrives.get(overdrive_id)
        if found and found.revoked_at is None:
            self._put(self._t.overdrives, overdrive_id, replace(found, revoked_at=now))

    def _in_window(self, scope: Scope, subject_id: int, now: datetime) -> list[Budget]:
        return [
            self._raised(budget, now)
            for _, budget in sorted(self._t.budgets.items(), reverse=True)
            if (budget.key.scope, budget.key.subject_id) == (scope, subject_id) and budget.key.window.holds(now)
        ]

    def _found_or_opened(self, key: BudgetKey, cap: Cap, now: datetime) -> Budget:
        at, line = instant_in(key.window, now), line_of(key)
        windows = self._t.lines.get(line, {})
        for end, budget_id in windows.items():
            found = self._t.budgets[budget_id]
            if to_micros(found.key.window.start) <= at < end:
                return self._raised(found, now)
        opened = new_budget(self.new_id(), key, cap, max(windows, default=None))
        self._put(self._t.budgets, opened.id, opened)
        self._put(self._t.lines, line, {**windows, end_of(opened.key.window): opened.id})
        return opened

    def _capped(self, budget: Budget, cap: Cap, now: datetime) -> Budget:
        if (budget.cap_nano, budget.cap_tokens, budget.why) == (cap.nano, cap.tokens, cap.why):
            return budget
        capped = replace(budget, cap_nano=cap.nano, cap_tokens=cap.tokens, why=cap.why)
        self._put(self._t.budgets, budget.id, replace(capped, raised=Amount()))
        if (budget.cap_nano, budget.cap_tokens) != (cap.nano, cap.tokens):
            self.audit(cap_changed(budget, cap, now))
        return capped

    def _raised(self, budget: Budget, now: datetime) -> Budget:
        raised = Amount()
        for overdrive in self._t.overdrives.values():
            if overdrive.budget_id == budget.id and overdrive.in_force(now):
                raised += overdrive.amount
        return replace(budget, raised=raised)
