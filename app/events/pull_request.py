"""`pull_request`: opened, pushed to, closed, merged, reopened, made a draft: whatever it says is now how it is."""

from __future__ import annotations

from app.events.adoption import Sighting, record
from app.events.arrival import Arrival
from app.events.seen import repository_of
from app.github_api import answers
from app.registry import Transaction


def handle(db: Transaction, arrival: Arrival) -> None:
    """Store the pull request as the event shows it. The action does not matter: what differs from before does."""
    repository = repository_of(db, arrival)
    if repository is not None:
        record(db, repository, Sighting(answers.pull_request(arrival.body["pull_request"]), arrival.now))
