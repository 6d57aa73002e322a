"""Who may use `/setup`: whoever has its token; and proof that a return from GitHub belongs to a start from here."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from flask import Request
from werkzeug.wrappers import Response

from app.secrets_store import derived
from app.settings import Settings

COOKIE = "tabstop_setup"
STATE_COOKIE = "tabstop_setup_state"
HOUR = 3_600
"""Seconds. The manifest flow has to be finished within an hour, and so has a visit."""


@dataclass(frozen=True, slots=True)
class SetupAccess:
    """The door of `/setup`. It is closed while there is no token (`serve` makes one when it is needed)."""

    settings: Settings

    @property
    def closed(self) -> bool:
        """Whether nobody can enter."""
        return not self.settings.setup_token

    def opens(self, token: str) -> bool:
        """Whether this is the token; takes as long for every wrong one."""
        return not self.closed and hmac.compare_digest(token.strip().encode(), self.settings.setup_token.encode())

    def is_inside(self, request: Request) -> bool:
        """Whether the browser showed the token before."""
        return not self.closed and hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), self._pass().encode())

    def let_in(self, response: Response) -> None:
        """Remember the browser."""
        self._set(response, COOKIE, self._pass())

    def state(self, request: Request) -> str:
        """The `state` to send to GitHub: the one this browser has, so that two open tabs do not break each other."""
        return request.cookies.get(STATE_COOKIE) or secrets.token_urlsafe(24)

    def remember(self, response: Response, state: str) -> None:
        """Remember what `state` this browser is sent to GitHub with."""
        self._set(response, STATE_COOKIE, state)

    def forget(self, response: Response) -> None:
        """A `state` is good for one return."""
        response.delete_cookie(STATE_COOKIE, path="/setup")

    def began_here(self, request: Request) -> bool:
        """Whether GitHub sends back the `state` this browser was given."""
        kept = request.cookies.get(STATE_COOKIE, "")
        return bool(kept) and hmac.compare_digest(request.args.get("state", "").encode(), kept.encode())

    def _pass(self) -> str:
        """What the cookie holds: useless once the token or the secret key is another, and not the token itself."""
        key = derived(self.settings.secret_key, "setup")
        return hmac.new(key, self.settings.setup_token.encode(), hashlib.sha256).hexdigest()

    def _set(self, response: Response, name: str, value: str) -> None:
        # Lax, not Strict: GitHub sends the browser back to us by a link, and the cookies have to come along.
        response.set_cookie(
            name,
            value,
            max_age=HOUR,
            path="/setup",
            httponly=True,
            samesite="Lax",
            secure=self.settings.public_url.startswith("https://"),
        )
