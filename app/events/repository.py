"""`repository`: one was renamed, given to another owner, or deleted. Clones go on with its old name."""

from __future__ import annotations

from collections.abc import Iterator

from app.events.arrival import Arrival
from app.events.seen import ask_about, repository_of
from app.registry import Transaction


def handle(db: Transaction, arrival: Arrival) -> None:
    """Keep the name it went by; how it is now, or whether it is gone, is asked of GitHub. What was spent in a deleted one stays there."""
    repository = repository_of(db, arrival)
    if repository is None:
        return
    for name in _former(arrival):
        db.keep_former_name(repository.id, name)
    if arrival.action == "deleted":
        ask_about(db, repository, repository.full_name)


def _former(arrival: Arrival) -> Iterator[str]:
    """See docs.github.com, webhook-events-and-payloads, `repository`: `renamed` and `transferred` tell what changed."""
    owner, _, name = str(arrival.body["repository"]["full_name"]).partition("/")
    changes = arrival.body.get("changes") or {}
    renamed = ((changes.get("repository") or {}).get("name") or {}).get("from")
    if renamed:
        yield f"{owner}/{renamed}"
    before = (changes.get("owner") or {}).get("from") or {}
    login = (before.get("organization") or before.get("user") or {}).get("login")
    if login:
        yield f"{login}/{name}"
