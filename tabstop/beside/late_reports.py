"""Late reports: what earlier sessions on this machine could not tell the server, brought along by the next one that reaches it."""

from __future__ import annotations

import os
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
    waiting: list[tuple[float, Path, Undelivered]] = []
    for one in pending(spool):
        left = one.undelivered
        if left is not None and left.server == server.address and not left.start.run_id:
            with suppress(OSError):  # somebody else has brought it along meanwhile
                waiting.append((one.path.stat().st_mtime, one.path, left))
    if not waiting:
        return None
    # What was tried longest ago comes first, so that those the server never takes hold up no others.
    waiting.sort(key=lambda one: one[:2])
    told = ([one[1:] for one in waiting[:MOST_AT_ONCE]], server, token)
    thread = threading.Thread(target=_deliver, args=told, name="tabstop-late-reports", daemon=True)
    thread.start()
    return thread


def _deliver(waiting: list[tuple[Path, Undelivered]], server: Server, token: str) -> None:
    for path, one in waiting:
        done = deliver(one, server, lambda: (token, secrets.token_hex(16)))
        with suppress(OSError):  # how far it came is then not kept: what is sent again changes nothing
            if done.answer is not None or (done.rest != one and put(path.parent, done.rest) != path):
                path.unlink(missing_ok=True)
            else:
                os.utime(path)
        if isinstance(done.error, UnreachableError):
            return
