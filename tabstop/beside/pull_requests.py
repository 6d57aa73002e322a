"""Pull requests as GitHub tells them: titles, states, heads. Asked for with the engineer's own token; never needed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from tabstop.beside.fork import owner_of
from tabstop.beside.transport import NoAnswerError, Request, Transport, UrllibTransport
from tabstop.evidence import branch_named, repository_named
from tabstop.report.facts import PullRequest

PAGES = 3
"""Pages of 100 pull requests of one repository, the last touched first."""

ONE_BY_ONE = 10
"""Older pull requests of one repository that are asked for by number."""

MOST_REPOSITORIES = 20
LONGEST = 10.0
"""Seconds in all: nobody waits longer for titles."""

_SILENCE = 5.0
_AT_ONCE = 4
_API_VERSION = "2022-11-28"

_REDIRECTS = frozenset({301, 302, 307, 308})
_BY_ID = re.compile(r"(/repositories/\d{1,18})(?:[/?].*)?")


class NotToldError(Exception):
    """GitHub did not tell; the text says why, for people."""


class MovedError(NotToldError):
    """The repository goes by another name now. place: its path by its id, which stays."""

    def __init__(self, place: str) -> None:
        super().__init__("GitHub says that it has moved, and not where to")
        self.place = place


@dataclass(frozen=True, slots=True)
class GitHubAccess:
    """Whose eyes to look with. api: `https://api.github.com`, or a GitHub Enterprise Server's."""

    api: str
    token: str = field(repr=False)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> GitHubAccess | None:
        """GH_TOKEN before GITHUB_TOKEN, as `gh` has it; None without a token, or for an address a token must not be sent to."""
        token = (environ.get("GH_TOKEN") or environ.get("GITHUB_TOKEN") or "").strip()
        api = (environ.get("GITHUB_API_URL") or "https://api.github.com").rstrip("/")
        parts = urlsplit(api)
        safe = parts.scheme == "https" or parts.hostname in {"localhost", "127.0.0.1", "::1"}
        return cls(api, token) if token and safe else None


class ToldOf(NamedTuple):
    """One repository. now: the name it goes by, which its pull requests have."""

    asked: str
    now: str
    pull_requests: list[PullRequest]


@dataclass(frozen=True, slots=True)
class Told:
    """repositories: those that were told, as they were asked for. problems: sentences, one a reason."""

    repositories: tuple[ToldOf, ...] = ()
    problems: tuple[str, ...] = ()


def ask(
    access: GitHubAccess,
    repositories: Iterable[str],
    numbers: Mapping[str, Iterable[int]],
    transport: Transport | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Told:
    """Ask for the pull requests of these repositories. Never raises for what the network does.

    numbers: pull requests that must be there, by repository in lower case.
    """
    wanted = list(dict.fromkeys(repositories))
    asking = _Asking(access, transport or UrllibTransport(), clock, clock() + LONGEST)

    def one(name: str) -> tuple[str, ToldOf | NotToldError]:
        try:
            return name, asking.of(name, numbers)
        except NotToldError as error:
            return name, error

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(one, wanted[:MOST_REPOSITORIES]))
    problems: dict[str, list[str]] = {}
    for name, answer in answers:
        if isinstance(answer, NotToldError):
            problems.setdefault(str(answer), []).append(name)
    if left := len(wanted) - len(answers):
        problems.setdefault("GitHub was asked for twenty repositories only", []).append(f"{left} more")
    return Told(
        tuple(answer for _, answer in answers if not isinstance(answer, NotToldError)),
        tuple(f"{why}: no titles or states for {_some(names)}" for why, names in problems.items()),
    )


class _Asking:
    def __init__(self, access: GitHubAccess, transport: Transport, clock: Callable[[], float], until: float) -> None:
        self._access = access
        self._transport = transport
        self._clock = clock
        self._until = until

    def of(self, repository: str, numbers: Mapping[str, Iterable[int]]) -> ToldOf:
        """The newest, and those of these numbers."""
        try:
            return self._of(repository, repository, numbers)
        except MovedError as moved:
            answer = self._get(moved.place)
            now = repository_named(f"github.com/{answer.get('full_name')}") if isinstance(answer, dict) else ""
            if not now:
                raise
            return self._of(repository, now, numbers)

    def _of(self, asked: str, repository: str, numbers: Mapping[str, Iterable[int]]) -> ToldOf:
        wanted = {number for name in (asked, repository) for number in numbers.get(name.lower(), ())}
        path = f"/repos/{quote(repository)}/pulls"
        found: dict[int, PullRequest] = {}
        for page in range(1, PAGES + 1):
            listed = self._get(f"{path}?state=all&sort=updated&direction=desc&per_page=100&page={page}")
            rows = listed if isinstance(listed, list) else []
            found |= {one.number: one for row in rows if (one := read_pull_request(repository, row))}
            if len(rows) < 100:
                break
        for number in sorted(wanted - found.keys(), reverse=True)[:ONE_BY_ONE]:
            try:
                one = read_pull_request(repository, self._get(f"{path}/{number}"))
            except NotToldError:
                continue
            if one is not None:
                found[number] = one
        return ToldOf(asked, repository, list(found.values()))

    def _get(self, path: str) -> Any:
        left = self._until - self._clock()
        if left <= 0:
            raise NotToldError(f"GitHub took longer than {LONGEST:.0f} s")
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self._access.token}",
            "User-Agent": "tabstop",
            "X-GitHub-Api-Version": _API_VERSION,
        }
        try:
            answer = self._transport.send(Request("GET", self._access.api + path, headers), min(_SILENCE, left))
        except NoAnswerError as error:
            raise NotToldError(f"GitHub did not answer ({error})") from error
        if answer.status in _REDIRECTS and (place := self._place(answer.body)):
            raise MovedError(place)
        if answer.status != 200:
            raise NotToldError(_REFUSALS.get(answer.status, f"GitHub answered {answer.status}"))
        return _json(answer.body)

    def _place(self, body: bytes) -> str:
        """Where it has moved; at this GitHub only, for a token goes nowhere else (docs.github.com, REST API, "Follow redirects")."""
        answer = _json(body)
        url = str(answer.get("url")) if isinstance(answer, dict) else ""
        found = _BY_ID.fullmatch(url.removeprefix(self._access.api))
        return found[1] if found else ""


_REFUSALS = {
    401: "GitHub does not know the token",
    403: "The token may not read pull requests, or its hourly limit is reached",
    404: "The token does not see the repository",
    429: "GitHub's rate limit is reached",
}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotToldError("GitHub's answer could not be read") from error


def read_pull_request(repository: str, row: Any) -> PullRequest | None:
    """One pull request of GitHub's REST API; None for what is none."""
    try:
        head, base = row["head"], row["base"]
        owner = (head["repo"] or {}).get("owner", {}).get("login") or (head.get("user") or {}).get("login") or ""
        branch = branch_named(str(head["ref"]))
        fork = owner and owner.lower() != owner_of(repository)
        merged, closed, created = row.get("merged_at"), row.get("closed_at"), row.get("created_at")
        state = (
            "merged" if merged else "closed" if row["state"] == "closed" else "draft" if row.get("draft") else "open"
        )
        return PullRequest(
            repository=repository,
            number=int(row["number"]),
            branch=f"{owner}:{branch}" if fork else branch,
            title=str(row.get("title") or ""),
            state=state,
            url=str(row.get("html_url") or ""),
            ended_at=datetime.fromisoformat(closed) if closed else None,
            opened_at=datetime.fromisoformat(created) if created else None,
            default_branch=branch_named(str((base.get("repo") or {}).get("default_branch") or "")),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
