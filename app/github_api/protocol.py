"""What the server needs of GitHub, as small Protocols in plain values; `githubkit` and the fakes stand behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class GitHubError(Exception):
    """GitHub did not do what was asked. `retry_after` (seconds) is None when repeating cannot help."""

    def __init__(self, message: str, *, status: int = 0, retry_after: int | None = None) -> None:
        """Keep the status GitHub answered (0 for none) and when trying again can help."""
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Annotation:
    """A remark on lines of a file in the pull request. level: `notice`, `warning` or `failure`."""

    path: str
    start_line: int
    end_line: int
    level: str
    message: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class CheckRun:
    """A completed check run to be shown. conclusion: `success`, `neutral` or `failure`."""

    name: str
    head_sha: str
    conclusion: str
    title: str
    summary: str
    text: str = ""
    details_url: str = ""
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoteUser:
    """An account on GitHub, a person's or a bot's."""

    id: int
    login: str
    is_bot: bool = False


@dataclass(frozen=True, slots=True)
class RemoteCommit:
    """Who made a commit. author: the account that GitHub knows by the address in it; None for none.

    name, address: as git has them, which is whatever its author typed. co_authors: (name, address) of its trailers.
    """

    author: RemoteUser | None
    name: str
    address: str
    co_authors: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RemotePullRequest:
    """A pull request as GitHub has it now. state: `open`, `closed` or `merged`. ended_at: None while it is open.

    head_repository_name: `owner/name`; empty for a fork that was deleted.
    """

    number: int
    title: str
    state: str
    draft: bool
    head_sha: str
    head_branch: str
    head_repository_id: int | None
    head_owner: str
    base_branch: str
    author_id: int | None
    author_login: str
    author_is_bot: bool
    updated_at: datetime
    opened_at: datetime | None = None
    ended_at: datetime | None = None
    assignees: tuple[RemoteUser, ...] = ()
    head_repository_name: str = ""

    def tab_branch(self, repository_id: int) -> str:
        """The branch name its tab goes by in the repository with this GitHub id: a fork's is prefixed `owner:`."""
        if self.head_repository_id == repository_id:
            return self.head_branch
        return f"{self.head_owner or 'unknown'}:{self.head_branch}"


@dataclass(frozen=True, slots=True)
class RemoteRepository:
    """A repository as GitHub has it now."""

    github_id: int
    full_name: str
    default_branch: str
    private: bool
    topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoteRun:
    """A workflow run as GitHub has it now; `actor_*` is who triggered this attempt.

    head_branch: for a tag's run, the tag. head_repository_id: of the fork for a fork's run; None when that is gone.
    """

    id: int
    event: str
    head_sha: str
    head_branch: str
    status: str
    conclusion: str
    actor_id: int | None
    actor_login: str
    attempt: int = 1
    repository_id: int | None = None
    head_repository_id: int | None = None


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file's text at a commit."""

    text: bytes
    commit: str


@dataclass(frozen=True, slots=True)
class RemoteApp:
    """What the App may do and hears, as GitHub has it."""

    slug: str
    permissions: dict[str, str]
    events: tuple[str, ...]
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class RemotePerson:
    """Whose user token it is. installations: of this App, that this person can see."""

    id: int
    login: str
    installations: frozenset[int] = frozenset()


class GitHubInstallation(Protocol):
    """GitHub as one installation sees it. Every method raises `GitHubError`."""

    def repositories(self) -> Iterator[RemoteRepository]:
        """Those the installation covers."""

    def repository(self, full_name: str) -> RemoteRepository | None:
        """One, or None when it is gone or not covered."""

    def pull_request(self, full_name: str, number: int) -> RemotePullRequest | None:
        """One, or None."""

    def open_pull_requests(self, full_name: str) -> Iterator[RemotePullRequest]:
        """All open ones."""

    def pull_requests_of_commit(self, full_name: str, sha: str) -> Iterator[RemotePullRequest]:
        """Those whose branch has this commit (7 digits of it or more), or that brought it in when they were merged.

        None for a commit GitHub does not have, for a fork's, and for beginnings that several commits share.
        """

    def changed_files(self, full_name: str, number: int) -> Iterator[str]:
        """Paths a pull request changes."""

    def file(self, full_name: str, path: str, ref: str) -> RemoteFile | None:
        """A file's text at a ref (empty: the default branch), or None when there is none."""

    def workflow_run(self, full_name: str, run_id: int, attempt: int | None = None) -> RemoteRun | None:
        """One as its newest attempt has it, or as the attempt given; None when there is none."""

    def commit(self, full_name: str, sha: str) -> RemoteCommit | None:
        """Who made a commit, or None when there is none."""

    def user(self, login: str) -> RemoteUser | None:
        """The account of this login now, or None; a login that was given up may be somebody else's since."""

    def is_member(self, organization: str, login: str) -> bool:
        """Whether this login belongs to the organization (or is the account itself)."""

    def in_team(self, organization: str, team: str, login: str) -> bool:
        """Whether this login belongs to the organization's team of this slug, or to one below it."""

    def create_check_run(self, full_name: str, check: CheckRun) -> int:
        """Post a check run; answers its id."""

    def update_check_run(self, full_name: str, check_run_id: int, check: CheckRun) -> None:
        """Replace a check run's conclusion and output."""

    def find_comment(self, full_name: str, number: int, marker: str) -> int | None:
        """The id of our own comment that holds this hidden marker."""

    def create_comment(self, full_name: str, number: int, body: str) -> int:
        """Post a comment; answers its id."""

    def update_comment(self, full_name: str, comment_id: int, body: str) -> bool:
        """Replace a comment's text; False when it is gone."""


@dataclass(frozen=True, slots=True)
class FailedDelivery:
    """A webhook that did not reach us."""

    id: int
    guid: str
    event: str
    delivered_at: datetime


class GitHubApp(Protocol):
    """GitHub as the App sees it."""

    def installation(self, installation_id: int) -> GitHubInstallation:
        """GitHub as this installation sees it."""

    def app(self) -> RemoteApp:
        """The App's own registration."""

    def person(self, user_token: str) -> RemotePerson | None:
        """Who logged in through this App and got this token; None for one that GitHub does not take, or another App's."""

    def installations(self) -> Sequence[tuple[int, int, str]]:
        """(installation id, account id, account login) of every installation that is not suspended."""

    def failed_deliveries(self, since: datetime) -> Iterator[FailedDelivery]:
        """Webhooks that failed since an instant and were not redelivered."""

    def redeliver(self, delivery_id: int) -> None:
        """Ask GitHub to send a webhook again."""
