"""Kept sessions: a session with a name lives in its folder on this machine, so that it is taken up again and commands find it."""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.hook_socket import HookSocket
from tabstop.beside.journal import Journal, read_entry
from tabstop.beside.reporting import Reporter, reporter_for
from tabstop.beside.session_folder import Record, create, sessions_root
from tabstop.beside.transport import Transport
from tabstop.governor.orders import Event, Order
from tabstop.governor.settings import Settings
from tabstop.session import Limits
from tabstop.verdict import Verdict
from tabstop.wire import StartRequest
from tabstop.wire_json import to_json

AGENT = "library"
"""What a session is called that no agent of its own began."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

_log = logging.getLogger("tabstop")


class KeptSession:
    """One session's folder while this program governs it: journal, key, the socket on which commands ask, the server's reporter."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        now: datetime,
        *,
        given: bool,
        transport: Transport | None = None,
    ) -> None:
        """Make it or take it up. given: whether the settings replace those it was begun with. transport: to the server.

        Raises `ValueError` for a name that cannot be a folder's, `JournalBusyError`, `NoSessionError`, `OSError`.
        """
        name = settings.session
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a session; use letters, digits, '-', '_' and '.', 64 at most")
        key, cwd = secrets.token_hex(32), str(Path.cwd())
        new = Record(name, now, StartRequest(agent=AGENT), settings, cwd=cwd, hmac_key=key)
        self._environ, self._transport = environ, transport
        self._folder = create(sessions_root(environ), new)
        self.journal = Journal(self._folder.journal)
        record = self._folder.record()
        self.record = replace(record, settings=_settings(record, settings, given=given))
        if self.record != record:
            self._folder.write_record(self.record)
        self._socket: HookSocket | None = None
        self._reporter: Reporter | None = None

    def attend(self, governed: GovernedSession) -> None:
        """Log its events, let commands raise and release it while it runs, and report it where a server knows it."""
        governed.listen(self._keep_event, lambda _usage: None)

        def fact(_words: tuple[str, ...], body: bytes) -> bytes:
            entry = read_entry(body)
            if entry is None:
                raise ValueError("no fact")
            return json.dumps(to_json(governed.tell(entry.fact))).encode()

        listener = HookSocket(self._folder.socket, {"fact": fact}, _log.info)
        with suppress(OSError):  # without it a command has to wait until the program ends
            listener.open()
            self._socket = listener
        self._reporter = reporter_for(
            self.record, governed, self._folder, self._environ, transport=self._transport, log=_log.warning
        )

    def begin(self) -> Verdict:
        """Ask the server whether it may run, where there is one."""
        return self._reporter.begin() if self._reporter is not None else Verdict()

    def _keep_event(self, event: Event, _order: Order) -> None:
        with suppress(OSError), self._folder.events.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(to_json(event)) + "\n")

    def close(self, governed: GovernedSession) -> None:
        """Let go of it. Closing twice is harmless. How it ended is told the server only where it was stopped."""
        if self._socket is not None:
            self._socket.close()
        reporter, self._reporter = self._reporter, None
        if reporter is not None:
            stopped = governed.state.stopped
            reporter.close(stopped.ends_as if stopped else None)
        self.journal.close()


def _settings(record: Record, settings: Settings, *, given: bool) -> Settings:
    """What binds it. What a server admitted may be tightened here, never widened."""
    begun = replace(record.settings, session=settings.session, ci=settings.ci, can_summarize=False)
    if not given:
        return begun
    return replace(begun, limits=_tighter(begun.limits, settings.limits)) if record.server_session else settings


def _tighter(admitted: Limits, wanted: Limits) -> Limits:
    def least(name: str) -> int | None:
        known = [one for one in (getattr(admitted, name), getattr(wanted, name)) if one is not None]
        return min(known, default=None)

    return Limits(**{one.name: least(one.name) for one in fields(Limits)})
