"""Where a run's work belongs: what the token proves, what GitHub's API confirms, and what is only claimed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.api.whereabouts import where_is
from app.github_api.fake import FakeGitHub
from app.github_api.protocol import GitHubError, RemotePullRequest, RemoteRepository, RemoteRun
from app.identity.oidc import RunnerClaims
from app.registry import PullRequest, Repository
from tabstop.wire import StartRequest

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
REPOSITORY = Repository(1, 100, "acme/widget", "main")
PULL = RemotePullRequest(
    number=7,
    title="Fix",
    state="open",
    draft=False,
    head_sha="head",
    head_branch="claude/fix",
    head_repository_id=100,
    head_owner="acme",
    base_branch="main",
    author_id=3,
    author_login="alice",
    author_is_bot=False,
    updated_at=NOW,
)
RUN = RemoteRun(9, "workflow_dispatch", "head", "claude/fix", "in_progress", "", 3, "alice")


def claims(event: str, ref: str, head_ref: str = "") -> RunnerClaims:
    return RunnerClaims("jti", 100, "acme/widget", 1, "acme", "9", "1", "", 3, "alice", event, ref, head_ref, "merge")


def github(pull: RemotePullRequest | None = PULL, run: RemoteRun | None = RUN) -> FakeGitHub:
    fake = FakeGitHub()
    fake.install(1, 1, "acme", RemoteRepository(100, "acme/widget", "main", private=True))
    if pull:
        fake.put("acme/widget", pull)
    if run:
        fake.runs["acme/widget", run.id] = run
    return fake


KNOWN = PullRequest(1, 1, 7, 5, "head", "claude/known", "main", 3, "Fix", "open", False, NOW)
QUEUED = f"refs/heads/gh-readonly-queue/main/pr-7-{'a' * 40}"
FORK = replace(PULL, head_repository_id=200, head_owner="eve")


@pytest.mark.parametrize(
    ("why", "run_claims", "number", "known", "fake", "branch", "confidence"),
    [
        ("a pull_request run, known from a webhook, asks nobody",
         claims("pull_request", "refs/pull/7/merge"), None, KNOWN, github(None, None), "claude/known", "proven"),
        ("a pull_request run, not known yet, is looked up",
         claims("pull_request", "refs/pull/7/merge", "x"), None, None, github(), "claude/fix", "proven"),
        ("a pull_request run GitHub does not answer for is placed by its head_ref",
         claims("pull_request", "refs/pull/7/merge", "x"), None, None, github(None), "x", "proven"),
        ("a claimed number cannot override the proven one",
         claims("pull_request", "refs/pull/7/merge"), 8, KNOWN, github(), "claude/known", "proven"),
        ("a dispatch on the pull request's head proves its claim",
         claims("workflow_dispatch", "refs/heads/claude/fix"), 7, None, github(), "claude/fix", "verified"),
        ("a dispatch on another head does not",
         claims("workflow_dispatch", "refs/heads/main"), 7, None, github(run=replace(RUN, head_sha="other")), "",
         "repository only"),
        ("a comment on an open pull request proves it",
         claims("issue_comment", "refs/heads/main"), 7, None, github(run=None), "claude/fix", "verified"),
        ("a comment on a closed one does not",
         claims("issue_comment", "refs/heads/main"), 7, None, github(replace(PULL, state="closed")), "",
         "repository only"),
        ("a fork's head is named with its owner",
         claims("issue_comment", "refs/heads/main"), 7, None, github(FORK), "eve:claude/fix", "verified"),
        ("a pull request that is not there proves nothing",
         claims("issue_comment", "refs/heads/main"), 99, None, github(), "", "repository only"),
        ("a push to a branch belongs to the branch's tab",
         claims("push", "refs/heads/claude/new"), None, None, github(None, None), "claude/new", "proven"),
        ("a run of the merge queue belongs to the pull request it is for",
         claims("merge_group", QUEUED), None, KNOWN, github(None, None), "claude/known", "proven"),
        ("a run of the merge queue for a pull request that is not known yet",
         claims("merge_group", QUEUED), None, None, github(), "claude/fix", "proven"),
        ("a run of the merge queue that GitHub does not answer for has no tab",
         claims("merge_group", QUEUED), None, None, github(None), "", "repository only"),
        ("a run on the default branch belongs to the repository only",
         claims("schedule", "refs/heads/main"), None, None, github(None, None), "", "repository only"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)  # fmt: skip
def test_where_a_run_belongs(
    why: str,
    run_claims: RunnerClaims,
    number: int | None,
    known: PullRequest | None,
    fake: FakeGitHub,
    branch: str,
    confidence: str,
) -> None:
    """Titles and branch texts alone never place anything; numbers are claims unless `ref` proves them."""
    asked = StartRequest(agent="claude-code", pull_request=number)
    where = where_is(run_claims, asked, REPOSITORY, known, fake.installation(1))
    assert (where.branch, where.confidence) == (branch, confidence), why
    assert where.reason


def test_a_claim_that_cannot_be_checked_is_not_guessed() -> None:
    """When GitHub does not answer the start is asked to come again; it is not placed on a guess."""
    fake = github()
    fake.refusals.append(GitHubError("busy", status=503, retry_after=5))
    with pytest.raises(GitHubError):
        where_is(
            claims("issue_comment", "refs/heads/main"),
            StartRequest(agent="codex", pull_request=7),
            REPOSITORY,
            None,
            fake.installation(1),
        )
