"""Whether somebody belongs to the organization, and whose budget they draw on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.api.people import checked, draws_on
from app.github_api.fake import FakeGitHub
from app.github_api.protocol import GitHubError, RemoteRepository
from app.registry import Engineer, EngineerKind, Organization
from tabstop.budget import Scope

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ACME = Organization(1, 1, "acme", 1)


def github(*members: str) -> FakeGitHub:
    fake = FakeGitHub()
    fake.install(1, 1, "acme", RemoteRepository(100, "acme/widget", "main", private=True))
    fake.members["acme"] = set(members)
    return fake


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
