"""Dispatch: which file handles which event, and in whose books."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from app.events import (
    check_run,
    check_suite,
    installation,
    installation_repositories,
    merge_group,
    pull_request,
    push,
    repository,
    workflow_job,
    workflow_run,
)
from app.events.arrival import Arrival, Body, read
from app.ledger.books import Job
from app.registry import Organization, Store, Transaction

Handler = Callable[[Transaction, Arrival], None]
"""Changes the registry and asks for jobs, in one transaction. Safe to repeat, in any order."""

HANDLERS: Mapping[str, Handler] = {
    "check_run": check_run.handle,
    "check_suite": check_suite.handle,
    "installation": installation.handle,
    "installation_repositories": installation_repositories.handle,
    "merge_group": merge_group.handle,
    "pull_request": pull_request.handle,
    "push": push.handle,
    "repository": repository.handle,
    "workflow_job": workflow_job.handle,
    "workflow_run": workflow_run.handle,
}
"""By GitHub's own word. `ping` and whatever else GitHub sends needs nothing from us."""


def dispatch(store: Store, event: str, body: Body, now: datetime) -> None:
    """Handle a webhook in the books of its installation's organization.

    Raises `KeyError`, `TypeError` or `ValueError` for a payload that is not what its event promises.
    """
    handler = HANDLERS.get(event)
    arrival = read(event, body, now) if handler else None
    if handler is None or arrival is None:
        return
    organization, sure = _organization(store, arrival)
    with store.open(organization.id) as db:
        handler(db, arrival)
        if not sure:
            db.enqueue(Job("sync_installation", "all"))


def _organization(store: Store, arrival: Arrival) -> tuple[Organization, bool]:
    """The organization, and whether what we hold of it agrees with this event.

    Events come in any order: one that disagrees may be older than what we hold, so it changes nothing by itself, and
    GitHub is asked how things are now.
    """
    found = store.organization_by_installation(arrival.installation_id)
    if found is None:
        found = store.organization_by_github_id(arrival.account.github_id)
    if found is None:
        account = arrival.account
        return store.register(account.github_id, account.login, arrival.installation_id), False
    agrees = (found.installation_id, found.github_id, found.login) == (
        arrival.installation_id,
        arrival.account.github_id,
        arrival.account.login,
    )
    return found, agrees and found.active
