"""Budgets as rows: the line a budget continues from window to window, and how a row becomes a `Budget`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.store.columns import FOR_EVER, from_micros, to_micros
from tabstop.budget import Amount, Budget, BudgetKey, Scope
from tabstop.policy.model import Cap
from tabstop.window import Window, WindowKind


def line_of(key: BudgetKey) -> str:
    """What a budget has in common in all its windows."""
    return f"{key.scope.value}:{key.subject_id}:{key.window.kind.value}"


def instant_in(window: Window, now: datetime) -> int:
    """An instant of this window, in microseconds: now, where now lies in it.

    Windows are looked up by an instant, not by their start: when an organization changes its timezone, the window that
    is running stays, and the change applies from the next.
    """
    return to_micros(now if window.holds(now) else window.start)


def end_of(window: Window) -> int:
    """The end as stored."""
    return FOR_EVER if window.end is None else to_micros(window.end)


def new_budget(budget_id: int, key: BudgetKey, cap: Cap, after: int | None) -> Budget:
    """A budget that opens. after: where the window before it ended (microseconds), so that no instant is in two."""
    window = key.window
    if after is not None and window.end is not None and to_micros(window.start) < after < to_micros(window.end):
        window = Window(window.kind, from_micros(after), window.end, window.name)
    return Budget(budget_id, BudgetKey(key.scope, key.subject_id, window), cap.nano, cap.tokens, why=cap.why)


def budget_values(budget: Budget) -> dict[str, Any]:
    """A new budget's columns."""
    window = budget.key.window
    return {
        "id": budget.id,
        "line": line_of(budget.key),
        "scope": budget.key.scope.value,
        "subject_id": budget.key.subject_id,
        "window_kind": window.kind.value,
        "window_start": to_micros(window.start),
        "window_end": end_of(window),
        "window_name": window.name,
        "cap_nano": budget.cap_nano,
        "cap_tokens": budget.cap_tokens,
        "why": budget.why,
    }


def budget_of(row: Any, raised: Amount) -> Budget:
    """A row of the budget table."""
    end = None if row.window_end == FOR_EVER else from_micros(row.window_end)
    window = Window(WindowKind(row.window_kind), from_micros(row.window_start), end, row.window_name)
    return Budget(
        id=row.id,
        key=BudgetKey(Scope(row.scope), row.subject_id, window),
        cap_nano=row.cap_nano,
        cap_tokens=row.cap_tokens,
        raised=raised,
        spent=Amount(row.spent_nano, row.spent_tokens),
        held=Amount(row.held_nano, row.held_tokens),
        notional=row.notional,
        unknown_usages=row.unknown_usages,
        why=row.why,
        unplaced=Amount(row.unplaced_nano, row.unplaced_tokens),
    )
