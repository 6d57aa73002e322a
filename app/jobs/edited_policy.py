"""Edited policy: what a pull request that changes `.github/tabstop.yml` would make of it."""

from __future__ import annotations

from dataclasses import dataclass

from app.github_api.protocol import GitHubInstallation
from app.jobs.tab_facts import POLICY_PATH, PolicyEdit
from app.registry import Organization, PolicyFile, PullRequest, Repository, Transaction
from tabstop.policy.change import changed_limits
from tabstop.policy.document import SILENT_ORGANIZATION, PolicyDocument, PolicyKind
from tabstop.policy.effective import effective, examine
from tabstop.policy.model import Policy
from tabstop.policy.read import parse


@dataclass(frozen=True, slots=True)
class Now:
    """The policy in force that an edit is compared with: the organization's document, and what holds in this repository."""

    kind: PolicyKind
    organization: PolicyDocument | None
    policy: Policy


def is_organizations(organization: Organization, repository: Repository) -> bool:
    """Whether this is the repository whose policy file is the organization's: `ORG/.github`."""
    return repository.full_name.lower() == f"{organization.login}/.github".lower()


def document_of(file: PolicyFile | None, kind: PolicyKind) -> PolicyDocument | None:
    """What a stored file says; None for no file. One that was valid and is not for this release counts as its draft."""
    if file is None or file.state != "valid":
        return None
    parsed = parse(file.text, kind)
    return parsed.document or parsed.draft


def as_it_is(db: Transaction, repository: Repository) -> Now:
    """What is in force for a repository, or in the organization's own one for the organization."""
    counting = db.policy_file_in_force(None)
    document = document_of(counting, PolicyKind.ORGANIZATION)
    if counting is None and db.policy_file(None) is not None:
        document = SILENT_ORGANIZATION  # there, and never valid: no permission to loosen
    if is_organizations(db.organization(), repository):
        return Now(PolicyKind.ORGANIZATION, document, effective(document, None, name="").policy)
    return Now(PolicyKind.REPOSITORY, document, db.policy_in_force(repository.id).policy)


def read_edit(github: GitHubInstallation, repository: Repository, pull_request: PullRequest, now: Now) -> PolicyEdit:
    """Read the file at the pull request's head and judge it. Raises `GitHubError`.

    The base repository is asked: GitHub keeps the commits of a fork's pull request there too.
    """
    file = github.file(repository.full_name, POLICY_PATH, pull_request.head_sha)
    organizations = now.kind is PolicyKind.ORGANIZATION
    if file is None:
        without = effective(
            None if organizations else now.organization,
            None,
            name="" if organizations else repository.full_name,
            topics=repository.topics,
        )
        changes = changed_limits(now.policy, without.policy)
        return PolicyEdit(POLICY_PATH, organizations, removed=True, changes=changes)
    found = examine(
        file.text,
        now.kind,
        organization=now.organization,
        name="" if organizations else repository.full_name,
        topics=repository.topics,
    )
    return PolicyEdit(
        POLICY_PATH,
        organizations,
        problems=found.problems,
        notes=found.notes,
        changes=changed_limits(now.policy, found.effective.policy),
    )
