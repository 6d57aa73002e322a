"""Seen: repositories and people as events name them. What is new is stored; what differs is asked of GitHub, not believed."""

from __future__ import annotations

from datetime import datetime

from app.events.arrival import Account, Arrival
from app.github_api.protocol import RemoteRepository
from app.ledger.books import Job
from app.registry import Engineer, EngineerKind, Registry, Repository, Transaction


def repository_of(db: Transaction, arrival: Arrival) -> Repository | None:
    """The repository an event is about, stored when it is new; None for an event without one."""
    return see_repository(db, arrival.repository) if arrival.repository else None


def see_repository(db: Transaction, remote: RemoteRepository, run_at: datetime | None = None) -> Repository:
    """The repository by GitHub's id, stored when it is new.

    An event with another name, branch or visibility may be older than what we hold (events come in any order), so it
    only has GitHub asked: `sync_repository` stores what is true now.
    """
    known = db.repository_by_github_id(remote.github_id)
    if known is None:
        known = db.save_repository(as_repository(remote))
        ask_about(db, known, remote.full_name, run_at)
    elif not known.active or (known.full_name, known.default_branch, known.private) != (
        remote.full_name,
        remote.default_branch,
        remote.private,
    ):
        ask_about(db, known, remote.full_name, run_at)
    return known


def ask_about(db: Transaction, repository: Repository, name: str, run_at: datetime | None = None) -> None:
    """Have GitHub asked how this repository is now; `name` is one it goes or went by."""
    job = Job("sync_repository", str(repository.id), {"repository": repository.id, "name": name}, run_at)
    db.enqueue(job)


def as_repository(remote: RemoteRepository) -> Repository:
    """A repository as GitHub says it is."""
    return Repository(
        id=0,
        github_id=remote.github_id,
        full_name=remote.full_name,
        default_branch=remote.default_branch,
        private=remote.private,
        topics=remote.topics,
    )


def engineer_of(db: Registry, account: Account | None) -> int | None:
    """The internal id of an account; whether they are a member is asked when a session of theirs starts."""
    if account is None or not account.login:
        return None
    kind = EngineerKind.BOT if account.is_bot else EngineerKind.UNCHECKED
    return db.save_engineer(Engineer(0, account.github_id, account.login, kind)).id
