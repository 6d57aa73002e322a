"""The proxy alone, as `tabstop proxy` runs it: one session, its journal, its server, and its socket for overdrives."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime

from tabstop.agents.command_line import PROGRAMS, command_line_of
from tabstop.beside.admission import ends_elsewhere
from tabstop.beside.gauge_watch import GaugeWatch
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.hook_records import pricer_of
from tabstop.beside.hook_socket import HookAnswer
from tabstop.beside.journal import Journal
from tabstop.beside.proxy.attached import logger
from tabstop.beside.proxy.learning import Learning
from tabstop.beside.proxy.routes import Upstreams
from tabstop.beside.proxy.running import RunningProxy, running_proxy
from tabstop.beside.reporting import Reporter
from tabstop.beside.session_folder import Record
from tabstop.beside.stop_signal import Stop
from tabstop.beside.working_tree import TreeWatch
from tabstop.beside.wrapper.hooks import HookPost
from tabstop.beside.wrapper.opening import Opened, Wanted, admitted, reported
from tabstop.governor.facts import Paused, Resumed
from tabstop.governor.orders import Event, Order, worth_saying
from tabstop.session import SessionOutcome

IDLE_SECONDS = 300.0
"""Without a call for so long the session's wall clock stands still."""

TICK_SECONDS = 5.0


def serve(
    opened: Opened,
    wanted: Wanted,
    environ: Mapping[str, str],
    now: Callable[[], datetime],
    upstreams: Upstreams,
    listener: socket.socket,
    say: Callable[[Event], None],
    warn: Callable[[str], None],
    began: Callable[[RunningProxy, GovernedSession, Opened], None],
    over: Stop,
    *,
    folder: str = "",
) -> None:
    """Run a proxy for this session, alone, until `over` is set.

    say: told every event; warn: what the server's reporter cannot do. began: called once it answers. folder: the working tree
    that agents change; empty for the one a client names, else the session's own. Raises `JournalBusyError` where another process
    watches the session, `NotOpenedError` where its server does not let it begin, `OSError`.
    """
    log = logger(opened.folder)

    def on_event(event: Event, order: Order | None = None) -> None:
        log(event)
        if order is None or worth_saying(event, order):
            say(event)

    with closing(listener), Journal(opened.folder.journal) as journal, ExitStack() as last:
        opened = admitted(opened, wanted, environ, now())
        kept, settings = opened.folder, replace(opened.record.settings, can_summarize=True)
        record = kept.govern_by(opened.record, settings)
        opened = replace(opened, record=record)
        governed = GovernedSession(settings, pricer_of(record, now()), now, journal=journal, on_event=on_event)
        reporter = reported(opened, governed, environ, warn)
        if reporter is not None:
            last.callback(_report_end, reporter, governed, record)
        post = _Post(kept.path.parent, environ, now, lambda _text: None, (kept, record, governed))
        key = bytes.fromhex(record.hmac_key)
        with (
            post,
            running_proxy(
                governed, key=key, folder=kept, upstreams=upstreams, on_event=on_event, listener=listener
            ) as proxy,
        ):
            post.learning = proxy.learning
            tree = _Tree(governed, key)
            gauges = GaugeWatch(kept, governed)
            governed.tell(Resumed(now()))
            try:
                began(proxy, governed, opened)
                while not over.wait(TICK_SECONDS):
                    gauges.look()
                    if not _tick(governed, proxy, now):
                        tree.nudge(folder or proxy.learning.workspace or record.cwd)
            finally:
                governed.tell(Paused(now()))


def _report_end(reporter: Reporter, governed: GovernedSession, record: Record) -> None:
    """A gate's session stays open for its settle step, unless it was stopped."""
    stopped = governed.state.stopped
    usual = None if ends_elsewhere(record) else SessionOutcome.FINISHED
    reporter.close(stopped.ends_as if stopped else usual)


class _Post(HookPost):
    """Answers hooks, but for those that would count twice: what an agent tells under keys of its own, and asks through here."""

    learning: Learning | None = None

    def _hook(self, words: tuple[str, ...], body: bytes) -> bytes | Iterator[bytes]:
        line = command_line_of(PROGRAMS.get(words[0], ""))
        if line is not None and line.hooks_tell_usage and self.learning and self.learning.heard_of(line.usage_name):
            return HookAnswer().encode()
        return super()._hook(words, body)


class _Tree:
    """The working tree that is watched now."""

    def __init__(self, governed: GovernedSession, key: bytes) -> None:
        self._governed = governed
        self._key = key
        self._folder = ""
        self._watch = TreeWatch(governed, "", key)

    def nudge(self, folder: str) -> None:
        if folder != self._folder:
            self._folder, self._watch = folder, TreeWatch(self._governed, folder, self._key)
        self._watch.nudge()


def _tick(governed: GovernedSession, proxy: RunningProxy, now: Callable[[], datetime]) -> bool:
    """Let time pass; while no agent asks, the wall clock stands still. Whether none does."""
    idle = proxy.meter.idle > IDLE_SECONDS
    with governed.lock:
        if idle and not governed.state.totals.paused:
            governed.tell(Paused(now()))
        elif not idle and governed.state.totals.paused:
            governed.tell(Resumed(now()))
        else:
            governed.order()
    return idle
