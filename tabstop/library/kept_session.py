"""Kept sessions: a session with a name, or with a server, lives in its folder on this machine, so that commands find it."""

from __future__ import annotations

import atexit
import json
import logging
import re
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from tabstop.agents.claude_code.rows import ident
from tabstop.agents.dialect import Spoken, dialect_of
from tabstop.beside.admission import NotAdmittedError, ask, ends_elsewhere, worded
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.hook_desk import HookDesk
from tabstop.beside.hook_socket import Answer, HookAnswer, HookSocket
from tabstop.beside.journal import Journal
from tabstop.beside.reporting import Reporter, reporter_for
from tabstop.beside.server_access import ServerAccess
from tabstop.beside.session_environ import leave_server, leaves_its_server
from tabstop.beside.session_folder import Record, create, sessions_root
from tabstop.beside.transport import Transport
from tabstop.governor.orders import Event, Order
from tabstop.governor.settings import Settings
from tabstop.session import SessionOutcome
from tabstop.tightened import tightened
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
        cwd: str,
        block: bool = False,
        transport: Transport | None = None,
    ) -> None:
        """Make it or take it up, and ask the server for it where one is configured and nobody has.

        given: whether the settings replace those it was begun with. cwd: where it works. block: do not begin where the server
        cannot be asked. transport: to the server. Raises `ValueError` for a name that cannot be a folder's, `JournalBusyError`,
        `NoSessionError`, `NotAdmittedError`, `OSError`.
        """
        name = settings.session
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a session; use letters, digits, '-', '_' and '.', 64 at most")
        new = Record(name, now, StartRequest(agent=AGENT), settings, cwd=cwd, hmac_key=secrets.token_hex(32))
        self._environ, self._transport = environ, transport
        root = sessions_root(environ)
        is_new = not (root / name / "record.json").exists()
        self._folder = create(root, new)
        self.journal = Journal(self._folder.journal)
        try:
            record = self._folder.record()
            if leaves_its_server(record, environ):
                record = leave_server(self._folder, record)
            wanted = _wanted(record, settings, given=given)
            asked = ask(wanted, wanted.settings.limits, environ, now, block=block, transport=transport)
            self.record = asked.record
            if self.record != record:
                self._folder.write_record(self.record)
        except BaseException as error:
            self.journal.close()
            if is_new and isinstance(error, NotAdmittedError):
                shutil.rmtree(self._folder.path, ignore_errors=True)
            raise
        if asked.said:
            _log.warning("%s", asked.said)
        self._socket: HookSocket | None = None
        self._reporter: Reporter | None = None

    def attend(self, governed: GovernedSession, answered: Collection[str] = ()) -> None:
        """Log its events, hear commands and the hooks of agents inside it while it runs, and report it where a server knows it.

        answered: ids of the client sessions that the program itself hears, as they are when a hook asks.
        """
        governed.listen(self._keep_event, lambda _usage: None)
        folder = self._folder
        desk = self._desk = HookDesk(folder.path.parent, self._environ, governed.now, _log.info, folder.socket)
        desk.watch(folder, self.record, governed)

        def hook(words: tuple[str, ...], body: bytes) -> bytes | Iterator[bytes]:
            return _hear(desk, governed, answered, words, body)

        answers: dict[str, Answer] = {"fact": desk.fact, "hook": hook}
        listener = HookSocket(folder.socket, answers, _log.info)
        with suppress(OSError):  # without it a command has to wait until the program ends
            listener.open()
            self._socket = listener
            folder.keep_watcher(folder.socket)
        self._reporter = reporter_for(
            self.record, governed, folder, self._environ, transport=self._transport, log=_log.warning
        )

    def begin(self, governed: GovernedSession) -> Verdict:
        """Report from now on. A session taken up again asks the server, where there is one, whether it may go on."""
        if self._reporter is None:
            return Verdict()
        # A program that just ends has no other place where its last report is sent.
        atexit.register(self.close, governed)
        return worded(self._reporter.begin(), governed.now())

    def _keep_event(self, event: Event, _order: Order) -> None:
        with suppress(OSError), self._folder.events.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(to_json(event)) + "\n")

    def close(self, governed: GovernedSession, outcome: SessionOutcome = SessionOutcome.FINISHED) -> None:
        """Let go of it. Closing twice is harmless. outcome: how it ended, where it was not stopped.

        What a gate asked for stays open at the server for its settle step, unless it was stopped.
        """
        atexit.unregister(self.close)
        if self._socket is not None:
            self._socket.close()
        self._desk.close()
        reporter, self._reporter = self._reporter, None
        if reporter is not None:
            stopped = governed.state.stopped
            usual = None if ends_elsewhere(self.record) else outcome
            reporter.close(stopped.ends_as if stopped else usual)
        self.journal.close()


def _hear(
    desk: HookDesk, governed: GovernedSession, answered: Collection[str], words: tuple[str, ...], body: bytes
) -> bytes | Iterator[bytes]:
    """A hook of an agent that this program started under its own session: what it uses counts here, and it stops with us."""
    agent, event, session = words
    if session != governed.settings.session:
        return desk.hook(words, body)
    payload = _payload(body)
    if ident(payload.get("session_id")) in answered:
        # The program's own hooks hear it. Usage has keys, but its tools would count twice, and one let through just now be refused.
        order, judged = governed.order(), governed.heard_of(ident(payload.get("tool_use_id")))
        reply = dialect_of(agent).standing(order).get(event) if order.act.ends_turn and not judged else None
        return HookAnswer(Spoken(reply).text).encode()
    return desk.hook(words, body)


def _payload(body: bytes) -> Mapping[str, object]:
    """Empty where it cannot be read: the desk says so."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}


def asks_a_server(environ: Mapping[str, str]) -> bool:
    """Whether a session without a name asks a server for itself: one is configured, and it runs inside no other session."""
    return ServerAccess.from_environ(environ) is not None and not environ.get("TABSTOP_SESSION")


def _wanted(record: Record, settings: Settings, *, given: bool) -> Record:
    """With what binds it. What a server admitted may be tightened here, never widened."""
    begun = replace(record.settings, session=settings.session, ci=settings.ci, can_summarize=False)
    if not given:
        return replace(record, settings=begun)
    if not record.server_session:
        return replace(record, settings=settings)
    admitted = record.admitted or begun.limits
    return replace(record, settings=replace(begun, limits=tightened(admitted, settings.limits)), admitted=admitted)
