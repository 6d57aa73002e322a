"""read_policy: read a policy file from its default branch. payload: repository (None: the organization's), who, commit.

The last valid file stays in force while a newer one is invalid or cannot be read; only a file that is not there is
absent. Every limit that changes leaves an audit row with old, new, who and commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.github_api.protocol import GitHubError, GitHubInstallation, RemoteFile
from app.jobs.asking_github import asking_github, installed
from app.jobs.change_timezone import follow_timezone
from app.jobs.edited_policy import document_of, is_organizations
from app.jobs.policy_audit import audit_changes, organization_changes, repository_changes
from app.jobs.tab_facts import POLICY_PATH
from app.ledger.books import Job
from app.registry import PolicyFile, Repository, Transaction
from app.world import World
from tabstop.policy.document import PolicyKind
from tabstop.policy.effective import effective
from tabstop.policy.read import parse

SPREAD = timedelta(seconds=1)
"""Between the checks that follow from a changed policy: GitHub wants a second between many writes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose file, and on whose account. repository: None for the organization's. who: engineer id of who pushed it."""

    full_name: str
    repository: Repository | None
    before: PolicyFile | None
    who: int | None
    commit: str


@asking_github()
def run(world: World, organization_id: int | None, payload: Mapping[str, Any]) -> None:
    """Read, judge, store; when it changed, audit what did and bring the pull requests it concerns up to date."""
    if organization_id is None:
        return
    with world.store.look(organization_id) as db:
        github = installed(world, db.organization())
        asked = _asked(db, payload)
    if github is None or asked is None:
        return

    now = world.now()
    read = _read(github, asked)
    if read is None:
        return
    file = _judged(asked, read, now)

    with world.store.open(organization_id) as db:
        _store(db, asked, file, now)


def _asked(db: Transaction, payload: Mapping[str, Any]) -> Asked | None:
    organization = db.organization()
    repository_id = payload.get("repository")
    who, commit = payload.get("who"), payload.get("commit") or ""
    repository = db.repository(repository_id) if repository_id is not None else None
    if repository_id is not None and (repository is None or not repository.active):
        return None
    if repository is None or is_organizations(organization, repository):
        return Asked(f"{organization.login}/.github", None, db.policy_file(None), who, commit)
    return Asked(repository.full_name, repository, db.policy_file(repository.id), who, commit)


def _read(github: GitHubInstallation, asked: Asked) -> RemoteFile | str | None:
    """The file, a sentence when it cannot be read, or `` when there is none; None when its repository is gone."""
    if github.repository(asked.full_name) is None:
        if asked.repository is not None:
            return None
        if asked.before is not None and asked.before.state != "absent":
            return f"the App can no longer see {asked.full_name}"
        return ""
    try:
        return github.file(asked.full_name, POLICY_PATH, "") or ""
    except GitHubError as error:
        if error.retry_after is not None:
            raise
        return str(error)


def _judged(asked: Asked, read: RemoteFile | str, now: datetime) -> PolicyFile:
    whose = asked.repository.id if asked.repository else None
    if read == "":
        return PolicyFile(whose, asked.commit, "", "absent", (), now)
    if isinstance(read, str):
        return PolicyFile(whose, asked.commit, "", "unreadable", (read,), now)
    parsed = parse(read.text, PolicyKind.REPOSITORY if asked.repository else PolicyKind.ORGANIZATION)
    problems = tuple(f"line {p.line}: {p.sentence}" for p in parsed.problems)
    text = read.text.decode("utf-8", "replace")
    return PolicyFile(whose, read.commit, text, "invalid" if problems else "valid", problems, now)


def _store(db: Transaction, asked: Asked, file: PolicyFile, now: datetime) -> None:
    whose = asked.repository.id if asked.repository else None
    newest = db.policy_file(whose)
    if newest is not None and (newest.state, newest.text, newest.commit) == (file.state, file.text, file.commit):
        return
    before_file = db.policy_file_in_force(whose)
    before = db.policy_in_force(asked.repository.id).policy if asked.repository else None
    db.add_policy_file(file)
    if asked.repository is not None and before is not None:
        changes = repository_changes(before, db.policy_in_force(asked.repository.id).policy)
    else:
        old = document_of(before_file, PolicyKind.ORGANIZATION)
        new = document_of(db.policy_file_in_force(None), PolicyKind.ORGANIZATION)
        changes = organization_changes(old, new)
        follow_timezone(db, effective(new, None, name="").policy.timezone, first=before_file is None, now=now)
    audit_changes(db, changes, file, asked.who, now)
    if any(change.key.startswith("prices") for change in changes):
        db.enqueue(Job("reprice", "all" if whose is None else str(whose), {"repository": whose}))
    if any(change.key.startswith("aliases.") for change in changes):
        db.enqueue(Job("same_people", "all"))
    same_problem = newest is not None and newest.problems == file.problems
    if changes or not same_problem:
        _show_again(db, asked.repository, now)


def _show_again(db: Transaction, repository: Repository | None, now: datetime) -> None:
    tabs = {p.tab_id for p in db.open_pull_requests(repository.id if repository else None)}
    for number, tab_id in enumerate(sorted(tabs)):
        db.enqueue(Job("refresh_tab", str(tab_id), {"tab": tab_id}, now + number * SPREAD))
