"""Who a run is charged to: the person who started it, wherever GitHub or the organization says so."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from app.api.starter import Run, Starter, person_behind, triggered_by
from app.github_api.fake import FakeGitHub
from app.github_api.protocol import (
    GitHubError,
    RemoteCommit,
    RemotePullRequest,
    RemoteRepository,
    RemoteRun,
    RemoteUser,
)
from app.identity.names import Names
from app.identity.oidc import RunnerClaims
from tabstop.policy.model import Policy

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CLAIMS = RunnerClaims("jti", 100, "acme/widget", 1, "acme", "9", "1", "", 3, "alice", "push", "", "", "c0ffee")
HEAD, MERGE = "a" * 40, "b" * 40

ALICE, BOB, CAROL = RemoteUser(3, "alice"), RemoteUser(4, "bob"), RemoteUser(9, "carol")
CLAUDE = RemoteUser(209, "claude[bot]", is_bot=True)
COPILOT = RemoteUser(198, "Copilot", is_bot=True)
ADDRESSES = {"bob": "4+bob@users.noreply.github.com", "carol": "carol@users.noreply.github.com"}
BY_BOT = RemoteCommit(CLAUDE, "claude[bot]", "209+claude[bot]@users.noreply.github.com")

PULL = RemotePullRequest(
    number=7,
    title="Fix",
    state="open",
    draft=False,
    head_sha=HEAD,
    head_branch="claude/fix",
    head_repository_id=100,
    head_owner="acme",
    base_branch="main",
    author_id=9,
    author_login="carol",
    author_is_bot=False,
    updated_at=NOW,
)
BOTS = replace(PULL, author_id=209, author_login="claude[bot]", author_is_bot=True)


def github(pull: RemotePullRequest | None = None, **commits: RemoteCommit) -> FakeGitHub:
    """GitHub with three people. commits: made by whom, `head` and `merge`."""
    fake = FakeGitHub()
    fake.install(1, 1, "acme", RemoteRepository(100, "acme/widget", "main", private=True))
    fake.users = {one.login.lower(): one for one in (ALICE, BOB, CAROL, CLAUDE)}
    if pull:
        fake.put("acme/widget", pull)
    for name, made in commits.items():
        fake.makers["acme/widget", {"head": HEAD, "merge": MERGE}[name]] = made
    return fake


@pytest.mark.parametrize(
    ("actor", "attempt", "starter"),
    [
        ("alice", "1", (3, "alice", "")),
        ("alice", "2", (4, "bob", "started attempt 2 of the run")),
        ("bob", "2", (4, "bob", "")),
        ("dependabot[bot]", "1", (4, "bob", "started attempt 1 of the run")),
        ("Copilot", "1", (4, "bob", "started attempt 1 of the run")),
    ],
)
def test_re_runs_and_bots_are_asked_about(actor: str, attempt: str, starter: tuple[int, str, str]) -> None:
    """The token names the first actor; who pressed Re-run only the API knows, and then that is how they were found."""
    fake = github()
    fake.runs["acme/widget", 9] = RemoteRun(9, "push", "sha", "main", "in_progress", "", 4, "bob")
    claims = replace(CLAIMS, actor=actor, actor_id={"bob": 4}.get(actor, CLAIMS.actor_id), run_attempt=attempt)
    assert triggered_by(claims, "acme/widget", fake.installation(1)) == Starter(*starter)


def test_without_an_answer_the_token_s_actor_stands() -> None:
    """A start is not refused because GitHub is slow to say who pressed a button, nor for a run it does not know."""
    fake, claims = github(), replace(CLAIMS, run_attempt="2")
    assert triggered_by(claims, "acme/widget", fake.installation(1)) == Starter(3, "alice")
    fake.refusals.append(GitHubError("busy", status=503))
    assert triggered_by(claims, "acme/widget", fake.installation(1)) == Starter(3, "alice")


@dataclass(frozen=True)
class Case:
    """actor: who triggered the run. pull: its pull request's, if it has one."""

    actor: RemoteUser = CLAUDE
    pull: RemotePullRequest | None = None
    head: RemoteCommit = BY_BOT
    merge: RemoteCommit = BY_BOT
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    found: RemoteUser | None = None
    why: str = ""


def by(name: str, address: str, author: RemoteUser | None = None, *others: tuple[str, str]) -> RemoteCommit:
    return RemoteCommit(author, name, address, others)


