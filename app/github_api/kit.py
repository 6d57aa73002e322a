"""GitHub through githubkit: the App, and each installation, behind the Protocols of `app.github_api.protocol`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TypeVar
from urllib.parse import quote

import httpx

from app.github_api import answers, checks, comments, files
from app.github_api.connection import Connection, Doorway, SharedTransport
from app.github_api.pace import Pace
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
from app.github_api.redeliveries import failed
from app.github_api.tokens import InstallationTokens
from app.settings import Settings

T = TypeVar("T")


@dataclass
class KitApp:
    """The App. Safe to use from several threads; `close` at the end."""

    app_id: str
    private_key: str = field(repr=False)
    base_url: str = "https://api.github.com"
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    pace: Pace = field(default_factory=Pace)
    transport: httpx.BaseTransport | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> KitApp:
        """The App that the settings name. Without credentials every call is a `GitHubError` that says where to get them."""
        return cls(settings.github_app_id, settings.private_key, settings.github_api_url)

    def __post_init__(self) -> None:
        """Open nothing yet: the first call connects."""
        self._transport = SharedTransport(self.transport or httpx.HTTPTransport())
        doorway = Doorway(self.base_url, self.now, self.pace, self._transport)
        self._doorway = doorway
        self._connection = doorway.as_app(self.app_id, self.private_key)
        self._tokens = InstallationTokens(self._connection, doorway, self.now)

    def installation(self, installation_id: int) -> KitInstallation:
        """GitHub as this installation sees it; asks nothing yet."""
        return KitInstallation(installation_id, self._tokens, self)

    def app(self) -> RemoteApp:
        """The App's own registration."""
        data = self._connection.get("/app")
        events = tuple(data.get("events") or ())
        return RemoteApp(data["slug"], dict(data.get("permissions") or {}), events, str(data.get("client_id") or ""))

    def person(self, user_token: str) -> RemotePerson | None:
        """Who logged in through this App and got this token; None for one that GitHub does not take.

        `GET /user/installations` names each installation with its App, so that a token which another App got for this person
        opens nothing here.
        """
        mine = self._doorway.with_token(user_token)
        try:
            data = mine.get("/user")
            seen = list(mine.pages("/user/installations", key="installations"))
        except GitHubError as error:
            if error.status == 401 or (error.status in {403, 404} and error.retry_after is None):
                return None
            raise
        installations = frozenset(int(one["id"]) for one in seen if str(one.get("app_id")) == self.app_id)
        return RemotePerson(int(data["id"]), str(data["login"]), installations)

    @cached_property
    def bot_login(self) -> str:
        """The login under which the App comments: `SLUG[bot]`."""
        return f"{self.app().slug}[bot]"

    def installations(self) -> Sequence[tuple[int, int, str]]:
        """(installation id, account id, account login) of every installation that is not suspended."""
        return [
            (data["id"], data["account"]["id"], data["account"]["login"])
            for data in self._connection.pages("/app/installations")
            if not data.get("suspended_at") and data.get("account")
        ]

    def failed_deliveries(self, since: datetime) -> Iterator[FailedDelivery]:
        """Webhooks that failed since an instant and were not redelivered."""
        yield from failed(self._connection.pages("/app/hook/deliveries"), since)

    def hook_url(self) -> str:
        """Where the App's webhooks are sent; empty when nowhere. For `doctor`."""
        return str(self._connection.get("/app/hook/config").get("url") or "")

    def redeliver(self, delivery_id: int) -> None:
        """Ask GitHub to send a webhook again."""
        self._connection.send("POST", f"/app/hook/deliveries/{delivery_id}/attempts")

    def close(self) -> None:
        """Close the connections."""
        self._transport.shut()


