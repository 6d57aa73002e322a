"""Whose a session is that another run tells of after the fact, and where it lies: never the one's who brings it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.api.origin import Origin, origin_of
from app.github_api.fake import FakeGitHub
from app.github_api.protocol import GitHubError, RemotePullRequest, RemoteRepository, RemoteRun
from app.identity.names import Names
from app.identity.oidc import RunnerClaims
from app.registry import PullRequest, Repository
from tabstop.policy.model import Policy
from tabstop.wire import StartRequest

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
REPOSITORY = Repository(1, 100, "acme/widget", "main")
BOB = RunnerClaims(
    "jti", 100, "acme/widget", 1, "acme", "12", "1", "77", 4, "bob", "pull_request", "refs/pull/8/merge", "theirs", "m8"
)
"""The run that brings the report in, on pull request #8."""
THEIRS = PullRequest(1, 1, 8, 5, "head", "theirs", "main", 4, "Other", "open", False, NOW)
PULL = RemotePullRequest(
    number=7,
    title="Fix",
    state="merged",
    draft=False,
    head_sha="newer",
    head_branch="claude/fix",
    head_repository_id=100,
    head_owner="acme",
    base_branch="main",
    author_id=9,
    author_login="carol",
    author_is_bot=False,
    updated_at=NOW,
)
RUN = RemoteRun(9, "pull_request", "head", "claude/fix", "completed", "success", 3, "alice", 2, 100, 100)
REPORT = StartRequest(
    "codex", "acme/widget", "claude/fix", pull_request=7, unadmitted_since=NOW, run_id="9", run_attempt="2"
)
FORK = replace(PULL, head_repository_id=200, head_owner="eve")
ALICE = (3, "alice")
QUEUED = replace(RUN, event="merge_group", head_branch=f"gh-readonly-queue/main/pr-7-{'a' * 40}")


def github(pull: RemotePullRequest | None = PULL, run: RemoteRun | None = RUN) -> FakeGitHub:
    fake = FakeGitHub()
    fake.install(1, 1, "acme", RemoteRepository(100, "acme/widget", "main", private=True))
    if pull:
        fake.put("acme/widget", pull)
    if run:
        fake.runs["acme/widget", 9] = run
        fake.attempts["acme/widget", 9, 1] = replace(run, attempt=1, actor_id=5, actor_login="dave")
    return fake


def found(report: StartRequest, fake: FakeGitHub, claims: RunnerClaims = BOB) -> Origin:
    return origin_of(claims, report, REPOSITORY, THEIRS, fake.installation(1), Names(Policy()))


def who(origin: Origin) -> tuple[int, str] | None:
    return (origin.person.github_id, origin.person.login) if origin.person else None


