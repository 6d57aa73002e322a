"""The gate at a hook: whether a session that an agent's hooks announce may begin is asked in the background, answered at its first prompt.

A refusal is a reply to the prompt, not an order to a session: nothing has been used yet. One that comes later changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tabstop.beside.admission import Asked, NotAdmittedError
from tabstop.beside.hook_question import Question
from tabstop.beside.session_folder import Record
from tabstop.verdict import Finding, Outcome, Signal

ASKED = "Your server is asked whether it may begin, and with what limits; the first prompt gets the answer."
"""Said at the start of a session, whose limits are this machine's own until then."""

PROMPTS = frozenset({"UserPromptSubmit", "BeforeAgent"})
"""Events at which a person's prompt can be refused, in any agent's words."""


@dataclass(frozen=True, slots=True)
class GateSaid:
    """What an event is to be told. refusal: why this prompt is refused. admitted: the record to go on with. note: for people.

    since: when that was asked for; calls made from then on are its server's, and nobody told it of them yet.
    """

    refusal: Finding | None = None
    admitted: Record | None = None
    since: datetime | None = None
    note: str = ""


NOTHING_SAID = GateSaid()

QuestionOf = Callable[[Record, Mapping[str, Any]], Question | None]
"""Asks whether a session may begin, as this payload of its agent's hook tells it; None where nobody has to be asked."""


class HookGate:
    """Of one session: the question under way, and whether a prompt was let through, so that the session has begun."""

    def __init__(self, *, begun: bool = False) -> None:
        """begun: it runs, and another process watched it until now. Nothing is asked before the first event."""
        self._question: Question | None = None
        self._begun = begun
        self._lock = threading.Lock()

    def at(
        self, event: str, record: Record, question_of: Callable[[Record], Question | None], *, starts: bool = False
    ) -> GateSaid:
        """Ask at the session's start, or at its first prompt where nobody did; tell the answer as soon as it is there.

        starts: the session begins, or goes on after it had ended.
        """
        prompt = event in PROMPTS
        with self._lock:  # of two events at once one asks
            if starts:
                self._begun = False
            if self._question is None and (starts or (prompt and not self._begun)):
                self._question = question_of(record)
            question = self._question
        if question is None:
            self._begun = self._begun or prompt
            return NOTHING_SAID
        answer = _answer(question, prompt=prompt, starts=starts)
        refused = isinstance(answer, NotAdmittedError) and _refuses(answer)
        if refused and not self._begun:
            if not prompt:
                return NOTHING_SAID  # it is said where it can be obeyed
            if question.answer is answer:
                self._question = None  # the next prompt asks again
            why = f"this session may not begin. {answer}"
            return GateSaid(Finding(Signal.BUDGET, Outcome.STOP, "server", why))
        self._begun = self._begun or prompt
        if answer is None:
            return NOTHING_SAID
        self._question, self._begun = None, True
        if isinstance(answer, NotAdmittedError):
            late = "This was answered after it had begun. " if refused else ""
            return GateSaid(note=f"Tabstop: {answer} {late}The session goes on within its own limits, unreported.")
        note = f"Tabstop: {answer.said}" if answer.said else ""
        if answer.record == question.record:
            return GateSaid(note=note)
        return GateSaid(admitted=answer.record, since=question.asked_at, note=note)

    @property
    def asks(self) -> bool:
        """Whether a server is asked, whose answer is still to be told."""
        return self._question is not None and self._question.asks_a_server()

    def close(self) -> None:
        """The session has ended."""
        if self._question is not None:
            self._question.abandon()
        self._question, self._begun = None, False


def _refuses(error: NotAdmittedError) -> bool:
    """Whether a verdict says no. That the question was not taken (a token that is good no more) stops nobody's work."""
    return any(one.outcome is Outcome.STOP and one.signal is not Signal.ACCESS for one in error.verdict.findings)


def _answer(question: Question, *, prompt: bool, starts: bool) -> Asked | NotAdmittedError | None:
    """A server's is told at the first prompt; what this machine says by itself is there at the start."""
    if prompt:
        return question.wait()
    return None if starts and question.asks_a_server() else question.answer
