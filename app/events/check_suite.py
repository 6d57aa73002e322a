"""`check_suite`: requested after a push, rerequested by Re-run all. Forks send none, so pull requests do not rely on it."""

from __future__ import annotations

from app.events.arrival import Arrival
from app.events.ask_again import answer_merge_group, ask_again
from app.events.seen import repository_of
from app.ledger.books import Job
from app.registry import Transaction

QUEUE = "gh-readonly-queue/"
"""The branches of merge groups (docs.github.com, managing a merge queue)."""


def handle(db: Transaction, arrival: Arrival) -> None:
    """Requested: make sure the commit is answered. Rerequested: answer it again."""
    if arrival.action not in {"requested", "rerequested"}:
        return
    repository = repository_of(db, arrival)
    if repository is None:
        return
    suite = arrival.body["check_suite"]
    if (suite.get("head_branch") or "").startswith(QUEUE):
        answer_merge_group(db, repository, suite["head_sha"])
    elif arrival.action == "rerequested":
        ask_again(db, repository, suite["head_sha"])
    else:
        for pull_request in db.open_pull_requests(repository.id, suite["head_sha"]):
            db.enqueue(Job("refresh_tab", str(pull_request.tab_id), {"tab": pull_request.tab_id}))
