"""The question at a hook: may this session begin? Asked in the background as soon as it is made; a prompt waits for its answer a moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any

from tabstop.beside.admission import (
    LONGEST_PAUSE,
    Asked,
    NotAdmittedError,
    ask,
    blocked,
    blocks,
    ends_elsewhere,
    of_this_machine,
    unanswered,
)
from tabstop.beside.payer import StartedWith
from tabstop.beside.server import NotAcceptedError, Server, ServerError, UnreachableError
from tabstop.beside.session_environ import environ_of, without_server
from tabstop.beside.session_folder import Record
from tabstop.beside.transport import Request, Response, Transport, UrllibTransport
from tabstop.session import Limits, SessionOutcome
from tabstop.usage import Billing
from tabstop.wire import EndRequest

PATIENCE = 3.0
"""Seconds, since it was asked, that a prompt waits for the answer; not longer than until the first try has failed."""

PATIENCE_TO_BLOCK = 6.0
"""The same where a session that nobody can be asked about is refused: long enough for every try, where each fails at once, and
shorter than a hook waits for its governor."""

MOMENT = 1.0
"""Seconds that the start of a session waits until it is known whether a server is asked: git and a keyring may have to be."""

NOTHING_TOLD = StartedWith()


class Question:
    """May this session begin? Asked as soon as it is made, in a thread of its own."""

    def __init__(
        self,
        record: Record,
        environ: Mapping[str, str],
        now: datetime,
        log: Callable[[str], None],
        *,
        started: StartedWith = NOTHING_TOLD,
        transport: Transport | None = None,
        patience: float = 0.0,
    ) -> None:
        """environ: where a server and a login are found. started: what the agent was started with.

        patience: seconds, in place of PATIENCE, PATIENCE_TO_BLOCK and MOMENT.
        """
        self.record = record
        self.answer: Asked | NotAdmittedError | None = None
        self.asked_at = now
        self._environ = environ
        self._started = started
        self._log = log
        self._transport = _Heralding(transport or UrllibTransport(), self._herald)
        self._patience = patience
        self._since = time.monotonic()
        self._asking = False
        self._turned = threading.Event()
        self._known = threading.Event()
        self._lock = threading.Lock()
        self._abandoned = False
        self._let_through = False
        threading.Thread(target=self._ask, name="tabstop-question", daemon=True).start()

    def wait(self) -> Asked | NotAdmittedError | None:
        """The answer, when it is there; None where it is worth waiting for no more, and the session may begin without it."""
        if self.answer is None:
            patience = self._patience or (PATIENCE_TO_BLOCK if self._blocks else PATIENCE)
            self._known.wait(max(0.0, self._since + patience - time.monotonic()))
        answer = self.answer
        if answer is not None:
            return answer
        if not self._blocks:
            return self._refused_here()
        return blocked("The server has not answered yet", "Send the prompt again in a moment.", self.asked_at)

    def _refused_here(self) -> Asked | NotAdmittedError | None:
        """What this machine says while no server does, before the session begins. Its no is the answer: the next prompt asks again."""
        if self.record.server_session:
            return None
        refused = None
        try:
            of_this_machine(Asked(self._new()), self._environ, self.asked_at, self._started)
        except NotAdmittedError as error:
            refused = error
        with self._lock:
            self.answer = self.answer or refused  # an answer may have come meanwhile
            self._abandoned = self._abandoned or (refused is not None and self.answer is refused)
            self._let_through = self.answer is None
            return self.answer

    def asks_a_server(self) -> bool:
        """Whether one is asked at all: that is not so where nobody is logged in and nothing is set."""
        self._turned.wait(self._patience or MOMENT)
        return self._asking

    def abandon(self) -> None:
        """Nobody wants to know any more: a session that is admitted all the same is ended, so that it holds nothing."""
        with self._lock:
            self._abandoned = True
            answer, self.answer = self.answer, None
        if isinstance(answer, Asked):
            threading.Thread(target=self._end, args=(answer.record,), name="tabstop-question", daemon=True).start()

    def _ask(self) -> None:
        try:
            answer: Asked | NotAdmittedError = self._start() if not self.record.server_session else self._resume()
        except NotAdmittedError as error:
            answer = error
        except Exception as error:  # noqa: BLE001 - whatever it is, the agent goes on, and the log says why nobody was asked
            self._log(f"whether {self.record.id} may begin could not be asked: {type(error).__name__}: {error}")
            answer = self._unasked()
        with self._lock:
            abandoned = self._abandoned
            if self._let_through and isinstance(answer, NotAdmittedError):
                answer = answer.begun or answer  # this machine's no comes too late; its server is to be told later
            if not abandoned:
                self.answer = answer
        self._turned.set()
        self._known.set()
        if abandoned and isinstance(answer, Asked):
            self._end(answer.record)

    def _new(self) -> Record:
        """The same session, with what it was started with to be found out anew."""
        return replace(self.record, start=replace(self.record.start, billing=Billing.UNKNOWN, billing_evidence=""))

    def _start(self) -> Asked:
        # Where it was admitted before, that was too long ago: it is a new session there.
        return ask(
            without_server(self._new()),
            Limits(),
            self._environ,
            self.asked_at,
            started=self._started,
            transport=self._transport,
            sleep=self._pause,
        )

    def _resume(self) -> Asked:
        """Of a session that the server knows: one that ended may go on only where it could begin."""
        record = self.record
        try:
            answer = Server(record.server, self._transport, self._pause).resume(
                record.server_session, token=record.token
            )
        except UnreachableError as error:
            return unanswered(record, error, self.asked_at)
        except NotAcceptedError:
            return self._start()
        if answer.limits is None:
            raise NotAdmittedError(answer.verdict, self.asked_at)
        return Asked(replace(record, token=answer.token or record.token))

    def _unasked(self) -> Asked | NotAdmittedError:
        if not self._blocks:
            return Asked(self.record)
        return blocked("The server could not be asked", "The governor's log says why.", self.asked_at)

    @cached_property
    def _blocks(self) -> bool:
        return blocks(self.record)

    def _herald(self) -> None:
        self._asking = True
        self._turned.set()

    def _pause(self, seconds: float) -> None:
        """Between two tries: the first one failed, so nobody need wait for the next, unless what comes of the last one counts."""
        if not self._blocks:
            self._known.set()
        time.sleep(min(seconds, LONGEST_PAUSE))

    def _end(self, record: Record) -> None:
        if not record.server_session:
            return
        end = EndRequest(SessionOutcome.NOT_STARTED.value, "it ended before its first prompt")
        try:
            Server(record.server, self._transport, time.sleep).end(record.server_session, end, token=record.token)
        except ServerError as error:
            self._log(f"the server does not know that {record.id} did not begin: {error}")


class _Heralding:
    """A transport that says when it is used."""

    def __init__(self, transport: Transport, herald: Callable[[], None]) -> None:
        self._transport = transport
        self._herald = herald

    def send(self, request: Request, timeout: float) -> Response:
        """See `Transport.send`."""
        self._herald()
        return self._transport.send(request, timeout)


def question_about(
    record: Record, payload: Mapping[str, Any], environ: Mapping[str, str], now: datetime, log: Callable[[str], None]
) -> Question | None:
    """Ask as the hook's payload tells, unless somebody else asks for it. environ: the governor's own."""
    if ends_elsewhere(record):
        return None
    # The governor may have been started inside some session; this one is its own, else the hook would have named that one.
    mine = {name: value for name, value in environ_of(payload, environ).items() if name != "TABSTOP_SESSION"}
    return Question(record, mine, now, log, started=StartedWith.from_payload(record.start.agent, payload))
