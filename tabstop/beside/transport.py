"""Transport: one HTTP request and its answer, over the standard library. Follows no redirect: a bearer token goes nowhere else."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

LONGEST_ANSWER = 4 * 1024 * 1024
"""Bytes; what is longer is no answer of ours."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to send; headers may hold a token, so they are kept out of the repr."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, whatever its status. retry_after: seconds, when the answer names a whole number of them."""

    status: int
    body: bytes = field(default=b"", repr=False)
    retry_after: int | None = None


class NoAnswerError(Exception):
    """Nobody answered: no such name, no connection, broken off, or too late."""


class Transport(Protocol):
    """Sends one request."""

    def send(self, request: Request, timeout: float) -> Response:
        """Answer with any status; raise `NoAnswerError` when there is none within `timeout` seconds of silence."""
        ...


class UrllibTransport:
    """The real one. Proxies are taken from the environment, as every client of the runner does."""

    def __init__(self, longest: int = LONGEST_ANSWER) -> None:
        """longest: bytes of an answer that are read; what goes beyond is cut off."""
        self._opener = urllib.request.build_opener(_NoRedirects)
        self._longest = longest

    def send(self, request: Request, timeout: float) -> Response:
        """See `Transport.send`."""
        prepared = urllib.request.Request(  # noqa: S310 (the address is checked where it comes in)
            request.url, data=request.body, headers=dict(request.headers), method=request.method
        )
        try:
            try:
                with self._opener.open(prepared, timeout=timeout) as answer:
                    return _read(answer, self._longest)
            except urllib.error.HTTPError as error:
                with error:
                    return _read(error, self._longest)
        except urllib.error.URLError as error:
            raise NoAnswerError(_said(error.reason)) from error
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(_said(error)) from error
        except ValueError:  # its text would show the header, which may be a token
            raise NoAnswerError("a header or an address that cannot be sent") from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        """Answer with the redirect itself."""


def _read(answer: Any, longest: int) -> Response:
    after = answer.headers.get("Retry-After", "")
    return Response(
        status=answer.status,
        body=answer.read(longest),
        retry_after=int(after) if after.isdigit() and len(after) < 7 else None,
    )


def _said(reason: object) -> str:
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return str(reason) or type(reason).__name__
