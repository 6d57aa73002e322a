"""Starter: the person whom a run is charged to. A token names an actor; who pressed Re-run, or whom a bot worked for, only GitHub knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.github_api.protocol import GitHubError, GitHubInstallation, RemoteUser
from app.identity.names import Names, is_bot
from app.identity.oidc import RunnerClaims


@dataclass(frozen=True, slots=True)
class Starter:
    """An account, a person's wherever one is told. why: how it is known; empty where the run itself says so."""

    github_id: int
    login: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run is about. pull_request: proven or verified, never merely claimed. sha: the commit it runs on."""

    full_name: str
    pull_request: int | None = None
    sha: str = ""


def triggered_by(claims: RunnerClaims, full_name: str, github: GitHubInstallation) -> Starter:
    """Who triggered this attempt: the token names the first attempt's actor. When GitHub cannot be asked, that one stands."""
    if claims.run_attempt == "1" and not is_bot(claims.actor):
        return Starter(claims.actor_id, claims.actor)
    try:
        run = github.workflow_run(full_name, int(claims.run_id))
    except GitHubError:
        run = None
    if run is None or run.actor_id is None:
        return Starter(claims.actor_id, claims.actor)
    why = f"started attempt {claims.run_attempt} of the run" if run.actor_id != claims.actor_id else ""
    return Starter(run.actor_id, run.actor_login, why)


def person_behind(actor: Starter, run: Run, github: GitHubInstallation, names: Names) -> Starter:
    """The person, by the first that tells: the policy's aliases, the pull request, the commit. Else the actor itself, bot or not.

    Of a pull request its author counts, and of a bot's the one person it is assigned to. A commit's author and co-authors
    are what its writer typed, so they come last.
    """
    aliased = names.of_account(actor.login)
    if aliased:
        found = _account(aliased, None, github)
        return Starter(found.id, found.login, "the policy's `aliases`") if found else actor
    if not is_bot(actor.login):
        return actor
    try:
        if run.pull_request is not None:
            return _of_pull_request(run.full_name, run.pull_request, github, names) or actor
        return _of_commit(run.full_name, run.sha, github, names) or actor
    except GitHubError:
        return actor


def _of_pull_request(full_name: str, number: int, github: GitHubInstallation, names: Names) -> Starter | None:
    found = github.pull_request(full_name, number)
    if found is None:
        return None
    if found.author_id is not None and not found.author_is_bot and not is_bot(found.author_login):
        author = RemoteUser(found.author_id, found.author_login)
        return _as_person(author, f"author of pull request #{found.number}", github, names)
    people = [one for one in found.assignees if not one.is_bot and not is_bot(one.login)]
    if len(people) == 1:
        return _as_person(people[0], f"assigned to pull request #{found.number}", github, names)
    # The run's own commit is GitHub's merge of the two branches.
    return _of_commit(full_name, found.head_sha, github, names)


def _of_commit(full_name: str, sha: str, github: GitHubInstallation, names: Names) -> Starter | None:
    made = github.commit(full_name, sha) if sha else None
    if made is None:
        return None
    if made.author is not None and not made.author.is_bot and not is_bot(made.author.login):
        return _as_person(made.author, f"author of commit {sha[:12]}", github, names)
    author = _only([(made.name, made.address)], github, names)
    if author is not None:
        return Starter(author.id, author.login, f"author of commit {sha[:12]}")
    other = _only(made.co_authors, github, names)
    return Starter(other.id, other.login, f"co-author of commit {sha[:12]}") if other else None


def _only(authors: Iterable[tuple[str, str]], github: GitHubInstallation, names: Names) -> RemoteUser | None:
    """The one person among these, if it is one."""
    people: dict[str, int | None] = {}
    for name, address in authors:
        found = names.of_author(name, address)
        if found is not None and not is_bot(found[1]):
            people[found[1]] = people.get(found[1]) or found[0]
    if len(people) != 1:
        return None
    [(login, github_id)] = people.items()
    return _account(login, github_id, github)


def _as_person(user: RemoteUser, why: str, github: GitHubInstallation, names: Names) -> Starter:
    aliased = names.of_account(user.login)
    found = (_account(aliased, None, github) if aliased else None) or user
    return Starter(found.id, found.login, why)


def _account(login: str, github_id: int | None, github: GitHubInstallation) -> RemoteUser | None:
    """The person's account of this login now; None for nobody's, a bot's, or where it is another account than it was."""
    try:
        found = github.user(login)
    except GitHubError:
        return None
    if found is None or found.is_bot or github_id not in {None, found.id}:
        return None
    return found
