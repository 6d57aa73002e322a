"""`repository`: one was renamed, given to another owner or another default branch, or deleted. Clones go on with what they know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from app.events.arrival import Arrival
from app.events.default_branch import keep_former
from app.events.seen import ask_about, repository_of
from app.github_api.answers import instant
from app.registry import Transaction


def handle(db: Transaction, arrival: Arrival) -> None:
    """Keep the name it went by, and its default branch; how it is now, or whether it is gone, is asked of GitHub.

    What was spent in a deleted one stays there. What changed, `renamed`, `transferred` and `edited` tell
    (docs.github.com, webhook-events-and-payloads, `repository`).
    """
    repository = repository_of(db, arrival)
    if repository is None:
        return
    changes = arrival.body.get("changes") or {}
    for name in _former_names(arrival.body["repository"]["full_name"], changes):
        db.keep_former_name(repository.id, name)
    branch = (changes.get("default_branch") or {}).get("from")
    if branch:
        changed = arrival.body["repository"].get("updated_at")
        keep_former(db, repository, branch, instant(changed) if changed else arrival.now)
    if arrival.action == "deleted":
        ask_about(db, repository, repository.full_name)


def _former_names(full_name: str, changes: Mapping[str, Any]) -> Iterator[str]:
    owner, _, name = full_name.partition("/")
    renamed = ((changes.get("repository") or {}).get("name") or {}).get("from")
    if renamed:
        yield f"{owner}/{renamed}"
    before = (changes.get("owner") or {}).get("from") or {}
    login = (before.get("organization") or before.get("user") or {}).get("login")
    if login:
        yield f"{login}/{name}"
