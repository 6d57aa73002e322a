"""Two GitHubs to run the same promises on: the fake, and githubkit against the emulator."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from app.github_api.fake import FakeGitHub
from app.github_api.kit import KitApp
from app.github_api.pace import Pace
from app.github_api.protocol import GitHubApp, RemotePullRequest, RemoteRepository, RemoteRun
from tests.support.emulator import REPO, Emulators

WIDGET = f"acme/{REPO}"


@dataclass(frozen=True)
class Opened:
    """A pull request somebody opened."""

    number: int
    branch: str
    head_sha: str


class Stage(Protocol):
    """What happens on GitHub without us, and what people then see there."""

    @property
    def app(self) -> GitHubApp:
        """The App under test."""

    @property
    def installation_id(self) -> int:
        """Its installation on acme."""

    @property
    def slug(self) -> str:
        """What its comments are signed with, before `[bot]`."""

    def open_pull_request(self, branch: str, files: Mapping[str, str]) -> Opened:
        """Alice opens a pull request on acme/widget."""

    def commit_to_main(self, files: Mapping[str, str]) -> str:
        """Somebody commits to the default branch; answers the commit."""

    def workflow_run(self, run_id: int, opened: Opened, actor: str) -> None:
        """A workflow ran on a pull request's head, started by this person."""

    def comment(self, opened: Opened, body: str) -> int:
        """Alice writes a comment."""

    def comments(self, opened: Opened) -> list[tuple[str, str]]:
        """(author, text) of each comment."""

    def checks(self, sha: str) -> list[tuple[str, str, str, str]]:
        """(name, conclusion, title, summary) of each check run on a commit."""


@dataclass
class FakeStage:
    """The fake, set up as the emulator is."""

    app: FakeGitHub = field(default_factory=FakeGitHub)
    installation_id: int = 777
    slug: str = "tabstop"
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.app.install(777, 4, "acme", RemoteRepository(1, WIDGET, "main", private=True))
        self.app.members["acme"] = {"alice", "bob", "carol"}

    def open_pull_request(self, branch: str, files: Mapping[str, str]) -> Opened:
        number = next(self.numbers)
        sha = f"{number:040x}"
        remote = RemotePullRequest(
            number=number,
            title="A change",
            state="open",
            draft=False,
            head_sha=sha,
            head_branch=branch,
            head_repository_id=1,
            head_owner="acme",
            base_branch="main",
            author_id=1,
            author_login="alice",
            author_is_bot=False,
            updated_at=datetime.now(UTC),
        )
        self.app.put(WIDGET, remote, tuple(files))
        for path, text in files.items():
            self.app.write_file(WIDGET, path, text, sha, ref=sha)
        return Opened(number, branch, sha)

    def commit_to_main(self, files: Mapping[str, str]) -> str:
        sha = f"{next(self.numbers) + 1000:040x}"
        for path, text in files.items():
            self.app.write_file(WIDGET, path, text, sha)
        return sha

    def workflow_run(self, run_id: int, opened: Opened, actor: str) -> None:
        self.app.runs[WIDGET, run_id] = RemoteRun(
            run_id, "pull_request", opened.head_sha, opened.branch, "completed", "success", 3, actor, 1, 1, 1
        )

    def comment(self, opened: Opened, body: str) -> int:
        return self.app.comment(WIDGET, opened.number, "alice", body)

    def comments(self, opened: Opened) -> list[tuple[str, str]]:
        return [(c.author, c.body) for c in self.app.comments_on(WIDGET, opened.number)]

    def checks(self, sha: str) -> list[tuple[str, str, str, str]]:
        found = [posted.check for posted in self.app.checks_on(sha)]
        return [(c.name, c.conclusion, c.title, c.summary) for c in found]


@dataclass
class EmulatedStage:
    """githubkit over HTTP to the emulator."""

    emulators: Emulators

    def __post_init__(self) -> None:
        env = self.emulators.env
        self.app = KitApp(str(env.app_id), env.private_key, env.github_url, pace=Pace(every=0))
        self.installation_id = env.installation_id
        self.slug = env.app_slug

    def open_pull_request(self, branch: str, files: Mapping[str, str]) -> Opened:
        opened = self.emulators.open_pull_request(branch, files=files)
        return Opened(opened.number, opened.branch, opened.head_sha)

    def commit_to_main(self, files: Mapping[str, str]) -> str:
        return self.emulators.commit("main", files)

    def workflow_run(self, run_id: int, opened: Opened, actor: str) -> None:
        self.emulators.workflow_run(
            run_id,
            head_branch=opened.branch,
            head_sha=opened.head_sha,
            status="completed",
            conclusion="success",
            actor=actor,
        )

    def comment(self, opened: Opened, body: str) -> int:
        made = self.emulators._github("POST", f"/repos/{WIDGET}/issues/{opened.number}/comments", {"body": body}, "bob")
        return int(made["id"])

    def comments(self, opened: Opened) -> list[tuple[str, str]]:
        return [(c["user"]["login"], c["body"]) for c in self.emulators.comments(opened.number)]

    def checks(self, sha: str) -> list[tuple[str, str, str, str]]:
        found = self.emulators.check_runs(sha)
        return [(c["name"], c["conclusion"], c["output"]["title"], c["output"]["summary"]) for c in found]
