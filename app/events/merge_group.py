"""`merge_group`: the merge queue asks for checks on a commit of its own; unanswered, it would count as failed."""

from __future__ import annotations

from app.events.arrival import Arrival
from app.events.ask_again import answer_merge_group
from app.events.seen import repository_of
from app.registry import Transaction


def handle(db: Transaction, arrival: Arrival) -> None:
    """Answer `checks_requested`; a destroyed group needs nothing."""
    if arrival.action != "checks_requested":
        return
    repository = repository_of(db, arrival)
    if repository is not None:
        answer_merge_group(db, repository, arrival.body["merge_group"]["head_sha"])
