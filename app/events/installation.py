"""`installation`: the App was installed, removed, suspended or resumed."""

from __future__ import annotations

from dataclasses import replace

from app.events.arrival import Arrival
from app.ledger.books import Job
from app.registry import Transaction

_SHUT = {"deleted", "suspend"}


def handle(db: Transaction, arrival: Arrival) -> None:
    """Shut at once when told so; open only after GitHub was asked, since an event may be older than it looks."""
    organization = db.organization()
    if arrival.action in _SHUT and organization.installation_id == arrival.installation_id:
        gone = arrival.action == "deleted"
        db.save_organization(
            replace(organization, active=False, installation_id=None if gone else organization.installation_id)
        )
    db.enqueue(Job("sync_installation", "all"))
