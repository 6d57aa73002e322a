"""Default branch: what follows when a repository has another one than before, by GitHub's word or by its event."""

from __future__ import annotations

from datetime import datetime

from app.events.seen import as_repository
from app.github_api.protocol import RemoteRepository
from app.ledger.books import Job
from app.registry import Repository, Transaction


def save_as_it_is(db: Transaction, remote: RemoteRepository, now: datetime) -> Repository:
    """Store a repository as GitHub says it is now. Its default branch of before stays known."""
    before = db.repository_by_github_id(remote.github_id)
    stored = db.save_repository(as_repository(remote))
    if before is not None and before.default_branch != stored.default_branch:
        keep_former(db, stored, before.default_branch, now)
        _place_again(db, stored, stored.default_branch)
    return stored


def keep_former(db: Transaction, repository: Repository, branch: str, until: datetime) -> None:
    """Remember that this was its default branch until then."""
    db.keep_former_default(repository.id, branch, until)
    _place_again(db, repository, branch)


def _place_again(db: Transaction, repository: Repository, branch: str) -> None:
    """What was placed on the branch's tab before this was known was done on a default branch; not what a pull request came of."""
    for tab in db.generations(repository.id, branch):
        if not db.pull_requests_of_tab(tab.id):
            for session in db.sessions_of_tab(tab.id, db.count_sessions_of_tab(tab.id)):
                db.enqueue(Job("attribute_session", session.id, {"session": session.id}))
