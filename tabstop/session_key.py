"""Session key: under which a client's session, as told by its logs or its telemetry, is one session at the server."""

from __future__ import annotations

import hashlib


def session_key(agent: str, session: str, repository: str) -> str:
    """The Idempotency-Key for an agent's own session in one repository.

    Whoever tells of it, however often and from whichever machine, means the same session. Two engineers never do: the server
    takes keys as their owner's.
    """
    named = f"{agent}\x00{session}\x00{repository.lower()}"
    return f"log-{hashlib.sha256(named.encode()).hexdigest()[:40]}"
