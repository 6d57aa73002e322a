"""Overdrives: a raise of one budget, granted and revoked with an audit row; the tab's check follows."""

from __future__ import annotations

from datetime import datetime

from app.ledger.books import AuditRow, Books, Job, Overdrive
from tabstop.budget import Amount, Budget, Scope


def grant(
    books: Books,
    budget: Budget,
    amount: Amount,
    *,
    expires_at: datetime | None,
    approver: str,
    why: str,
    now: datetime,
    engineer_id: int | None = None,
) -> Overdrive:
    """Raise a budget from now on. `approver` is a login or `operator`; the audit row names people by id only."""
    overdrive = Overdrive(books.new_id(), budget.id, amount, now, expires_at, approver, why)
    books.add_overdrive(overdrive)
    body = {
        "budget": budget.id,
        "scope": budget.key.scope.value,
        "subject": budget.key.subject_id,
        "nano": amount.nano,
        "tokens": amount.tokens,
        "expires_at": expires_at.isoformat() if expires_at else None,
        "why": why,
    }
    books.audit(AuditRow("overdrive.granted", now, str(overdrive.id), body, engineer_id))
    _show_again(books, budget, expires_at)
    return overdrive


def revoke(books: Books, overdrive: Overdrive, budget: Budget, *, why: str, now: datetime) -> None:
    """End a raise before its time; revoking it again changes nothing."""
    if overdrive.revoked_at is not None:
        return
    books.revoke_overdrive(overdrive.id, now)
    books.audit(AuditRow("overdrive.revoked", now, str(overdrive.id), {"budget": budget.id, "why": why}))
    _show_again(books, budget, None)


def _show_again(books: Books, budget: Budget, expires_at: datetime | None) -> None:
    """The tab's check changes now, and once more when the raise runs out."""
    if budget.key.scope is not Scope.TAB:
        return
    tab_id = budget.key.subject_id
    books.enqueue(Job("refresh_tab", str(tab_id), {"tab": tab_id}))
    if expires_at is not None:
        books.enqueue(Job("refresh_tab", f"{tab_id}@{expires_at.isoformat()}", {"tab": tab_id}, expires_at))
