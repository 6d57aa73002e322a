"""Answers that are neither a verdict nor success: what happened, the cause, what to do, and when to try again."""

from __future__ import annotations

from tabstop.wire import Problem

_ON_GITHUB = "on GitHub, in the organization's settings under “GitHub Apps”"
_THEN = "Then try again, a minute later; before that it does not help."


class ApiError(Exception):
    """An answer with a status other than 2xx, and the problem that explains it."""

    def __init__(
        self, status: int, title: str, detail: str = "", remedy: str = "", retry_after_seconds: int | None = None
    ) -> None:
        """Keep the status and the problem."""
        super().__init__(title)
        self.status = status
        self.problem = Problem(title, detail, remedy, retry_after_seconds)


def not_installed(owner: str) -> ApiError:
    """The repository's owner has no active installation."""
    return ApiError(
        403,
        f"Tabstop is not installed on {owner or 'this account'}.",
        "Sessions can be admitted only for repositories of an active installation.",
        f"An owner installs the App there, or un-suspends it: {_ON_GITHUB}. {_THEN}",
    )


def not_covered(repository: str) -> ApiError:
    """The installation does not cover the repository."""
    return ApiError(
        403,
        f"Tabstop is not installed on {repository or 'this repository'}.",
        "The organization has the App, but this repository is not among those it was given, or has another name there.",
        f"An owner adds it to the App's “Repository access”: {_ON_GITHUB}. {_THEN}",
    )


def no_such_session() -> ApiError:
    """The token is ours, its session is not there."""
    return ApiError(
        404,
        "There is no such session.",
        "The database may have been restored from before the session began.",
        "Nothing to do on this side: the usage stays in the agent's own logs.",
    )


def token_reused() -> ApiError:
    """An identity token that already asked for a session, with another idempotency key."""
    return ApiError(
        409,
        "This identity token has already asked for a session.",
        "A token is good for one start; repeating the same request needs the same Idempotency-Key.",
        "Ask the runner for a fresh token.",
    )


def unverifiable(detail: str) -> ApiError:
    """GitHub could not be asked whether a claim is true."""
    return ApiError(
        503,
        "GitHub could not be asked about this run.",
        detail,
        "Nothing is wrong with the run; ask again in a moment.",
        retry_after_seconds=30,
    )
