"""People: whether somebody belongs to the organization, whose budget they draw on, and who they are besides."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.github_api.protocol import GitHubError, GitHubInstallation
from app.identity.names import Names, is_bot
from app.registry import Engineer, EngineerKind, Organization
from app.world import World
from tabstop.budget import Scope

RECHECK = timedelta(hours=24)
"""How long a membership is believed."""


def checked(
    engineer: Engineer | None,
    github_id: int,
    login: str,
    organization: Organization,
    github: GitHubInstallation,
    now: datetime,
) -> Engineer:
    """The engineer with their membership, asked again after a day. What could not be asked keeps its last answer."""
    if is_bot(login):
        return Engineer(engineer.id if engineer else 0, github_id, login, EngineerKind.BOT, now)
    fresh = engineer is not None and engineer.checked_at is not None and now - engineer.checked_at < RECHECK
    if engineer is not None and fresh and engineer.login == login:
        return engineer
    try:
        member = github.is_member(organization.login, login)
    except GitHubError:
        kind = engineer.kind if engineer else EngineerKind.UNCHECKED
        return Engineer(
            engineer.id if engineer else 0, github_id, login, kind, engineer.checked_at if engineer else None
        )
    kind = EngineerKind.MEMBER if member else EngineerKind.OUTSIDE
    return Engineer(engineer.id if engineer else 0, github_id, login, kind, now)


def draws_on(engineer: Engineer | None) -> Scope:
    """Whose budget: members have their own; everybody else, known or not, is the repository's guest, never on a fresh budget."""
    return Scope.ENGINEER if engineer is not None and engineer.kind is EngineerKind.MEMBER else Scope.GUEST


def engineer_of(
    world: World, github_id: int, login: str, organization: Organization, github: GitHubInstallation
) -> Engineer:
    """The engineer of this account, with their membership; not stored."""
    with world.store.look(organization.id) as books:
        before = books.engineer_by_login(login)
    if before is not None and before.github_id != github_id:
        before = None
    return checked(before, github_id, login, organization, github, world.now())


def same_person(
    world: World, engineer: Engineer, organization: Organization, github: GitHubInstallation, names: Names
) -> Engineer:
    """The engineer that this account stands for by the policy's `aliases`; itself where it stands for nobody else."""
    login = names.of_account(engineer.login)
    if not login:
        return engineer
    with world.store.look(organization.id) as books:
        known = books.engineer_by_login(login)
    if known is not None:
        return engineer_of(world, known.github_id, known.login, organization, github)
    try:
        found = github.user(login)
    except GitHubError:
        found = None
    if found is None or found.is_bot:
        return engineer
    return engineer_of(world, found.id, found.login, organization, github)
