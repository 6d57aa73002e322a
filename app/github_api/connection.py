"""Connection: githubkit's client as we use it: plain JSON in and out, errors translated, pages followed, writes paced.

Answers are read as JSON, not as githubkit's models: those refuse what an older GitHub Enterprise Server leaves out or
tomorrow's GitHub adds. Paths are written out, without the API version that githubkit's methods pin, for the same reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
from githubkit import AppAuthStrategy, GitHub, TokenAuthStrategy
from githubkit.cache import MemCacheStrategy
from githubkit.exception import GitHubException

from app.github_api.pace import Pace
from app.github_api.protocol import GitHubError
from app.github_api.refusals import translated

TIMEOUT_SECONDS = 15
PAGE = 100
USER_AGENT = "tabstop"


class SharedTransport(httpx.BaseTransport):
    """One pool of connections for every githubkit client and thread.

    githubkit opens an httpx client for each request outside of `with`, and each builds its own TLS context (22 ms) and
    connections; its `with` binds a client to one thread. Over one shared transport a client costs nothing (0.04 ms).
    """

    def __init__(self, inner: httpx.BaseTransport) -> None:
        """Share `inner`."""
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send over the pool."""
        return self._inner.handle_request(request)

    def close(self) -> None:
        """A client that ends leaves the pool open; `shut` closes it."""

    def shut(self) -> None:
        """Close the pool's connections."""
        self._inner.close()


@dataclass
class Connection:
    """Calls GitHub with one identity. Every method raises `GitHubError`."""

    client: GitHub[Any]
    pace: Pace
    now: Callable[[], datetime]
    _quiet_until: datetime | None = field(default=None, init=False)

    def get(self, path: str, /, **params: str | int) -> Any:
        """GET a path's JSON."""
        return self._json(self._send("GET", path, params=params))

    def find(self, path: str, /, **params: str | int) -> Any:
        """GET a path's JSON, or None when there is nothing (404, 410)."""
        try:
            return self.get(path, **params)
        except GitHubError as error:
            if error.status in {404, 410}:
                return None
            raise

    def holds(self, path: str) -> bool:
        """Whether a yes-or-no path answers yes (204) or no (404)."""
        try:
            return self._send("GET", path).status_code == 204
        except GitHubError as error:
            if error.status == 404:
                return False
            raise

    def pages(self, path: str, /, key: str = "", **params: str | int) -> Iterator[Any]:
        """Every item of every page; `key` names the list inside an answer that wraps it."""
        url, query = path, {"per_page": PAGE, **params}
        while url:
            answer = self._send("GET", url, params=query)
            body = self._json(answer)
            yield from body[key] if key else body
            # The next page's address has its own query. Only its path is used: behind a proxy the host may differ.
            url = self._path_of(answer.links.get("next", {}).get("url", ""))
            query = {}

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """POST or PATCH, in its turn; answers the JSON, or None when there is none."""
        self.pace.wait()
        return self._json(self._send(method, path, body=body))

    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        self._keep_quiet(f"{method} {path}")
        try:
            return self.client.request(method, path, params=params or None, json=body).raw_response
        except GitHubException as error:
            refusal = translated(error, f"{method} {path}", self.now())
            if refusal.status in {403, 429} and refusal.retry_after is not None:
                self._quiet_until = self.now() + timedelta(seconds=refusal.retry_after)
            raise refusal from error

    def _keep_quiet(self, asked: str) -> None:
        """Refuse by ourselves while GitHub's rate limit holds: the limit is the installation's, so it is every job's.

        Who goes on asking while limited risks a ban (docs.github.com/rest, best practices, "Handle rate limit errors").
        """
        left = (self._quiet_until - self.now()).total_seconds() if self._quiet_until else 0
        if left > 0:
            message = f"GitHub's rate limit holds for another {math.ceil(left)} s; not asked: {asked}."
            raise GitHubError(message, status=429, retry_after=math.ceil(left))

    def _json(self, answer: httpx.Response) -> Any:
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            message = f"GitHub answered {answer.status_code} with something that is not JSON."
            raise GitHubError(message, status=answer.status_code, retry_after=30) from error

    def _path_of(self, url: str) -> str:
        if not url:
            return ""
        parts = urlsplit(url)
        base = self.client.config.base_url.path.rstrip("/")
        return parts.path.removeprefix(base) + (f"?{parts.query}" if parts.query else "")


@dataclass
class Doorway:
    """Makes connections: as the App, or with a token, all over one transport."""

    base_url: str
    now: Callable[[], datetime]
    pace: Pace
    transport: SharedTransport

    def as_app(self, app_id: str, private_key: str) -> Connection:
        """Signed by the App's key. Without one, calls fail with `refusals.NO_KEY`."""
        return self._connection(AppAuthStrategy(app_id, private_key))

    def with_token(self, token: str) -> Connection:
        """With an installation's token."""
        return self._connection(TokenAuthStrategy(token))

    def _connection(self, auth: AppAuthStrategy | TokenAuthStrategy) -> Connection:
        client: GitHub[Any] = GitHub(
            auth,
            base_url=self.base_url,
            user_agent=USER_AGENT,
            timeout=TIMEOUT_SECONDS,
            transport=self.transport,
            cache_strategy=MemCacheStrategy(),  # githubkit's default one is shared by the whole process
            http_cache=False,
            auto_retry=False,  # it would sleep in this thread; the outbox waits without one
        )
        return Connection(client, self.pace, self.now)
