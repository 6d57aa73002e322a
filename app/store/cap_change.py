"""The audit row of a cap that changed on a budget that is already in use."""

from __future__ import annotations

from datetime import datetime

from app.ledger.books import AuditRow
from tabstop.budget import Budget
from tabstop.policy.model import Cap


def cap_changed(budget: Budget, cap: Cap, now: datetime) -> AuditRow:
    """Old and new, in nano-dollars and tokens; None for unlimited."""
    return AuditRow(
        "budget.cap_changed",
        now,
        str(budget.id),
        {
            "scope": budget.key.scope.value,
            "subject": budget.key.subject_id,
            "window": budget.key.window.name,
            "old": {"nano": budget.cap_nano, "tokens": budget.cap_tokens, "why": budget.why},
            "new": {"nano": cap.nano, "tokens": cap.tokens, "why": cap.why},
        },
    )
