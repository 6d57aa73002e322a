"""Fetching an address for an examination, over recorded answers."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from app.doctor.fetch import FetchWith
from app.doctor.reach import NoAnswerError


def fetching(answer: httpx.Response | Exception) -> FetchWith:
    """A fetch that meets this answer."""

    def handler(_request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return FetchWith(httpx.Client(transport=httpx.MockTransport(handler)))


def test_the_other_sides_clock() -> None:
    """The header `Date` is the time there."""
    header = {"Date": "Sat, 21 Nov 2026 12:00:00 GMT"}
    assert fetching(httpx.Response(200, headers=header))("http://a").at == datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize("header", [{}, {"Date": "tomorrow"}])
def test_no_clock(header: dict[str, str]) -> None:
    """Without a readable date there is none, and the rest of the answer counts."""
    answer = fetching(httpx.Response(404, headers=header, text="x"))("http://a")
    assert (answer.status, answer.text, answer.at) == (404, "x", None)


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), httpx.ReadTimeout(""), httpx.InvalidURL("no host")])
def test_no_answer(error: Exception) -> None:
    """Whatever goes wrong on the way is one error with its cause."""
    with pytest.raises(NoAnswerError, match=r"refused|ReadTimeout|no host"):
        fetching(error)("http://a")
