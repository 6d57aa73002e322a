"""Tokens: one installation token per installation, made under a lock and renewed before its hour ends.

githubkit can do this itself, but 16 threads with a cold cache made 16 tokens (measured), and it stops at an
`expires_at` with fractions of a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.github_api.answers import instant
from app.github_api.connection import Connection, Doorway

MARGIN = timedelta(minutes=5)
"""How long before its end a token is renewed: longer than any job takes."""


@dataclass(frozen=True, slots=True)
class _Issued:
    connection: Connection
    expires_at: datetime


@dataclass
class InstallationTokens:
    """Connections with a fresh token, one per installation."""

    app: Connection
    doorway: Doorway
    now: Callable[[], datetime]
    _issued: dict[int, _Issued] = field(default_factory=dict, init=False)
    _locks: dict[int, threading.Lock] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def connection(self, installation_id: int) -> Connection:
        """A connection for this installation. Raises `GitHubError`: 404 uninstalled, 403 suspended."""
        with self._lock:
            lock = self._locks.setdefault(installation_id, threading.Lock())
        with lock:
            issued = self._issued.get(installation_id)
            if issued is None or issued.expires_at - MARGIN <= self.now():
                issued = self._issue(installation_id)
                self._issued[installation_id] = issued
            return issued.connection

    def drop(self, installation_id: int) -> None:
        """Forget a token that GitHub no longer takes."""
        self._issued.pop(installation_id, None)

    def _issue(self, installation_id: int) -> _Issued:
        answer = self.app.send("POST", f"/app/installations/{installation_id}/access_tokens")
        return _Issued(self.doorway.with_token(answer["token"]), instant(answer["expires_at"]))
