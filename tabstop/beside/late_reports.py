"""Late reports: what earlier sessions on this machine could not tell the server, brought along by the next one that reaches it."""

from __future__ import annotations

import secrets
import threading
from contextlib import suppress
from pathlib import Path

from tabstop.beside.delivery import deliver
from tabstop.beside.server import Server, UnreachableError
from tabstop.beside.spool import Undelivered, pending, put

MOST_AT_ONCE = 20
"""Reports that one session brings along."""


def bring_along(spool: Path, server: Server, token: str) -> threading.Thread | None:
    """Deliver them in a thread of their own, whose end nobody has to wait for: what does not arrive waits on.

    token: the engineer's own, whose sessions they become where no session of theirs is known. Reports of workflow runs wait for
    a job. None where there is nothing to bring.
    """
    waiting = [
        (one.path, one.undelivered)
        for one in pending(spool)
        if one.undelivered and one.undelivered.server == server.address and not one.undelivered.start.run_id
    ]
    if not waiting:
        return None
    told = (waiting[:MOST_AT_ONCE], server, token)
    thread = threading.Thread(target=_deliver, args=told, name="tabstop-late-reports", daemon=True)
    thread.start()
    return thread


def _deliver(waiting: list[tuple[Path, Undelivered]], server: Server, token: str) -> None:
    for path, one in waiting:
        done = deliver(one, server, lambda: (token, secrets.token_hex(16)))
        with suppress(OSError):  # how far it came is then not kept: what is sent again changes nothing
            if done.answer is not None or (done.rest != one and put(path.parent, done.rest) != path):
                path.unlink(missing_ok=True)
        if isinstance(done.error, UnreachableError):
            return
