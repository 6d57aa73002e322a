"""Session tokens: signed by us, good for one session's usage and end, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt

from app.identity.oidc import IdentityError
from tabstop.window import LATE_LIMIT

_AUDIENCE = "tabstop-session"


@dataclass(frozen=True, slots=True)
class SessionClaim:
    """Which session of which organization (internal id) a token speaks for."""

    organization_id: int
    session_id: str


def sign(secret: str, claim: SessionClaim, lease_until: datetime) -> str:
    """A token for a session. It outlives the lease by 35 days, since late usage is still accepted."""
    expires = lease_until + LATE_LIMIT + timedelta(hours=1)
    body = {"aud": _AUDIENCE, "org": claim.organization_id, "sid": claim.session_id, "exp": int(expires.timestamp())}
    return jwt.encode(body, secret, algorithm="HS256")


def read(secret: str, token: str, now: datetime) -> SessionClaim:
    """Which session a token is for. Raises `IdentityError`."""
    try:
        body = jwt.decode(
            token, secret, algorithms=["HS256"], audience=_AUDIENCE, options={"verify_exp": False, "require": ["exp"]}
        )
        claim = SessionClaim(int(body["org"]), str(body["sid"]))
        expires = int(body["exp"])
    except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
        raise IdentityError("This is not a session token of this server.") from error
    if now.timestamp() > expires:
        raise IdentityError("The session token has expired; usage is accepted until 35 days after its session.")
    return claim
