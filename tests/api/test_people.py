"""Who a run is charged to, and whose budget it draws on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.api.people import checked, draws_on, starter_of
from app.github_api.fake import FakeGitHub
from app.github_api.protocol import GitHubError, RemoteRepository, RemoteRun
from app.identity.oidc import RunnerClaims
from app.registry import Engineer, EngineerKind, Organization
from tabstop.budget import Scope

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ACME = Organization(1, 1, "acme", 1)
CLAIMS = RunnerClaims("jti", 100, "acme/widget", 1, "acme", "9", "1", "", 3, "alice", "push", "", "", "c0ffee")


def github(*members: str) -> FakeGitHub:
    fake = FakeGitHub()
    fake.install(1, 1, "acme", RemoteRepository(100, "acme/widget", "main", private=True))
    fake.members["acme"] = set(members)
    fake.runs["acme/widget", 9] = RemoteRun(9, "push", "sha", "main", "in_progress", "", 4, "bob")
    return fake


@pytest.mark.parametrize(
    ("actor", "attempt", "starter"),
    [("alice", "1", (3, "alice")), ("alice", "2", (4, "bob")), ("dependabot[bot]", "1", (4, "bob"))],
)
def test_re_runs_and_bots_are_resolved_to_who_started_them(actor: str, attempt: str, starter: tuple[int, str]) -> None:
    """The token names the first actor; who pressed Re-run, or whom a bot worked for, only the API knows."""
    found = starter_of(replace(CLAIMS, actor=actor, run_attempt=attempt), "acme/widget", github().installation(1))
    assert found == starter


def test_without_an_answer_the_token_s_actor_stands() -> None:
    """A start is not refused because GitHub is slow to say who pressed a button."""
    fake = github()
    fake.refusals.append(GitHubError("busy", status=503))
    assert starter_of(replace(CLAIMS, run_attempt="2"), "acme/widget", fake.installation(1)) == (3, "alice")


@pytest.mark.parametrize(
    ("login", "kind", "scope"),
    [
        ("alice", EngineerKind.MEMBER, Scope.ENGINEER),
        ("eve", EngineerKind.OUTSIDE, Scope.GUEST),
        ("renovate[bot]", EngineerKind.BOT, Scope.GUEST),
    ],
)
def test_members_have_their_own_budget_everybody_else_is_a_guest(login: str, kind: EngineerKind, scope: Scope) -> None:
    """Bots and people outside the organization draw on the repository's guest budget, never on a fresh one."""
    engineer = checked(None, 3, login, ACME, github("alice").installation(1), NOW)
    assert engineer.kind is kind
    assert draws_on(engineer) is scope


def test_a_membership_is_believed_for_a_day() -> None:
    """Within a day nobody is asked; after it a person who left becomes a guest."""
    alice = Engineer(7, 3, "alice", EngineerKind.MEMBER, NOW)
    gone = github()
    assert checked(alice, 3, "alice", ACME, gone.installation(1), NOW + timedelta(hours=23)) == alice
    later = checked(alice, 3, "alice", ACME, gone.installation(1), NOW + timedelta(hours=25))
    assert (later.id, later.kind) == (7, EngineerKind.OUTSIDE)


def test_when_membership_cannot_be_asked_the_last_answer_stands() -> None:
    """An outage turns no member into a guest; somebody never seen before is a guest until it is over."""
    alice = Engineer(7, 3, "alice", EngineerKind.MEMBER, NOW)
    fake = github()
    fake.refusals += [GitHubError("busy", status=503)] * 2
    assert checked(alice, 3, "alice", ACME, fake.installation(1), NOW + timedelta(days=2)).kind is EngineerKind.MEMBER
    stranger = checked(None, 8, "mallory", ACME, fake.installation(1), NOW)
    assert draws_on(stranger) is Scope.GUEST
