"""Fetches an address for an examination: status, text, and the other side's clock."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx

from app.doctor.reach import Answer, NoAnswerError

TIMEOUT_SECONDS = 10


class FetchWith:
    """Fetches with one client."""

    def __init__(self, client: httpx.Client) -> None:
        """Use this client."""
        self._client = client

    def __call__(self, url: str) -> Answer:
        """GET it. Raises `NoAnswerError` with the cause."""
        try:
            answer = self._client.get(url, timeout=TIMEOUT_SECONDS, follow_redirects=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoAnswerError(str(error) or type(error).__name__) from error
        return Answer(answer.status_code, answer.text[:100_000], _date(answer))


def _date(answer: httpx.Response) -> datetime | None:
    with suppress(ValueError, TypeError):
        return parsedate_to_datetime(answer.headers.get("Date", ""))
    return None
