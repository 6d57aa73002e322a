"""The retry brake's release at the terminal: whether whoever sits there is asked, and the question once the agent has ended."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from datetime import datetime

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.wrapper import words
from tabstop.beside.wrapper.question import Question
from tabstop.governor.facts import Released
from tabstop.verdict import Finding, Signal

_LOOK_SECONDS = 0.05


class Release:
    """One for each run, shared by all that have to wait for the answer. No is said once of each stop."""

    def __init__(self, governed: GovernedSession, by: str, *, asks: bool) -> None:
        """by: who sits at the terminal. asks: whether anybody can be asked there."""
        self._governed = governed
        self._by = by
        self._asks = asks
        self._refused: datetime | None = None
        self.said: bool | None = None
        """What was typed when the agent ended and nobody had taken it in: asked again, somebody would have to say it twice."""

    @property
    def due(self) -> Finding | None:
        """What is to be released, while nobody has said no to it."""
        stopped = self._governed.state.stopped
        if not self._asks or stopped is None or stopped.finding is None or stopped.at == self._refused:
            return None
        return stopped.finding if stopped.finding.signal is Signal.RETRY else None

    @property
    def seconds(self) -> int:
        """After which silence means no."""
        return self._governed.settings.exhaustion.ask_seconds

    def answered(self, now: datetime, *, yes: bool) -> None:
        """Let it go on, or leave it stopped."""
        stopped = self._governed.state.stopped
        if self.due is None or stopped is None:
            return
        if yes:
            self._governed.tell(Released(now, self._by))
        else:
            self._refused = stopped.at

    def ask_at_the_end(self, now: datetime) -> bool:
        """Ask where the agent ended before anybody could be asked. Whether it was released."""
        finding = self.due
        if finding is None:
            return False
        said = self.said if self.said is not None else self._ask(finding)
        self.answered(now, yes=bool(said))
        return said is True

    def _ask(self, finding: Finding) -> bool | None:
        question = Question(words.release(finding, self.seconds))
        deadline = time.monotonic() + self.seconds
        while question.asked and question.answer is None and self.due and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        question.withdraw("tabstop: answered elsewhere, or too late.")
        return question.answer


def somebody_there() -> bool:
    """Whether we are in the foreground of a terminal, so that its user can be asked."""
    with suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False
