"""Where a session ran and who started it: in the run that asks, or, of a late report, in the run whose report it is."""

from __future__ import annotations

from dataclasses import dataclass

from app.api.starter import Run, Starter, person_behind, triggered_by
from app.api.whereabouts import Whereabouts, where_is
from app.github_api.protocol import GitHubError, GitHubInstallation, RemotePullRequest, RemoteRun
from app.identity.names import Names
from app.identity.oidc import QUEUE, RunnerClaims, queued_pull_request
from app.registry import PullRequest, Repository
from tabstop.attribution import Confidence
from tabstop.wire import StartRequest

LONGEST_NUMBER = 18
"""Digits of a run's id or attempt; GitHub's ids are 64-bit integers."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The run of a session. person: who started it.

    Of a late report all of it may be unknown. Then person is None and the rest is empty: whoever brings a report has not
    spent what it tells.
    """

    where: Whereabouts
    person: Starter | None = None
    run_id: str = ""
    run_attempt: str = ""
    job_id: str = ""
    sha: str = ""


def origin_of(
    claims: RunnerClaims,
    asked: StartRequest,
    repository: Repository,
    known: PullRequest | None,
    github: GitHubInstallation,
    names: Names,
) -> Origin:
    """The asking run, as its token proves it, or the run whose late report it brings. Raises `GitHubError` for the first.

    `known` is the pull request the token proves, if a webhook told us of it.
    """
    if _is_of_another_run(claims, asked):
        return _of_another_run(claims, asked, repository, github, names)
    actor = triggered_by(claims, repository.full_name, github)
    where = where_is(claims, asked, repository, known, github)
    person = person_behind(actor, Run(repository.full_name, where.pull_request, claims.sha), github, names)
    return Origin(where, person, claims.run_id, claims.run_attempt, claims.job_id, claims.sha)


def _is_of_another_run(claims: RunnerClaims, asked: StartRequest) -> bool:
    """Whether a session told after the fact ran elsewhere than in the run that tells, or does not say where it ran."""
    if asked.unadmitted_since is None:
        return False
    return asked.run_id != claims.run_id or asked.run_attempt not in {"", claims.run_attempt}


def _of_another_run(
    claims: RunnerClaims, asked: StartRequest, repository: Repository, github: GitHubInstallation, names: Names
) -> Origin:
    """Person and place by GitHub's record of the run that the report names: a claim, since any job could name it.

    What GitHub does not know, or cannot be asked about now, is the repository's only.
    """
    told = f"reported later by run {claims.run_id}"
    run_id = _number(asked.run_id)
    if run_id is None:
        return Origin(_repository_only(f"{told}; the report does not say which run it is from"))
    try:
        run = _run(run_id, _number(asked.run_attempt), repository, github)
    except GitHubError:
        return Origin(_repository_only(f"{told}; GitHub could not be asked about run {run_id}"))
    if run is None:
        return Origin(_repository_only(f"{told}; GitHub knows no run {run_id} of this repository"))
    where = _place(told, asked, run, repository, github)
    person = None
    if run.actor_id is not None:
        about = Run(repository.full_name, where.pull_request, run.head_sha)
        person = person_behind(Starter(run.actor_id, run.actor_login), about, github, names)
    return Origin(where, person, str(run.id), str(run.attempt), sha=run.head_sha)


def _run(run_id: int, attempt: int | None, repository: Repository, github: GitHubInstallation) -> RemoteRun | None:
    """The attempt the report names, the newest where it names none: each attempt has its own `triggering_actor`."""
    run = github.workflow_run(repository.full_name, run_id)
    if run is not None and attempt is not None and run.attempt != attempt:
        run = github.workflow_run(repository.full_name, run_id, attempt)
    # An old name of a repository leads to whatever bears the name now.
    return run if run is not None and run.repository_id == repository.github_id else None


def _place(
    told: str, asked: StartRequest, run: RemoteRun, repository: Repository, github: GitHubInstallation
) -> Whereabouts:
    pull_request = _claimed(asked, run, repository, github)
    if pull_request is not None:
        reason = f"{told}, pull request #{pull_request.number} by the branch in GitHub's record of run {run.id}"
        return Whereabouts(
            pull_request.tab_branch(repository.github_id), pull_request.number, reason, Confidence.CLAIMED
        )
    # A fork's branch is not this repository's, whatever its name. A tag's run has the tag's name here, and a job on a
    # tag names no branch.
    own = run.head_repository_id == repository.github_id and bool(asked.branch or asked.pull_request)
    nobodys = {"", repository.default_branch}
    if own and run.head_branch not in nobodys and not _ref(run).startswith(QUEUE):
        return Whereabouts(
            run.head_branch, None, f"{told}, branch from GitHub's record of run {run.id}", Confidence.CLAIMED
        )
    return _repository_only(f"{told}; GitHub's record of run {run.id} names no branch that has a tab")


def _claimed(
    asked: StartRequest, run: RemoteRun, repository: Repository, github: GitHubInstallation
) -> RemotePullRequest | None:
    """The pull request of the report, if the run was on its head branch; or the one that a run of the merge queue was for."""
    queued = queued_pull_request(run.event, _ref(run))
    number = queued or asked.pull_request
    if number is None or run.head_repository_id is None:
        return None
    try:
        found = github.pull_request(repository.full_name, number)
    except GitHubError:
        return None
    if found is None or queued is not None:
        return found
    same = (found.head_repository_id, found.head_branch) == (run.head_repository_id, run.head_branch)
    return found if same else None


def _ref(run: RemoteRun) -> str:
    return f"refs/heads/{run.head_branch}"


def _repository_only(reason: str) -> Whereabouts:
    return Whereabouts("", None, reason, Confidence.REPOSITORY_ONLY)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER else None
