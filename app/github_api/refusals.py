"""Refusals: what githubkit raises, as `GitHubError` with a sentence for people and when asking again can help."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

import httpx
from githubkit.exception import GitHubException, RequestError, RequestFailed, RequestTimeout

from app.github_api.protocol import GitHubError

BACK_OFF = 60
"""Seconds to wait where GitHub names no time: at least one minute
(docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api)."""

OUTAGE = 30
"""Seconds to wait after a 5xx, a time-out or a broken connection."""

CREDENTIALS = 300
"""Seconds to wait after a 401: an operator has to repair the App's credentials, and then every job goes on by itself."""

NO_KEY = (
    "The App's credentials cannot be used to ask GitHub. Check TABSTOP_GITHUB_APP_ID and TABSTOP_GITHUB_PRIVATE_KEY, "
    "or open /setup to make an App."
)
"""Signing happens in githubkit's request, so a missing or broken key surfaces there."""

_SECONDARY = ("secondary rate limit", "abuse")


def translated(error: GitHubException, asked: str, now: datetime) -> GitHubError:
    """The error in our words. asked: method and path, for the log and `doctor`."""
    if isinstance(error, RequestFailed):
        answer = error.response
        message = _message(answer.raw_response.text)
        retry_after = wait_of(answer.status_code, answer.headers, message, now)
        return GitHubError(
            f"GitHub answered {answer.status_code} to {asked}: {message}",
            status=answer.status_code,
            retry_after=retry_after,
        )
    if isinstance(error, RequestError) and not isinstance(error.exc, httpx.HTTPError):
        return GitHubError(f"{NO_KEY} ({type(error.exc).__name__}: {error.exc})", retry_after=CREDENTIALS)
    what = "did not answer in time" if isinstance(error, RequestTimeout) else f"could not be reached ({error!r})"
    return GitHubError(f"GitHub {what}: {asked}. It is asked again later.", retry_after=OUTAGE)


def wait_of(status: int, headers: Mapping[str, str], message: str, now: datetime) -> int | None:
    """Seconds until asking again can help; None when it cannot.

    429, and 403 only where it is a rate limit: `Retry-After`, else the end of the primary limit's hour, else a minute.
    """
    spent = headers.get("x-ratelimit-remaining") == "0"
    limited = status == 429 or (
        status == 403 and (spent or "retry-after" in headers or any(word in message.lower() for word in _SECONDARY))
    )
    if limited:
        said = headers.get("retry-after", "")
        if said.isdigit():
            return max(1, int(said))
        reset = headers.get("x-ratelimit-reset", "")
        if spent and reset.isdigit():
            return max(1, math.ceil(int(reset) - now.timestamp()))
        return BACK_OFF
    if status == 401:
        return CREDENTIALS
    return OUTAGE if status >= 500 else None


def _message(text: str) -> str:
    """The first of what GitHub said, without its JSON around it when that is easy."""
    _, found, rest = text.partition('"message":')
    said = rest.strip().removeprefix('"').partition('"')[0] if found else text
    return said.strip()[:300] or "no reason given"
