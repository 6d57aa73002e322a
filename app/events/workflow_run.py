"""`workflow_run`: a completed run has no live sessions left, whatever its steps managed to say."""

from __future__ import annotations

from app.events.arrival import Arrival
from app.ledger.books import SessionRow
from app.ledger.end_session import end_session
from app.registry import Transaction
from tabstop.session import SessionOutcome

_TAKEN_AWAY = {"cancelled", "timed_out"}


def handle(db: Transaction, arrival: Arrival) -> None:
    """End the run's sessions, those of this attempt and earlier ones. Late usage is still accepted."""
    if arrival.action != "completed":
        return
    run = arrival.body["workflow_run"]
    attempt = int(run.get("run_attempt") or 1)
    for session in db.live_sessions(run_id=str(run["id"])):
        if int(session.run_attempt or 1) <= attempt:
            end_unheard(db, arrival, session, "workflow run", run.get("conclusion") or "")


def end_unheard(db: Transaction, arrival: Arrival, session: SessionRow, what: str, conclusion: str) -> None:
    """End a session that did not say how it ended: cancelled when its run was, silent otherwise.

    Either is only inferred; the session's own word replaces it when it still comes.
    """
    outcome = SessionOutcome.CANCELLED if conclusion in _TAKEN_AWAY else SessionOutcome.SILENT
    detail = f"The {what} ended ({conclusion or 'no conclusion'}) and the session had not said how it ended."
    end_session(db, session, outcome, detail, arrival.now)
