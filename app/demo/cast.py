"""Who and what plays in the demo: an organization, its repository and people, one pull request, and the policies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.github_api.protocol import RemotePullRequest, RemoteRepository

ORGANIZATION_ID, ORGANIZATION = 4201, "acme"
INSTALLATION_ID = 77001
REPOSITORY_ID, REPOSITORY = 9301, "acme/widget"
ORGANIZATION_REPOSITORY = "acme/.github"
CHANNEL = "ai-spend"

NUMBER = 7
TITLE = "Rename the heading everywhere"
BRANCH = "agent/rename-heading"
HEAD = "5e1f0c9a7d3b48e26a90c4f17b5d2e8360fa91cb"
TEST_MERGE = "b07ac4d19e6f3582d0517fe8a49c36b2ed18705f"
"""Jobs of a `pull_request` event run on a test merge commit; the check belongs on the head."""
MERGE_GROUP_HEAD = "c93d5b20e7f1846ab2d9037ce5f4818a60be273d"
POLICY_COMMIT = "1f8a6e3c5b7d9024e6f1a3c5d7b9e0f2143658a7"
ORGANIZATION_POLICY_COMMIT = "82c4e6a8b0d1f3f5a7c9ebd0e2f4a6c8dae1b3f5"

POLICY = """\
# .github/tabstop.yml
tab:
  cap: $0.40
  why: a demo's pull request is a small one
slack:
  channel: ai-spend
"""

ORGANIZATION_POLICY = """\
# .github/tabstop.yml of acme/.github
approvers: [carol]
slack:
  allowed: [ai-spend]
"""


@dataclass(frozen=True, slots=True)
class Person:
    """A member of the organization."""

    github_id: int
    login: str


ALICE = Person(501, "alice")
"""Opened the pull request; her jobs run the agent."""
CAROL = Person(502, "carol")
"""Owns the organization; the policy names her as approver."""


def repositories() -> tuple[RemoteRepository, ...]:
    """What the App is installed on."""
    return (
        RemoteRepository(REPOSITORY_ID, REPOSITORY, "main", private=True),
        RemoteRepository(REPOSITORY_ID + 1, ORGANIZATION_REPOSITORY, "main", private=True),
    )


def pull_request(now: datetime) -> RemotePullRequest:
    """The pull request, opened now."""
    return RemotePullRequest(
        number=NUMBER,
        title=TITLE,
        state="open",
        draft=False,
        head_sha=HEAD,
        head_branch=BRANCH,
        head_repository_id=REPOSITORY_ID,
        head_owner=ORGANIZATION,
        base_branch="main",
        author_id=ALICE.github_id,
        author_login=ALICE.login,
        author_is_bot=False,
        updated_at=now.replace(microsecond=0),
    )
