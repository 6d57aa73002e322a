"""`push`: a push to the default branch that touches the policy has it read again."""

from __future__ import annotations

from app.events.arrival import Arrival, Body
from app.events.seen import engineer_of, repository_of
from app.jobs.tab_facts import POLICY_PATH
from app.ledger.books import Job
from app.registry import Transaction

ALL_COMMITS = 2048
"""A push event lists at most so many commits (docs.github.com, webhook events); with that many, some may be missing."""


def handle(db: Transaction, arrival: Arrival) -> None:
    """Ask for the policy to be read when it may have changed; who pushed is kept for the audit log."""
    repository = repository_of(db, arrival)
    body = arrival.body
    if repository is None or body["ref"] != f"refs/heads/{repository.default_branch}" or not _touches(body):
        return
    payload = {
        "repository": repository.id,
        "who": engineer_of(db, arrival.sender),
        "commit": body.get("after") or "",
    }
    db.enqueue(Job("read_policy", str(repository.id), payload))


def _touches(body: Body) -> bool:
    commits = body.get("commits") or []
    if body.get("forced") or len(commits) >= ALL_COMMITS:
        return True
    return any(
        POLICY_PATH in (commit.get(kind) or ()) for commit in commits for kind in ("added", "modified", "removed")
    )
