"""Steps: people are told once for ever when a budget's spend reaches a step of its cap, with an audit row."""

from __future__ import annotations

from datetime import datetime

from app.ledger.books import AuditRow, Books, Job
from tabstop.budget import Budget


def latch_steps(books: Books, budget: Budget, reached: tuple[int, ...], now: datetime) -> None:
    """Latch the steps (percent) this budget has reached; tell of those that were not latched before."""
    for step in reached:
        if books.latch(budget.id, step):
            _tell(books, budget, step, now)


def reached_steps(budget: Budget, steps: tuple[int, ...]) -> tuple[int, ...]:
    """Every step spend has reached, 100 included: also those passed because the cap came down."""
    return tuple(level for level in (*sorted(set(steps)), 100) if level <= budget.spent_percent)


def _tell(books: Books, budget: Budget, step: int, now: datetime) -> None:
    body = {
        "scope": budget.key.scope.value,
        "subject": budget.key.subject_id,
        "window": budget.key.window.name,
        "step": step,
        "spent": {"nano": budget.spent.nano, "tokens": budget.spent.tokens},
        "cap": {"nano": budget.nano_ceiling, "tokens": budget.token_ceiling},
    }
    books.audit(AuditRow("budget.crossed", now, str(budget.id), body))
    notice = {"notice": "crossed", "budget": budget.id, "step": step}
    books.enqueue(Job("notice", f"crossed:{budget.id}:{step}", notice))
