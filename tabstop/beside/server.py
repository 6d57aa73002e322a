"""The server, as a session's machine talks to it: start, usage, end, resume, overdrive, login; tried again where that can help.

ServerError: `UnreachableError` when nobody who speaks for Tabstop answered, so that later may be better, and
`NotAcceptedError` when the server answered that it will not take this, so that the same request will not do better.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

from tabstop.beside.transport import NoAnswerError, Request, Response, Transport
from tabstop.wire import (
    EndAnswer,
    EndRequest,
    OverdriveAnswer,
    OverdriveRequest,
    Problem,
    ResumeAnswer,
    ResumeRequest,
    StartAnswer,
    StartRequest,
    UsageAnswer,
    UsageBatch,
)
from tabstop.wire_json import WireError, from_json, to_json
from tabstop.wire_login import LoggedOut, LoginAnswer, LoginOffer, LoginRequest, WhoAmI

T = TypeVar("T")

PAUSES = (1.0, 2.0, 4.0)
"""Seconds between tries of one request."""

LONGEST_PAUSE = 20
"""Seconds: a longer `Retry-After` is not waited for here."""

TIMEOUT = 15.0
"""Seconds of silence after which a try is given up."""

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class ServerError(Exception):
    """The server did not do what was asked."""


class UnreachableError(ServerError):
    """Nobody who speaks for Tabstop answered, after all tries; the text says how the last one ended.

    retry_after: seconds, where it asked for patience.
    """

    def __init__(self, said: str, retry_after: int = 0) -> None:
        """Keep both."""
        super().__init__(said)
        self.retry_after = retry_after


class NotAcceptedError(ServerError):
    """The server refused the request itself (no verdict): its status and its own explanation."""

    def __init__(self, status: int, problem: Problem) -> None:
        """Keep both; the text is the problem's title."""
        super().__init__(problem.title)
        self.status = status
        self.problem = problem


class NoTokenError(Exception):
    """Nothing to show to the server: whoever should say who asks, cannot."""


class Server:
    """One server at one address. `sleep` takes seconds, so that tests need not wait."""

    def __init__(
        self, address: str, transport: Transport, sleep: Callable[[float], None], *, agent: str = "tabstop"
    ) -> None:
        """address: `https://tabstop.example`, with or without a path; agent: the `User-Agent`."""
        self.address = address.rstrip("/")
        self._transport = transport
        self._sleep = sleep
        self._agent = agent

    def start(self, request: StartRequest, *, token: str, key: str) -> StartAnswer:
        """Ask for admission. An answer without a session is a refusal, with its verdict.

        token: OIDC or an engineer's. key: the Idempotency-Key, the same for every try of this one question.
        """
        return self._ask("/api/v1/sessions", request, StartAnswer, token=token, key=key)

    def usage(self, session: str, batch: UsageBatch, *, token: str) -> UsageAnswer:
        """Report usage; sending it again changes nothing."""
        return self._ask(f"/api/v1/sessions/{quote(session, safe='')}/usage", batch, UsageAnswer, token=token)

    def resume(self, session: str, *, token: str, released_at: datetime | None = None) -> ResumeAnswer:
        """Ask to let an ended session go on. An answer without limits is a refusal, with its verdict."""
        path = f"/api/v1/sessions/{quote(session, safe='')}/resume"
        return self._ask(path, ResumeRequest(released_at), ResumeAnswer, token=token)

    def end(self, session: str, request: EndRequest, *, token: str) -> EndAnswer:
        """End the session."""
        return self._ask(f"/api/v1/sessions/{quote(session, safe='')}/end", request, EndAnswer, token=token)

    def overdrive(self, session: str, request: OverdriveRequest, *, token: str, key: str) -> OverdriveAnswer:
        """Raise one session's limits, once per key. token: an approver's own. An answer without limits is a refusal."""
        path = f"/api/v1/sessions/{quote(session, safe='')}/overdrive"
        return self._ask(path, request, OverdriveAnswer, token=token, key=key)

    def login_offer(self) -> LoginOffer:
        """Where a person proves who they are."""
        return self._ask("/api/v1/login", None, LoginOffer)

    def login(self, request: LoginRequest) -> LoginAnswer:
        """Exchange GitHub's user token for the server's own."""
        return self._ask("/api/v1/login", request, LoginAnswer)

    def who_am_i(self, *, token: str) -> WhoAmI:
        """Whose token it is. token: an engineer's own."""
        return self._ask("/api/v1/whoami", None, WhoAmI, token=token)

    def logout(self, *, token: str) -> LoggedOut:
        """End this token. token: an engineer's own."""
        return self._ask("/api/v1/logout", {}, LoggedOut, token=token)

    def _ask(self, path: str, body: object, kind: type[T], *, token: str = "", key: str = "") -> T:
        """POST `body`, or GET where there is none. token: empty for what anybody may ask."""
        headers = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": self._agent}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if key:
            headers["Idempotency-Key"] = key
        raw = None if body is None else json.dumps(to_json(body), separators=(",", ":")).encode()
        request = Request("GET" if raw is None else "POST", self.address + path, headers, raw)
        for pause in (*PAUSES, None):
            try:
                response = self._transport.send(request, TIMEOUT)
            except NoAnswerError as error:
                failed, wait = str(error), 0
            else:
                if response.status not in _PASSING:
                    return _understood(response, kind)
                failed, wait = _passing_fault(response), response.retry_after or 0
            if pause is None or wait > LONGEST_PAUSE:
                break
            self._sleep(max(pause, wait))
        raise UnreachableError(failed, wait)


def _understood(response: Response, kind: type[T]) -> T:
    data = _json(response.body)
    try:
        # A refusal is an answer with its verdict; every other 4xx is a problem.
        if response.status in {200, 201} or (response.status == 403 and "verdict" in data):
            return from_json(kind, data)
        if 400 <= response.status < 500 and "title" in data:
            raise NotAcceptedError(response.status, from_json(Problem, data))
    except WireError as error:
        raise UnreachableError(f"its answer (HTTP {response.status}) is not in Tabstop's form: {error}") from error
    raise UnreachableError(f"something else than Tabstop answered with HTTP {response.status}")


def _passing_fault(response: Response) -> str:
    title = _json(response.body).get("title")
    said = f": {title}" if isinstance(title, str) and title else ""
    return f"HTTP {response.status}{said}"


def _json(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