CASES = {
    "a person is themselves": Case(ALICE, PULL, found=ALICE),
    "the author of the pull request": Case(pull=PULL, found=CAROL, why="author of pull request #7"),
    "of a bot's pull request, the one it is assigned to": Case(
        COPILOT, replace(BOTS, author_login="Copilot", author_is_bot=False, assignees=(COPILOT, BOB)),
        found=BOB, why="assigned to pull request #7",
    ),
    "of two assignees neither": Case(pull=replace(BOTS, assignees=(ALICE, BOB))),
    "the author of its head commit, not of GitHub's merge": Case(
        pull=BOTS, head=by("Bob", "b@x", BOB), merge=by("C", "c@x", CAROL), found=BOB, why=f"author of commit {HEAD[:12]}"
    ),
    "a co-author of the bot's commit": Case(
        pull=BOTS, head=replace(BY_BOT, co_authors=(("claude[bot]", BY_BOT.address), ("Bob", ADDRESSES["bob"]))),
        found=BOB, why=f"co-author of commit {HEAD[:12]}",
    ),
    "the same co-author twice": Case(
        pull=BOTS, head=replace(BY_BOT, co_authors=(("B", ADDRESSES["bob"]), ("Bob", "bob@users.noreply.github.com"))),
        found=BOB, why=f"co-author of commit {HEAD[:12]}",
    ),
    "of two co-authors neither": Case(
        pull=BOTS, head=replace(BY_BOT, co_authors=(("B", ADDRESSES["bob"]), ("C", ADDRESSES["carol"])))
    ),
    "who pushed, where there is no pull request": Case(
        merge=by("Carol", "c@x", CAROL), found=CAROL, why=f"author of commit {MERGE[:12]}"
    ),
    "an author GitHub does not know, by the policy": Case(
        merge=by("Robert", "Rob@Corp.example"), aliases={"bob": ("rob@corp.example",)}, found=BOB,
        why=f"author of commit {MERGE[:12]}",
    ),
    "by the name in git, where the policy lists it": Case(
        merge=by("Robert  Roe", "me@laptop.local"), aliases={"bob": ("robert roe",)}, found=BOB,
        why=f"author of commit {MERGE[:12]}",
    ),
    "a name nobody lists is nobody's": Case(merge=by("bob", "bob@laptop.local")),
    "an address whose number is another account's": Case(merge=by("bob", "77+bob@users.noreply.github.com")),
    "another host's noreply address": Case(merge=by("bob", "4+bob@users.noreply.evil.example")),
    "a login nobody has": Case(merge=by("zoe", "zoe@users.noreply.github.com")),
    "an alias that is a bot's": Case(merge=by("x", "x@y"), aliases={"claude[bot]": ("x@y",)}),
    "a bot that works for one person": Case(pull=PULL, aliases={"bob": ("claude[bot]",)}, found=BOB, why="the policy's `aliases`"),
    "another account of a person": Case(
        RemoteUser(50, "acme-ci"), aliases={"alice": ("acme-ci",)}, found=ALICE, why="the policy's `aliases`"
    ),
    "an author by another account": Case(
        pull=replace(PULL, author_id=51, author_login="carol-at-home"), aliases={"carol": ("carol-at-home",)},
        found=CAROL, why="author of pull request #7",
    ),
    "an alias of a login that nobody has": Case(aliases={"zoe": ("claude[bot]",)}),
    "no commit is known": Case(),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_person_behind_a_run(name: str) -> None:
    """A person where one is told, with the reason; else the bot, never nobody."""
    case = CASES[name]
    commits = {} if name == "no commit is known" else {"head": case.head, "merge": case.merge}
    actor = Starter(case.actor.id, case.actor.login)
    names = Names(Policy(aliases=tuple(case.aliases.items())))
    run = Run("acme/widget", 7 if case.pull else None, MERGE)
    told = person_behind(actor, run, github(case.pull, **commits).installation(1), names)
    assert told == (Starter(case.found.id, case.found.login, case.why) if case.found else actor)


@pytest.mark.parametrize("pull", [None, PULL])
def test_when_github_is_away_the_bot_stands(pull: RemotePullRequest | None) -> None:
    """Whoever it was: an outage refuses no start and charges nobody else."""
    fake = github(pull, head=BY_BOT)
    fake.refusals += [GitHubError("busy", status=503)] * 3
    names = Names(Policy(aliases=(("bob", ("x",)),)))
    bot = Starter(209, "claude[bot]")
    assert person_behind(bot, Run("acme/widget", 7 if pull else None, MERGE), fake.installation(1), names) == bot
    mapped = Names(Policy(aliases=(("bob", ("claude[bot]",)),)))
    assert person_behind(bot, Run("acme/widget"), fake.installation(1), mapped) == bot


def test_a_pull_request_that_is_gone_tells_nothing() -> None:
    """Nor does a run without a commit."""
    bot = Starter(209, "claude[bot]")
    for run in (Run("acme/widget", 8, MERGE), Run("acme/widget")):
        assert person_behind(bot, run, github().installation(1), Names(Policy())) == bot


def test_an_enterprise_server_has_addresses_of_its_own() -> None:
    """`users.noreply.` and its host; github.com's mean nothing there."""
    names = Names(Policy(), "https://github.acme.example/")
    assert names.of_author("x", "4+bob@users.noreply.github.acme.example") == (4, "bob")
    assert names.of_author("x", "4+bob@users.noreply.github.com") is None
