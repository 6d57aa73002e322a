"""Whereabouts of a run: which tab its work belongs to, proven by the token or verified through GitHub's API."""

from __future__ import annotations

from dataclasses import dataclass

from app.github_api.protocol import GitHubError, GitHubInstallation, RemotePullRequest, RemoteRun
from app.identity.oidc import RunnerClaims
from app.registry import PullRequest, Repository
from tabstop.attribution import Confidence
from tabstop.wire import StartRequest


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A branch (empty: the repository only), the pull request if one is known, and how surely."""

    branch: str
    pull_request: int | None
    reason: str
    confidence: Confidence


def where_is(
    claims: RunnerClaims,
    asked: StartRequest,
    repository: Repository,
    known: PullRequest | None,
    github: GitHubInstallation,
) -> Whereabouts:
    """Place a run. `known` is the pull request the token proves, if a webhook told us of it. Raises `GitHubError`.

    `ref` proves a pull request only on `pull_request` events and in the merge queue. Any other number is a claim: it counts when the run's
    head is the pull request's head, or when a comment on it (an `issue_comment` run) started the run and it is open.
    A claim that does not hold is not an error; the work is then placed by what is proven.
    """
    proven = claims.proven_pull_request
    if proven is not None:
        return _proven(proven, claims, repository, known, github)
    if asked.pull_request is not None:
        run = github.workflow_run(repository.full_name, int(claims.run_id))
        pull_request = github.pull_request(repository.full_name, asked.pull_request)
        if pull_request is not None and _holds(pull_request, run, claims):
            return Whereabouts(
                pull_request.tab_branch(repository.github_id),
                pull_request.number,
                f"pull request #{pull_request.number}, verified through GitHub's API",
                Confidence.VERIFIED,
            )
    branch = claims.branch
    if branch and branch != repository.default_branch:
        return Whereabouts(branch, None, "the run's own branch", Confidence.PROVEN)
    return Whereabouts(
        "", None, "a run on the default branch that names no pull request of its own", Confidence.REPOSITORY_ONLY
    )


def _proven(
    number: int,
    claims: RunnerClaims,
    repository: Repository,
    known: PullRequest | None,
    github: GitHubInstallation,
) -> Whereabouts:
    reason = f"pull request #{number}, proven by the run's identity token"
    if known is not None:
        return Whereabouts(known.head_branch, number, reason, Confidence.PROVEN)
    try:
        pull_request = github.pull_request(repository.full_name, number)
    except GitHubError:
        pull_request = None
    if pull_request is not None:
        return Whereabouts(pull_request.tab_branch(repository.github_id), number, reason, Confidence.PROVEN)
    if not claims.head_ref:
        reason = f"a run for pull request #{number} in the merge queue, of which GitHub tells nothing"
        return Whereabouts("", None, reason, Confidence.REPOSITORY_ONLY)
    # Runs from forks get no identity token on `pull_request`, so `head_ref` is a branch of this very repository.
    return Whereabouts(claims.head_ref, number, reason, Confidence.PROVEN)


def _holds(pull_request: RemotePullRequest, run: RemoteRun | None, claims: RunnerClaims) -> bool:
    if claims.event == "issue_comment":
        return pull_request.state == "open"
    return run is not None and run.head_sha == pull_request.head_sha and run.head_branch == pull_request.head_branch
