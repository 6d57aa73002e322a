"""Who calls: the bearer of a request, verified, or the problem that explains why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from flask import Request

from app.api.problems import ApiError
from app.identity.engineer_token import PREFIX, digest_of
from app.identity.oidc import IdentityError, OidcVerifier, RunnerClaims
from app.identity.session_token import SessionClaim, read
from app.registry import EngineerToken
from app.world import World

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Access:
    """Turns bearers into callers. `verifier` is built once; its keys are cached."""

    world: World
    verifier: OidcVerifier

    def asker(self, request: Request, scope: str) -> RunnerClaims | EngineerToken:
        """A runner by its identity token, or an engineer by a token with this scope. Raises `ApiError`."""
        bearer = _bearer(request)
        if bearer.startswith(PREFIX):
            return self._engineer(bearer, scope)
        return _verified(lambda: self.verifier.verify(bearer))

    def engineer(self, request: Request, scope: str = "") -> EngineerToken:
        """An engineer by a token with this scope, or any; a runner has no such right. Raises `ApiError`."""
        bearer = _bearer(request)
        if not bearer.startswith(PREFIX):
            raise ApiError(
                401,
                "Only an engineer may do this, with their own token.",
                "A workflow's identity, or a session's own token, is not enough.",
                f"Ask an operator for one (`token new --scope {scope or 'start'}`).",
            )
        return self._engineer(bearer, scope)

    def telemetry(self, request: Request) -> EngineerToken:
        """An engineer by a token that may report usage. Raises `ApiError`."""
        token = self.engineer(request)
        if not {"telemetry", "start"} & set(token.scopes):
            raise ApiError(
                403, "This engineer token is not good for `telemetry`.", f"It has: {', '.join(token.scopes)}."
            )
        return token

    def session(self, request: Request, session_id: str) -> SessionClaim:
        """The session a token speaks for, which has to be the one in the path. Raises `ApiError`."""
        bearer = _bearer(request)
        claim = _verified(lambda: read(self.world.settings.secret_key, bearer, self.world.now()))
        if claim.session_id != session_id:
            raise ApiError(403, "This token is for another session.", remedy="Send each session's own token.")
        return claim

    def _engineer(self, bearer: str, scope: str) -> EngineerToken:
        token = self.world.store.engineer_token(digest_of(bearer))
        if token is None or token.revoked_at is not None:
            raise ApiError(
                401,
                "This engineer token is unknown or revoked.",
                remedy="Log in again with `tabstop login`, or ask an operator for a new one (`token new`).",
            )
        if scope and scope not in token.scopes:
            raise ApiError(
                403, f"This engineer token is not good for `{scope}`.", f"It has: {', '.join(token.scopes)}."
            )
        return token


def _bearer(request: Request) -> str:
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not value.strip():
        raise ApiError(
            401,
            "No token was sent.",
            "Every call needs `Authorization: Bearer …`.",
            "In a workflow, give the job `permissions: id-token: write` and use the action.",
        )
    return value.strip()


def _verified(verify: Callable[[], T]) -> T:
    try:
        return verify()
    except IdentityError as error:
        if error.unavailable:
            raise ApiError(503, "The token could not be checked.", str(error), retry_after_seconds=15) from error
        raise ApiError(401, "The token was not accepted.", str(error)) from error
