"""End a session: release what it still holds, keep how it ended, and learn what such sessions need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from app.ledger.books import AuditRow, Books, BudgetChange, Job, SessionRow
from app.ledger.breakers import end_probe
from tabstop.budget import Amount
from tabstop.hold import RECENT, needed_by_most
from tabstop.session import SessionOutcome

_INFERRED = {SessionOutcome.SILENT, SessionOutcome.CANCELLED}
"""Outcomes seen from outside; what the session itself says later replaces them."""


def end_session(
    books: Books,
    session: SessionRow,
    outcome: SessionOutcome,
    detail: str,
    now: datetime,
    said: Mapping[str, Any] | None = None,
) -> SessionRow:
    """End it once; ending it again changes nothing, except that its own word replaces what was only inferred.

    said: what else the session said of itself (plain JSON values); kept in the audit row as evidence, believed by nobody.
    """
    if session.ended_at is not None:
        if session.outcome not in _INFERRED or outcome in _INFERRED:
            return session
        ended = replace(session, outcome=outcome, detail=detail, heard_at=now)
    else:
        place = books.places([session.place_id])[session.place_id]
        books.change_budgets({b: BudgetChange(held=-session.held) for b in place.budget_ids})
        ended = replace(session, held=Amount(), ended_at=now, outcome=outcome, detail=detail)
    books.change_session(ended)
    books.audit(
        AuditRow(
            "session.ended",
            now,
            session.id,
            {
                "outcome": outcome.value,
                "detail": detail,
                "spent": {"nano": session.spent.nano, "tokens": session.spent.tokens},
                "notional": session.notional,
                **({"said": dict(said)} if said else {}),
            },
            session.engineer_id,
        )
    )
    end_probe(books, ended, now)
    _learn(books, ended)
    if ended.tab_id is not None:
        books.enqueue(Job("refresh_tab", str(ended.tab_id), {"tab": ended.tab_id}))
    return ended


def _learn(books: Books, session: SessionRow) -> None:
    needs = books.recent_needs(session.repository_id, session.agent, RECENT)
    nano = needed_by_most([need.nano for need in needs])
    tokens = needed_by_most([need.tokens for need in needs])
    if nano is not None and tokens is not None:
        books.remember_need(session.repository_id, session.agent, Amount(nano, tokens))
