"""People: who a run is charged to, and whether they belong to the organization."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.github_api.protocol import GitHubError, GitHubInstallation
from app.identity.oidc import RunnerClaims
from app.registry import Engineer, EngineerKind, Organization
from tabstop.budget import Scope

RECHECK = timedelta(hours=24)
"""How long a membership is believed."""


def is_bot(login: str) -> bool:
    """Whether GitHub names an app or bot: their logins end so, and people's cannot hold brackets."""
    return login.endswith("[bot]")


def starter_of(claims: RunnerClaims, full_name: str, github: GitHubInstallation) -> tuple[int, str]:
    """(GitHub id, login) of who started this attempt: re-runs and bots hide it in the token, the API has it.

    When GitHub cannot be asked the token's actor stands.
    """
    if claims.run_attempt == "1" and not is_bot(claims.actor):
        return claims.actor_id, claims.actor
    try:
        run = github.workflow_run(full_name, int(claims.run_id))
    except GitHubError:
        run = None
    if run is None or run.actor_id is None:
        return claims.actor_id, claims.actor
    return run.actor_id, run.actor_login


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
