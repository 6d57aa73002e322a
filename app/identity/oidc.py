"""A runner's identity: the OIDC token GitHub gives a job, verified, as plain claims."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt

LEEWAY_SECONDS = 30
"""How far the clocks may be apart."""

QUEUE = "refs/heads/gh-readonly-queue/"
"""The branches of merge groups (docs.github.com, managing a merge queue)."""

_QUEUED = re.compile(rf"{QUEUE}.+/pr-(?P<number>[0-9]{{1,9}})-[0-9a-f]+")
"""One of them: its base, and the pull request that its group was made for (github.com/pulumi/pulumi/pull/18488)."""

REQUIRED = ("exp", "iat", "iss", "aud", "jti", "repository_id", "repository_owner_id", "run_id", "actor_id")


class IdentityError(Exception):
    """A token that proves nothing. `unavailable` is True when its keys could not be fetched: try again."""

    def __init__(self, message: str, *, unavailable: bool = False) -> None:
        """Keep whether the fault is ours."""
        super().__init__(message)
        self.unavailable = unavailable


@dataclass(frozen=True, slots=True)
class RunnerClaims:
    """What a verified token says. Ids are trusted; names are only for people; `sub` is never parsed.

    Source of the claims: GitHub's docs, actions/reference/security/oidc.
    """

    token_id: str
    repository_id: int
    repository: str
    owner_id: int
    owner: str
    run_id: str
    run_attempt: str
    job_id: str
    actor_id: int
    actor: str
    event: str
    ref: str
    head_ref: str
    sha: str

    @property
    def proven_pull_request(self) -> int | None:
        """The pull request's number, which `ref` proves on `pull_request` events, and in the merge queue."""
        parts = self.ref.split("/")
        if self.event == "pull_request" and len(parts) == 4 and parts[:2] == ["refs", "pull"] and parts[2].isdigit():
            return int(parts[2])
        return queued_pull_request(self.event, self.ref)

    @property
    def branch(self) -> str:
        """The branch the run is on; empty when `ref` names none, or one of the merge queue's, which is nobody's work."""
        if self.event in {"pull_request", "pull_request_target"} or self.ref.startswith(QUEUE):
            return ""
        return self.ref.removeprefix("refs/heads/") if self.ref.startswith("refs/heads/") else ""


def queued_pull_request(event: str, ref: str) -> int | None:
    """The pull request that a run of the merge queue is for; None for any other run."""
    queued = _QUEUED.fullmatch(ref) if event == "merge_group" else None
    return int(queued["number"]) if queued is not None else None


class OidcVerifier:
    """Verifies tokens of one issuer for one audience. `key_of` answers the public key a token is signed with."""

    def __init__(self, issuer: str, audience: str, key_of: Callable[[str], Any]) -> None:
        """Keep what a token has to name."""
        self._issuer = issuer
        self._audience = audience
        self._key_of = key_of

    def verify(self, token: str) -> RunnerClaims:
        """Check signature, issuer, audience and times. Raises `IdentityError` with what is wrong and what to do."""
        try:
            key = self._key_of(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": list(REQUIRED)},
            )
        except jwt.PyJWKClientConnectionError as error:
            raise IdentityError(f"The issuer's keys could not be fetched: {error}", unavailable=True) from error
        except jwt.InvalidAudienceError as error:
            raise IdentityError(
                f"The token is for another audience. Ask for it with audience {self._audience}."
            ) from error
        except jwt.ExpiredSignatureError as error:
            raise IdentityError("The token has expired; ask the runner for a fresh one.") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise IdentityError(f"The token is not valid: {error}") from error
        try:
            return _claims(claims)
        except (TypeError, ValueError) as error:
            raise IdentityError(f"The token's claims are not GitHub's: {error}") from error


def keys_at(jwks_url: str, cooldown_seconds: float = 5) -> Callable[[str], Any]:
    """Finds a token's key at the issuer, cached for five minutes.

    A key nobody knows makes one more fetch, at most once per cooldown, so that forged tokens cannot make us flood it.
    """
    client = jwt.PyJWKClient(jwks_url, cache_keys=True, lifespan=300, timeout=10, cooldown_duration=cooldown_seconds)
    return lambda token: client.get_signing_key_from_jwt(token).key


def _claims(claims: dict[str, Any]) -> RunnerClaims:
    return RunnerClaims(
        token_id=str(claims["jti"]),
        repository_id=int(claims["repository_id"]),
        repository=str(claims.get("repository", "")),
        owner_id=int(claims["repository_owner_id"]),
        owner=str(claims.get("repository_owner", "")),
        run_id=str(claims["run_id"]),
        run_attempt=str(claims.get("run_attempt", "1")),
        job_id=str(claims.get("check_run_id", "")),
        actor_id=int(claims["actor_id"]),
        actor=str(claims.get("actor", "")),
        event=str(claims.get("event_name", "")),
        ref=str(claims.get("ref", "")),
        head_ref=str(claims.get("head_ref", "")),
        sha=str(claims.get("sha", "")),
    )