@pytest.mark.parametrize(
    ("why", "report", "fake", "branch", "number", "person"),
    [
        ("its pull request, merged meanwhile and with a newer head", REPORT, github(), "claude/fix", 7, ALICE),
        ("its branch, where no pull request is named", replace(REPORT, pull_request=None), github(), "claude/fix",
         None, ALICE),
        ("its branch, where the pull request named is another branch's", REPORT,
         github(replace(PULL, head_branch="other")), "claude/fix", None, ALICE),
        ("its branch, where there is no such pull request", REPORT, github(None), "claude/fix", None, ALICE),
        ("its branch, whatever branch the report names", replace(REPORT, branch="theirs", pull_request=8), github(),
         "claude/fix", None, ALICE),
        ("an earlier attempt is its own starter's", replace(REPORT, run_attempt="1"), github(), "claude/fix", 7,
         (5, "dave")),
        ("no attempt named: the newest", replace(REPORT, run_attempt=""), github(), "claude/fix", 7, ALICE),
        ("a bot's run is the author's of its pull request", REPORT,
         github(run=replace(RUN, actor_id=6, actor_login="renovate[bot]")), "claude/fix", 7, (9, "carol")),
        ("a bot's run on no pull request is the bot's", replace(REPORT, pull_request=None),
         github(run=replace(RUN, actor_id=6, actor_login="renovate[bot]")), "claude/fix", None, (6, "renovate[bot]")),
        ("a run whose starter deleted the account", REPORT, github(run=replace(RUN, actor_id=None, actor_login="")),
         "claude/fix", 7, None),
        ("a run of the merge queue is the pull request's it was for, whatever the report names",
         replace(REPORT, pull_request=8), github(run=QUEUED), "claude/fix", 7, ALICE),
        ("a fork's run, on its pull request", REPORT, github(FORK, replace(RUN, head_repository_id=200)),
         "eve:claude/fix", 7, ALICE),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)  # fmt: skip
def test_github_s_record_of_the_run_says_whose_it_is(
    why: str,
    report: StartRequest,
    fake: FakeGitHub,
    branch: str,
    number: int | None,
    person: tuple[int, str] | None,
) -> None:
    """Never proven: any job of the repository could name the run. The reason names both runs."""
    origin = found(report, fake)
    where = origin.where
    assert (where.branch, where.pull_request, where.confidence) == (branch, number, "claimed"), why
    assert who(origin) == person
    assert (origin.run_id, origin.run_attempt, origin.job_id) == ("9", report.run_attempt or "2", "")
    assert where.reason.startswith("reported later by run 12, ")
    assert where.reason.endswith("GitHub's record of run 9")


@pytest.mark.parametrize(
    ("report", "fake", "person", "reason"),
    [
        (replace(REPORT, run_id="", run_attempt=""), github(), None, "the report does not say which run it is from"),
        (replace(REPORT, run_id="../9"), github(), None, "the report does not say which run it is from"),
        (replace(REPORT, run_id="9" * 30), github(), None, "the report does not say which run it is from"),
        (replace(REPORT, run_id="10"), github(), None, "GitHub knows no run 10 of this repository"),
        (replace(REPORT, run_attempt="3"), github(), None, "GitHub knows no run 9 of this repository"),
        (REPORT, github(run=replace(RUN, repository_id=101)), None, "GitHub knows no run 9 of this repository"),
        (REPORT, github(run=replace(RUN, head_branch="main")), ALICE, "names no branch that has a tab"),
        (REPORT, github(None, replace(RUN, head_repository_id=200)), ALICE, "names no branch that has a tab"),
        (REPORT, github(replace(FORK, head_repository_id=None), replace(RUN, head_repository_id=None)), ALICE,
         "names no branch that has a tab"),
        (replace(REPORT, branch="", pull_request=None), github(run=replace(RUN, event="push", head_branch="v1.0")),
         ALICE, "names no branch that has a tab"),
        (REPORT, github(None, QUEUED), ALICE, "names no branch that has a tab"),
    ],
    ids=["no run", "no number", "no such number", "unknown run", "unknown attempt", "another repository's run",
         "default branch", "a fork's branch alone", "a fork that is gone", "a tag", "the merge queue's branch"],
)  # fmt: skip
def test_what_has_no_branch_of_its_own_is_the_repository_s_only(
    report: StartRequest, fake: FakeGitHub, person: tuple[int, str] | None, reason: str
) -> None:
    """And nobody's, where the run is not known: not the tab of the run that brings it, nor the person's."""
    origin = found(report, fake)
    assert (origin.where.branch, origin.where.pull_request) == ("", None)
    assert origin.where.confidence == "repository only"
    assert origin.where.reason.startswith("reported later by run 12; ")
    assert origin.where.reason.endswith(reason)
    assert who(origin) == person


@pytest.mark.parametrize("attempt", ["2", "1"])
def test_when_github_is_away_the_report_is_taken_all_the_same(attempt: str) -> None:
    """The repository's only, with a reason that says so."""
    fake = github()
    fake.refusals.append(GitHubError("busy", status=503))
    origin = found(replace(REPORT, run_attempt=attempt), fake)
    reason = "reported later by run 12; GitHub could not be asked about run 9"
    assert (origin.where.branch, origin.where.reason, who(origin)) == ("", reason, None)


@pytest.mark.parametrize(
    ("report", "claims", "person"),
    [
        (REPORT, replace(BOB, run_id="9", run_attempt="2"), (3, "alice")),
        (replace(REPORT, run_attempt=""), replace(BOB, run_id="9"), (4, "bob")),
        (replace(REPORT, unadmitted_since=None), BOB, (4, "bob")),
    ],
    ids=["the same run after the server came back", "no attempt named", "a start that asks beforehand"],
)
def test_a_run_speaks_for_itself(report: StartRequest, claims: RunnerClaims, person: tuple[int, str]) -> None:
    """What the token proves counts, whatever the request says beside it."""
    origin = found(report, github(), claims)
    assert (origin.where.branch, origin.where.pull_request, origin.where.confidence) == ("theirs", 8, "proven")
    assert (who(origin), origin.run_id, origin.job_id, origin.sha) == (person, claims.run_id, "77", "m8")


def test_another_attempt_of_the_same_run_was_started_by_somebody_else() -> None:
    """Bob pressed Re-run; what the first attempt could not report is still its starter's."""
    origin = found(replace(REPORT, run_attempt="1"), github(), replace(BOB, run_id="9", run_attempt="2"))
    assert (who(origin), origin.where.confidence) == ((5, "dave"), "claimed")