@dataclass
class KitInstallation:
    """GitHub as one installation sees it."""

    installation_id: int
    tokens: InstallationTokens
    parent: KitApp

    def repositories(self) -> Iterator[RemoteRepository]:
        """Those the installation covers."""
        yield from map(answers.repository, self._pages("/installation/repositories", key="repositories"))

    def repository(self, full_name: str) -> RemoteRepository | None:
        """One, or None when it is gone or not covered. An old name leads to the new one."""
        data = self._with(lambda c: c.find(f"/repos/{full_name}"))
        return answers.repository(data) if data else None

    def pull_request(self, full_name: str, number: int) -> RemotePullRequest | None:
        """One, or None."""
        data = self._with(lambda c: c.find(f"/repos/{full_name}/pulls/{number}"))
        return answers.pull_request(data) if data else None

    def open_pull_requests(self, full_name: str) -> Iterator[RemotePullRequest]:
        """All open ones."""
        yield from map(answers.pull_request, self._pages(f"/repos/{full_name}/pulls", state="open"))

    def pull_requests_of_commit(self, full_name: str, sha: str) -> Iterator[RemotePullRequest]:
        """See `GitHubInstallation`. GitHub answers 422 for a commit it does not have."""
        try:
            yield from map(answers.pull_request, self._pages(f"/repos/{full_name}/commits/{sha}/pulls"))
        except GitHubError as error:
            if error.status not in {404, 409, 422}:
                raise

    def changed_files(self, full_name: str, number: int) -> Iterator[str]:
        """Paths a pull request changes, at most 3000 (GitHub's limit); a renamed file counts by both names."""
        for data in self._pages(f"/repos/{full_name}/pulls/{number}/files"):
            yield data["filename"]
            if data.get("previous_filename"):
                yield data["previous_filename"]

    def file(self, full_name: str, path: str, ref: str) -> RemoteFile | None:
        """A file's text at a ref (empty: the default branch), or None when there is none."""
        return self._with(lambda c: files.read(c, full_name, path, ref))

    def workflow_run(self, full_name: str, run_id: int, attempt: int | None = None) -> RemoteRun | None:
        """One as its newest attempt has it, or as the attempt given; None when there is none."""
        which = "" if attempt is None else f"/attempts/{attempt}"
        data = self._with(lambda c: c.find(f"/repos/{full_name}/actions/runs/{run_id}{which}"))
        return answers.run(data) if data else None

    def commit(self, full_name: str, sha: str) -> RemoteCommit | None:
        """Who made a commit, or None. GitHub answers 422 for one it does not have."""
        try:
            data = self._with(lambda c: c.find(f"/repos/{full_name}/commits/{quote(sha, safe='')}"))
        except GitHubError as error:
            if error.status not in {409, 422}:
                raise
            return None
        return answers.commit(data) if data else None

    def user(self, login: str) -> RemoteUser | None:
        """The account of this login now, or None."""
        data = self._with(lambda c: c.find(f"/users/{quote(login, safe='')}"))
        return answers.account(data) if data else None

    def is_member(self, organization: str, login: str) -> bool:
        """Whether this login belongs to the organization (or is the account itself)."""
        if organization.lower() == login.lower():
            return True
        return self._with(lambda c: c.holds(f"/orgs/{organization}/members/{login}"))

    def in_team(self, organization: str, team: str, login: str) -> bool:
        """Whether this login belongs to the organization's team of this slug, or to one below it.

        An invitation is `pending` until it is accepted (REST API, "Get team membership for a user").
        """
        path = f"/orgs/{organization}/teams/{quote(team, safe='')}/memberships/{quote(login, safe='')}"
        data = self._with(lambda c: c.find(path))
        return bool(data) and data.get("state") == "active"

    def create_check_run(self, full_name: str, check: CheckRun) -> int:
        """Post a check run; answers its id."""
        return self._with(lambda c: checks.create(c, full_name, check))

    def update_check_run(self, full_name: str, check_run_id: int, check: CheckRun) -> None:
        """Replace a check run's conclusion and output."""
        self._with(lambda c: checks.update(c, full_name, check_run_id, check))

    def find_comment(self, full_name: str, number: int, marker: str) -> int | None:
        """The id of our own comment that holds this hidden marker: by marker and author, so that nobody can plant one."""
        return self._with(lambda c: comments.find(c, full_name, number, marker, self.parent.bot_login))

    def create_comment(self, full_name: str, number: int, body: str) -> int:
        """Post a comment; answers its id."""
        data = self._with(lambda c: c.send("POST", f"/repos/{full_name}/issues/{number}/comments", {"body": body}))
        return int(data["id"])

    def update_comment(self, full_name: str, comment_id: int, body: str) -> bool:
        """Replace a comment's text; False when it is gone."""
        return self._with(lambda c: comments.update(c, full_name, comment_id, body))

    def _with(self, call: Callable[[Connection], T]) -> T:
        """Call with this installation's token; once more with a new one when GitHub no longer takes the old."""
        try:
            return call(self.tokens.connection(self.installation_id))
        except GitHubError as error:
            if error.status != 401:
                raise
        self.tokens.drop(self.installation_id)
        return call(self.tokens.connection(self.installation_id))

    def _pages(self, path: str, key: str = "", **params: str) -> Iterator[answers.Json]:
        """Every item; the token is checked before the first page."""
        connection = self.tokens.connection(self.installation_id)
        yield from connection.pages(path, key, **params)
