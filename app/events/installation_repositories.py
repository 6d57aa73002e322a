"""`installation_repositories`: repositories were added to the installation or taken from it."""

from __future__ import annotations

from dataclasses import replace

from app.events.arrival import Arrival
from app.ledger.books import Job
from app.registry import Transaction


def handle(db: Transaction, arrival: Arrival) -> None:
    """Close what was removed at once, and ask GitHub for the list as it is now."""
    for removed in arrival.body.get("repositories_removed") or ():
        known = db.repository_by_github_id(removed["id"])
        if known is not None and known.active:
            db.save_repository(replace(known, active=False))
    db.enqueue(Job("sync_installation", "all"))
