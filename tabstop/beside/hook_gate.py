"""The gate at a hook: whether a session that an agent's hooks announce may begin is asked in the background, answered at its first prompt.

A refusal is a reply to the prompt, not an order to a session: nothing has been used yet. One that comes later changes nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from tabstop.beside.admission import Asked, NotAdmittedError, ask, ends_elsewhere
from tabstop.beside.payer import StartedWith
from tabstop.beside.server import NotAcceptedError, Server, ServerError, UnreachableError
from tabstop.beside.session_folder import Record
from tabstop.beside.transport import Transport, UrllibTransport
from tabstop.session import Limits, SessionOutcome
from tabstop.usage import Billing
from tabstop.verdict import Finding, Outcome, Signal
from tabstop.wire import EndRequest

PATIENCE = 3.0
"""Seconds, since it was asked, that a prompt waits for the answer; not longer than until the first try has failed."""

NOTHING_TOLD = StartedWith()

ASKED = "Your server is asked whether it may begin, and with what limits; the first prompt gets the answer."
"""Said at the start of a session, whose limits are this machine's own until then."""

PROMPTS = frozenset({"UserPromptSubmit", "BeforeAgent"})
"""Events at which a person's prompt can be refused, in any agent's words."""


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
        patience: float = PATIENCE,
    ) -> None:
        """environ: where a server and a login are found. started: what the agent was started with. patience: seconds."""
        self.record = record
        self.answer: Asked | NotAdmittedError | None = None
        self._environ = environ
        self._now = now
        self._started = started
        self._log = log
        self._transport = transport or UrllibTransport()
        self._until = time.monotonic() + patience
        self._known = threading.Event()
        self._lock = threading.Lock()
        self._abandoned = False
        threading.Thread(target=self._ask, name="tabstop-question", daemon=True).start()

    def wait(self) -> None:
        """Until it is answered, or that is worth waiting for no more."""
        self._known.wait(max(0.0, self._until - time.monotonic()))

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
            answer = Asked(self.record)
        with self._lock:
            abandoned = self._abandoned
            if not abandoned:
                self.answer = answer
        self._known.set()
        if abandoned and isinstance(answer, Asked):
            self._end(answer.record)

    def _start(self) -> Asked:
        # Where it was admitted before, that was too long ago: it is a new session there.
        start = replace(self.record.start, billing=Billing.UNKNOWN, billing_evidence="")
        begins = replace(self.record, start=start, server="", server_session="", token="", key="", admitted=None)
        return ask(
            begins,
            Limits(),
            self._environ,
            self._now,
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
        except UnreachableError:
            return Asked(record)
        except NotAcceptedError:
            return self._start()
        if answer.limits is None:
            raise NotAdmittedError(answer.verdict, self._now)
        return Asked(replace(record, token=answer.token or record.token))

    def _pause(self, seconds: float) -> None:
        """Between two tries: the first one failed, so nobody need wait for the next."""
        self._known.set()
        time.sleep(seconds)

    def _end(self, record: Record) -> None:
        if not record.server_session:
            return
        end = EndRequest(SessionOutcome.NOT_STARTED.value, "it ended before its first prompt")
        try:
            Server(record.server, self._transport, time.sleep).end(record.server_session, end, token=record.token)
        except ServerError as error:
            self._log(f"the server does not know that {record.id} did not begin: {error}")


def question_about(
    record: Record, started: StartedWith, environ: Mapping[str, str], now: datetime, log: Callable[[str], None]
) -> Question | None:
    """Ask, unless somebody else asks for it."""
    # The governor may have been started inside some session; this one is its own, else the hook would have named that one.
    mine = {name: value for name, value in environ.items() if name != "TABSTOP_SESSION"}
    return Question(record, mine, now, log, started=started) if not ends_elsewhere(record) else None


@dataclass(frozen=True, slots=True)
class GateSaid:
    """What an event is to be told. refusal: why this prompt is refused. admitted: the record to go on with. note: for people."""

    refusal: Finding | None = None
    admitted: Record | None = None
    note: str = ""


NOTHING_SAID = GateSaid()

QuestionOf = Callable[[Record, StartedWith], Question | None]
"""Asks whether a session may begin whose agent was started so; None where nobody has to be asked."""


class HookGate:
    """Of one session: the question under way, and whether a prompt was let through, so that the session has begun."""

    def __init__(self, *, begun: bool = False) -> None:
        """begun: it runs, and another process watched it until now. Nothing is asked before the first event."""
        self._question: Question | None = None
        self._begun = begun

    def at(
        self, event: str, record: Record, question_of: Callable[[Record], Question | None], *, starts: bool = False
    ) -> GateSaid:
        """Ask at the session's start, or at its first prompt where nobody did; tell the answer as soon as it is there.

        starts: the session begins, or goes on after it had ended.
        """
        prompt = event in PROMPTS
        if starts:
            self._begun = False
        if self._question is None and (starts or (prompt and not self._begun)):
            self._question = question_of(record)
        question = self._question
        if question is not None and prompt:
            question.wait()
        answer = question.answer if question is not None else None
        refused = isinstance(answer, NotAdmittedError) and _refuses(answer)
        if refused and not self._begun:
            if not prompt:
                return NOTHING_SAID  # it is said where it can be obeyed
            self._question = None  # the next prompt asks again
            why = f"this session may not begin. {answer}"
            return GateSaid(Finding(Signal.BUDGET, Outcome.STOP, "server", why))
        self._begun = self._begun or prompt
        if question is None or answer is None:
            return NOTHING_SAID
        self._question = None
        if isinstance(answer, NotAdmittedError):
            late = "This was answered after it had begun. " if refused else ""
            return GateSaid(note=f"Tabstop: {answer} {late}The session goes on within its own limits, unreported.")
        note = f"Tabstop: {answer.said}" if answer.said else ""
        return GateSaid(admitted=answer.record if answer.record != question.record else None, note=note)

    @property
    def asks(self) -> bool:
        """Whether an answer is still to be told."""
        return self._question is not None

    def close(self) -> None:
        """The session has ended."""
        if self._question is not None:
            self._question.abandon()
        self._question, self._begun = None, False


def _refuses(error: NotAdmittedError) -> bool:
    """Whether a verdict says no. That the question was not taken (a token that is good no more) stops nobody's work."""
    return any(one.outcome is Outcome.STOP and one.signal is not Signal.ACCESS for one in error.verdict.findings)
