"""A GitHub and a Slack inside the process: what would be posted is kept, with when, and shown on the demo's page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from app.demo import cast
from app.github_api.fake import FakeGitHub, FakeInstallation
from app.github_api.protocol import CheckRun
from app.slack_api.fake import FakeChat
from app.slack_api.protocol import ChatMessage


@dataclass(frozen=True, slots=True)
class Shown:
    """A state of a check as it was posted."""

    check: CheckRun
    at: datetime


@dataclass
class PreviewGitHub(FakeGitHub):
    """GitHub in memory, which also remembers every state a check went through."""

    now: Callable[[], datetime] = field(kw_only=True)
    shown: list[Shown] = field(default_factory=list)

    def installation(self, installation_id: int) -> PreviewInstallation:
        """GitHub as this installation sees it."""
        return PreviewInstallation(installation_id, self)

    def remember(self, check: CheckRun) -> None:
        """Keep a state; one that only says more about the same figures takes the place of the last on its commit."""
        with self.lock:
            same = [s for s in self.shown if s.check.head_sha == check.head_sha][-1:]
            if same and (same[0].check.conclusion, same[0].check.title) == (check.conclusion, check.title):
                self.shown[self.shown.index(same[0])] = Shown(check, same[0].at)
            else:
                self.shown.append(Shown(check, self.now()))


@dataclass(frozen=True)
class PreviewInstallation(FakeInstallation):
    """One installation's view; the page reads while jobs write, so writes take the lock."""

    github: PreviewGitHub

    def create_check_run(self, full_name: str, check: CheckRun) -> int:
        """Keep a check run; answers its id."""
        with self.github.lock:
            check_run_id = super().create_check_run(full_name, check)
            self.github.remember(check)
            return check_run_id

    def update_check_run(self, full_name: str, check_run_id: int, check: CheckRun) -> None:
        """Replace a check run."""
        with self.github.lock:
            super().update_check_run(full_name, check_run_id, check)
            self.github.remember(self.github.check_runs[check_run_id].check)

    def create_comment(self, full_name: str, number: int, body: str) -> int:
        """Keep a comment; answers its id."""
        with self.github.lock:
            return super().create_comment(full_name, number, body)

    def update_comment(self, full_name: str, comment_id: int, body: str) -> bool:
        """Replace a comment's text."""
        with self.github.lock:
            return super().update_comment(full_name, comment_id, body)


@dataclass(frozen=True, slots=True)
class Posted:
    """A message as it stands in its channel."""

    message: ChatMessage
    at: datetime


@dataclass
class PreviewSlack(FakeChat):
    """A chat that keeps what is posted, and when."""

    now: Callable[[], datetime] = field(kw_only=True)
    posted: list[Posted] = field(default_factory=list)

    def post(self, message: ChatMessage) -> str:
        """Keep it; answers its id."""
        message_id = super().post(message)
        self.posted.append(Posted(message, self.now()))
        return message_id


def preview_github(now: Callable[[], datetime]) -> PreviewGitHub:
    """A GitHub where the App is about to be installed: the organization, its repositories, people and policies."""
    github = PreviewGitHub(now=now)
    github.install(cast.INSTALLATION_ID, cast.ORGANIZATION_ID, cast.ORGANIZATION, *cast.repositories())
    github.members[cast.ORGANIZATION] |= {cast.ALICE.login, cast.CAROL.login}
    path = ".github/tabstop.yml"
    github.write_file(cast.REPOSITORY, path, cast.POLICY, cast.POLICY_COMMIT)
    github.write_file(cast.ORGANIZATION_REPOSITORY, path, cast.ORGANIZATION_POLICY, cast.ORGANIZATION_POLICY_COMMIT)
    return github
