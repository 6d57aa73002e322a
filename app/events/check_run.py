"""`check_run`: rerequested is the Re-run button on our check; GitHub sends it to the App that owns the run."""

from __future__ import annotations

from app.events.arrival import Arrival
from app.events.ask_again import answer_merge_group, ask_again, is_queue
from app.events.seen import repository_of
from app.jobs.tab_facts import CHECK_NAME
from app.registry import Transaction


def handle(db: Transaction, arrival: Arrival) -> None:
    """Post the check again: on a pull request's head, or else on the merge group's it was posted on.

    The head of a pull request that is closed, or was pushed to since, is neither: what a merge group gets would let it
    through. It is answered when it is a head again.
    """
    if arrival.action != "rerequested":
        return
    repository = repository_of(db, arrival)
    run = arrival.body["check_run"]
    if repository is None or run["name"] != CHECK_NAME or ask_again(db, repository, run["head_sha"]):
        return
    if is_queue((run.get("check_suite") or {}).get("head_branch")):
        answer_merge_group(db, repository, run["head_sha"])
