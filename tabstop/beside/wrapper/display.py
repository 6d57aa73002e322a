"""What is shown of a run while it goes on: a status line at a terminal, a line now and then in CI, nothing elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.wrapper import words
from tabstop.beside.wrapper.status_line import Burn, StatusLine, meters, status
from tabstop.governor.limits import limits_in_force

STATUS_SECONDS, PROGRESS_SECONDS = 1.0, 60.0


class Display:
    """Of one run."""

    def __init__(
        self,
        governed: GovernedSession,
        voice: words.Voice,
        line: StatusLine | None,
        *,
        plain: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """line: None where none may be drawn; plain: lines of progress instead, the first after a while."""
        self._governed = governed
        self._voice = voice
        self._line = line
        self._seconds = STATUS_SECONDS if line is not None else PROGRESS_SECONDS
        self._shows = line is not None or plain
        self._monotonic = monotonic
        self._burn = Burn()
        self._next = monotonic() + (0 if line is not None else PROGRESS_SECONDS)

    def look(self, *, counted: bool) -> None:
        """Show how it stands, if it is time. counted: whether its usage can be seen."""
        if not self._shows or self._monotonic() < self._next:
            return
        self._next = self._monotonic() + self._seconds
        totals, now = self._governed.state.totals, self._governed.now()
        totals = replace(totals, last_at=now if totals.running_since is not None else totals.last_at)
        limits, _ = limits_in_force(totals, self._governed.settings)
        if self._line is not None:
            self._line.draw(status(totals, limits, self._burn.per_minute(now, totals.cost), counted=counted))
        else:
            self._voice.say(", ".join(meters(totals, limits, counted=counted)))

    def clear(self) -> None:
        """Give the terminal's last row back."""
        if self._line is not None:
            self._line.clear()
