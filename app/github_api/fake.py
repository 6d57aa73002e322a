"""FakeGitHub: GitHub in memory behind the same Protocols. Tests set it up; the demo shows what it would have posted."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.github_api.protocol import (
    CheckRun,
    FailedDelivery,
    GitHubError,
    RemoteApp,
    RemoteCommit,
    RemoteFile,
    RemotePerson,
    RemotePullRequest,
    RemoteRepository,
    RemoteRun,
    RemoteUser,
)


@dataclass(frozen=True, slots=True)
class PostedCheck:
    """A check run as posted, and how often it was updated since."""

    id: int
    full_name: str
    check: CheckRun
    updates: int = 0


@dataclass(frozen=True, slots=True)
class PostedComment:
    """A comment, by us (`author` is the bot) or by somebody else, and how often it was edited since."""

    id: int
    full_name: str
    number: int
    author: str
    body: str
    edits: int = 0


@dataclass
class FakeGitHub:
    """The App. What it holds is plain and may be set directly; `writes` counts what would have gone out.

    repositories: by installation. files: text by (repository, ref, path); a ref `` stands for any other ref.
    unreadable: (repository, path) that GitHub will not show. refusals: raised one by one by the next calls, writes and
    reads alike.
    """

    slug: str = "tabstop"
    accounts: dict[int, tuple[int, str]] = field(default_factory=dict)
    repositories: dict[int, dict[str, RemoteRepository]] = field(default_factory=dict)
    pull_requests: dict[tuple[str, int], RemotePullRequest] = field(default_factory=dict)
    changed: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    commits: dict[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    """By repository and whole commit id, the pull requests it is in."""
    files: dict[tuple[str, str, str], RemoteFile] = field(default_factory=dict)
    unreadable: set[tuple[str, str]] = field(default_factory=set)
    runs: dict[tuple[str, int], RemoteRun] = field(default_factory=dict)
    """Each as its newest attempt has it."""
    attempts: dict[tuple[str, int, int], RemoteRun] = field(default_factory=dict)
    """Earlier attempts."""
    members: dict[str, set[str]] = field(default_factory=dict)
    teams: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """Logins by organization and team slug, all in lower case."""
    people: dict[str, RemotePerson] = field(default_factory=dict)
    """By the user token they got when they logged in."""
    users: dict[str, RemoteUser] = field(default_factory=dict)
    """By login, in lower case."""
    makers: dict[tuple[str, str], RemoteCommit] = field(default_factory=dict)
    """Who made a commit, by repository and whole id."""
    client_id: str = ""
    check_runs: dict[int, PostedCheck] = field(default_factory=dict)
    comments: dict[int, PostedComment] = field(default_factory=dict)
    deliveries: list[FailedDelivery] = field(default_factory=list)
    redelivered: list[int] = field(default_factory=list)
    refusals: list[GitHubError] = field(default_factory=list)
    writes: int = 0
    reads: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    @property
    def bot_login(self) -> str:
        """The login under which the App comments."""
        return f"{self.slug}[bot]"

    def installation(self, installation_id: int) -> FakeInstallation:
        """GitHub as this installation sees it."""
        return FakeInstallation(installation_id, self)

    def app(self) -> RemoteApp:
        """The App's own registration."""
        permissions, events = {"checks": "write", "pull_requests": "write"}, ("pull_request", "check_run")
        return RemoteApp(self.slug, permissions, events, self.client_id)

    def person(self, user_token: str) -> RemotePerson | None:
        """By `people`."""
        self.asked()
        return self.people.get(user_token)

    def installations(self) -> Sequence[tuple[int, int, str]]:
        """(installation id, account id, account login)."""
        self.asked()
        return [(installation, *account) for installation, account in self.accounts.items()]

    def failed_deliveries(self, since: datetime) -> Iterator[FailedDelivery]:
        """Those put into `deliveries`, since an instant."""
        self.asked()
        yield from [d for d in self.deliveries if d.delivered_at >= since]

    def redeliver(self, delivery_id: int) -> None:
        """Remember that it was asked for."""
        self.asked(write=True)
        self.redelivered.append(delivery_id)

    def install(self, installation_id: int, account_id: int, login: str, *repositories: RemoteRepository) -> None:
        """Install the App on an account, with these repositories."""
        self.accounts[installation_id] = (account_id, login)
        self.repositories[installation_id] = {r.full_name: r for r in repositories}
        self.members.setdefault(login.lower(), set())

    def uninstall(self, installation_id: int) -> None:
        """Remove the App from an account."""
        self.accounts.pop(installation_id, None)
        self.repositories.pop(installation_id, None)

    def put(
        self, full_name: str, pull_request: RemotePullRequest, changed: Sequence[str] = ("src/main.py",)
    ) -> RemotePullRequest:
        """Open or change a pull request; `changed` are the paths it changes."""
        self.pull_requests[full_name, pull_request.number] = pull_request
        self.changed[full_name, pull_request.number] = tuple(changed)
        return pull_request

    def write_file(self, full_name: str, path: str, text: str, commit: str, ref: str = "") -> None:
        """Put a file at a ref; the default branch without one. It can then be read at its commit too."""
        file = RemoteFile(text.encode(), commit)
        self.files[full_name, ref, path] = self.files[full_name, commit, path] = file

    def checks_on(self, sha: str) -> list[PostedCheck]:
        """The check runs on a commit, oldest first."""
        return [posted for posted in list(self.check_runs.values()) if posted.check.head_sha == sha]

    def comments_on(self, full_name: str, number: int) -> list[PostedComment]:
        """The comments on a pull request, oldest first."""
        return [c for c in list(self.comments.values()) if (c.full_name, c.number) == (full_name, number)]

    def comment(self, full_name: str, number: int, author: str, body: str) -> int:
        """Write a comment as somebody; answers its id."""
        with self.lock:
            comment = PostedComment(next(self._ids), full_name, number, author, body)
            self.comments[comment.id] = comment
            return comment.id

    def asked(self, *, write: bool = False) -> None:
        """Count a call; raise the next refusal, if one is waiting."""
        with self.lock:
            if self.refusals:
                raise self.refusals.pop(0)
            self.writes += write
            self.reads += not write

    def post_check(self, full_name: str, check: CheckRun) -> int:
        """Keep a new check run."""
        with self.lock:
            posted = PostedCheck(next(self._ids), full_name, check)
            self.check_runs[posted.id] = posted
            return posted.id


