"""`check_suite`: requested after a push, rerequested by Re-run all. Forks send none, so pull requests do not rely on it."""

from __future__ import annotations

from app.events.arrival import Arrival
from app.events.ask_again import answer_merge_group, ask_again, is_queue
from app.events.seen import repository_of
from app.ledger.books import Job
from app.registry import Transaction


def handle(db: Transaction, arrival: Arrival) -> None:
    """Requested: make sure the commit is answered. Rerequested: answer it again."""
    if arrival.action not in {"requested", "rerequested"}:
        return
    repository = repository_of(db, arrival)
    if repository is None:
        return
    suite = arrival.body["check_suite"]
    head_sha = suite["head_sha"]
    heads = db.open_pull_requests(repository.id, head_sha)
    if not heads:  # a pull request's head is never answered as a merge group, whatever its branch is called
        if is_queue(suite.get("head_branch")):
            answer_merge_group(db, repository, head_sha)
    elif arrival.action == "rerequested":
        ask_again(db, repository, head_sha)
    else:
        for pull_request in heads:
            db.enqueue(Job("refresh_tab", str(pull_request.tab_id), {"tab": pull_request.tab_id}))
