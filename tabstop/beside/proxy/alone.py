"""The proxy alone, as `tabstop proxy` runs it: one session, its journal, and its socket for overdrives."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.hook_records import pricer_of
from tabstop.beside.journal import Journal
from tabstop.beside.proxy.attached import logger
from tabstop.beside.proxy.routes import Upstreams
from tabstop.beside.proxy.running import RunningProxy, running_proxy
from tabstop.beside.session_folder import Record, SessionFolder
from tabstop.beside.wrapper.hooks import HookPost
from tabstop.governor.facts import Paused, Resumed
from tabstop.governor.orders import Event, Order

IDLE_SECONDS = 300.0
"""Without a call for so long the session's wall clock stands still."""

TICK_SECONDS = 5.0


def serve(
    folder: SessionFolder,
    record: Record,
    environ: Mapping[str, str],
    now: Callable[[], datetime],
    upstreams: Upstreams,
    listener: socket.socket,
    say: Callable[[Event], None],
    began: Callable[[RunningProxy, GovernedSession], None],
    over: threading.Event,
) -> None:
    """Run a proxy for this session, alone, until `over` is set.

    say: told every event. began: called once it answers. Raises `JournalBusyError` where another process watches the session,
    `OSError`.
    """
    log = logger(folder)

    def on_event(event: Event, _order: Order | None = None) -> None:
        log(event)
        say(event)

    settings = replace(record.settings, can_summarize=True)
    with closing(listener), Journal(folder.journal) as journal:
        governed = GovernedSession(settings, pricer_of(record, now()), now, journal=journal, on_event=on_event)
        post = HookPost(folder.path.parent, environ, now, lambda _text: None, (folder, record, governed))
        key = bytes.fromhex(record.hmac_key)
        with (
            post,
            running_proxy(
                governed, key=key, folder=folder, upstreams=upstreams, on_event=on_event, listener=listener
            ) as proxy,
        ):
            governed.tell(Resumed(now()))
            try:
                began(proxy, governed)
                while not over.wait(TICK_SECONDS):
                    _tick(governed, proxy, now)
            finally:
                governed.tell(Paused(now()))


def _tick(governed: GovernedSession, proxy: RunningProxy, now: Callable[[], datetime]) -> None:
    """Let time pass; while no agent asks, the wall clock stands still."""
    idle = proxy.meter.idle > IDLE_SECONDS
    with governed.lock:
        if idle and not governed.state.totals.paused:
            governed.tell(Paused(now()))
        elif not idle and governed.state.totals.paused:
            governed.tell(Resumed(now()))
        else:
            governed.order()