@dataclass(frozen=True)
class FakeInstallation:
    """GitHub as one installation sees it. A repository of another installation is not there, a gone one neither."""

    installation_id: int
    github: FakeGitHub

    def repositories(self) -> Iterator[RemoteRepository]:
        """Those the installation covers."""
        self.github.asked()
        yield from list(self._covered().values())

    def repository(self, full_name: str) -> RemoteRepository | None:
        """One, or None."""
        self.github.asked()
        return self._covered().get(full_name)

    def pull_request(self, full_name: str, number: int) -> RemotePullRequest | None:
        """One, or None."""
        self.github.asked()
        return self.github.pull_requests.get((full_name, number))

    def open_pull_requests(self, full_name: str) -> Iterator[RemotePullRequest]:
        """All open ones, newest first."""
        self.github.asked()
        found = [
            p for (name, _), p in list(self.github.pull_requests.items()) if name == full_name and p.state == "open"
        ]
        yield from sorted(found, key=lambda p: -p.number)

    def pull_requests_of_commit(self, full_name: str, sha: str) -> Iterator[RemotePullRequest]:
        """Those of `commits`."""
        self.github.asked()
        found = [
            numbers
            for (name, whole), numbers in list(self.github.commits.items())
            if name == full_name and whole.startswith(sha)
        ]
        for number in found[0] if len(found) == 1 else ():
            yield self.github.pull_requests[full_name, number]

    def changed_files(self, full_name: str, number: int) -> Iterator[str]:
        """Paths a pull request changes."""
        self.github.asked()
        yield from self.github.changed.get((full_name, number), ())

    def file(self, full_name: str, path: str, ref: str) -> RemoteFile | None:
        """A file's text at a ref, or None."""
        self.github.asked()
        if (full_name, path) in self.github.unreadable:
            raise GitHubError(f"GitHub answered 403 to a read of {path} in {full_name}", status=403)
        return self.github.files.get((full_name, ref, path))

    def workflow_run(self, full_name: str, run_id: int, attempt: int | None = None) -> RemoteRun | None:
        """One as its newest attempt has it, or as the attempt given; None when there is none."""
        self.github.asked()
        newest = self.github.runs.get((full_name, run_id))
        if newest is None or attempt in {None, newest.attempt}:
            return newest
        return self.github.attempts.get((full_name, run_id, attempt or 0))

    def commit(self, full_name: str, sha: str) -> RemoteCommit | None:
        """By `makers`."""
        self.github.asked()
        return self.github.makers.get((full_name, sha))

    def user(self, login: str) -> RemoteUser | None:
        """By `users`."""
        self.github.asked()
        return self.github.users.get(login.lower())

    def is_member(self, organization: str, login: str) -> bool:
        """Whether this login belongs to the organization (or is the account itself)."""
        if organization.lower() == login.lower():
            return True
        self.github.asked()
        return login.lower() in self.github.members.get(organization.lower(), set())

    def in_team(self, organization: str, team: str, login: str) -> bool:
        """Whether this login belongs to the organization's team of this slug."""
        self.github.asked()
        return login.lower() in self.github.teams.get((organization.lower(), team.lower()), set())

    def create_check_run(self, full_name: str, check: CheckRun) -> int:
        """Keep a check run; answers its id."""
        self.github.asked(write=True)
        self._known(full_name)
        return self.github.post_check(full_name, check)

    def update_check_run(self, full_name: str, check_run_id: int, check: CheckRun) -> None:
        """Replace a check run; as on GitHub, its commit stays and annotations are only added."""
        self.github.asked(write=True)
        posted = self.github.check_runs.get(check_run_id)
        if posted is None or posted.full_name != full_name:
            raise GitHubError(f"GitHub answered 404: no check run {check_run_id}", status=404)
        kept = replace(
            check, head_sha=posted.check.head_sha, annotations=(*posted.check.annotations, *check.annotations)
        )
        self.github.check_runs[check_run_id] = replace(posted, check=kept, updates=posted.updates + 1)

    def find_comment(self, full_name: str, number: int, marker: str) -> int | None:
        """The id of our own comment that holds this hidden marker."""
        self.github.asked()
        ours = [c.id for c in self.github.comments_on(full_name, number) if c.author == self.github.bot_login]
        return next((i for i in ours if marker in self.github.comments[i].body), None)

    def create_comment(self, full_name: str, number: int, body: str) -> int:
        """Keep a comment; answers its id."""
        self.github.asked(write=True)
        self._known(full_name)
        return self.github.comment(full_name, number, self.github.bot_login, body)

    def update_comment(self, full_name: str, comment_id: int, body: str) -> bool:
        """Replace a comment's text; False when it is gone."""
        self.github.asked(write=True)
        comment = self.github.comments.get(comment_id)
        if comment is None or comment.full_name != full_name:
            return False
        self.github.comments[comment_id] = replace(comment, body=body, edits=comment.edits + 1)
        return True

    def _covered(self) -> dict[str, RemoteRepository]:
        return self.github.repositories.get(self.installation_id, {})

    def _known(self, full_name: str) -> None:
        if full_name not in self._covered():
            raise GitHubError(f"GitHub answered 404: no repository {full_name}", status=404)
