"""sync_repository: ask GitHub how a repository is now: name, visibility, policy, open pull requests.

payload: repository, and a name it goes or went by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from app.events.adoption import Sighting, record
from app.events.default_branch import save_as_it_is
from app.github_api.protocol import GitHubInstallation, RemotePullRequest, RemoteRepository
from app.jobs.asking_github import asking_github, installed
from app.ledger.books import Job
from app.registry import Repository, Transaction
from app.world import World

SPREAD = timedelta(seconds=3)
"""Between pull requests: each check and comment are two or three writes, and GitHub wants a second between them."""

AT_ONCE = 50
"""Pull requests stored in one transaction, so that nobody waits long for it."""


@asking_github()
def run(world: World, organization_id: int | None, payload: Mapping[str, Any]) -> None:
    """Store what GitHub says; have the policy read, and every open pull request answered, spread in time."""
    if organization_id is None:
        return
    with world.store.look(organization_id) as db:
        github = installed(world, db.organization())
        known = db.repository(payload["repository"])
    if github is None or known is None:
        return

    remote = _find(github, known, payload.get("name") or "")
    open_now = list(github.open_pull_requests(remote.full_name)) if remote else []

    with world.store.open(organization_id) as db:
        _store(db, known, remote, world.now())
    if remote is not None:
        for start in range(0, len(open_now), AT_ONCE):
            with world.store.open(organization_id) as db:
                _record(db, known.id, open_now[start : start + AT_ONCE], world.now(), start)
        with world.store.open(organization_id) as db:
            _ask_about_closed(db, known.id, {p.number for p in open_now})


def _find(github: GitHubInstallation, known: Repository, name: str) -> RemoteRepository | None:
    """By either name: only one with the same id is the same repository; an old name may belong to a new one by now."""
    for full_name in dict.fromkeys([name, known.full_name]):
        remote = github.repository(full_name) if full_name else None
        if remote is not None and remote.github_id == known.github_id:
            return remote
    return None


def _store(db: Transaction, known: Repository, remote: RemoteRepository | None, now: datetime) -> None:
    if remote is None:
        db.save_repository(replace(known, active=False))
        return
    save_as_it_is(db, remote, now)
    db.enqueue(Job("read_policy", str(known.id), {"repository": known.id}))


def _record(
    db: Transaction, repository_id: int, found: Sequence[RemotePullRequest], now: datetime, before: int
) -> None:
    repository = db.repository(repository_id)
    for number, remote in enumerate(found):
        if repository is not None:
            record(db, repository, Sighting(remote, now, certain=True, run_at=now + (before + number) * SPREAD))


def _ask_about_closed(db: Transaction, repository_id: int, still_open: set[int]) -> None:
    for pull_request in db.open_pull_requests(repository_id):
        if pull_request.number not in still_open:
            payload = {"repository": repository_id, "number": pull_request.number}
            db.enqueue(Job("read_pull_request", f"{repository_id}#{pull_request.number}", payload))
