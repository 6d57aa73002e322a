"""Exit codes of `tabstop run`: the agent's own where it ended by itself, and these where we ended it. docs/running.md has the table."""

from __future__ import annotations

import os
from enum import IntEnum
from pathlib import Path
from shutil import which

from tabstop.session import SessionOutcome

NOT_RUNNABLE, NOT_FOUND = 126, 127
"""As a shell has it."""


class ExitCode(IntEnum):
    """Below 70 and above 75 a code is the agent's own; 128 and more means it was ended by a signal (128 + its number)."""

    LIMIT = 70
    SUSPENDED = 71
    BREAKER = 72
    WATCHDOG = 73
    REFUSED = 74
    UNBOUNDED = 75

    @property
    def meaning(self) -> str:
        """What happened, for the table that people read."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.LIMIT: "The session reached a limit (cost, tokens, tool calls, iterations), or an operator ended it.",
    ExitCode.SUSPENDED: "The session is suspended: an overdrive or a release lets it go on with its totals.",
    ExitCode.BREAKER: "The circuit breaker opened, or a runaway signal persisted.",
    ExitCode.WATCHDOG: "The session reached its wall-clock limit, or the agent showed nothing for too long.",
    ExitCode.REFUSED: "The agent was not started: the session is stopped, is watched by another process, or is not known.",
    ExitCode.UNBOUNDED: "The agent was not started, or was ended, because nothing could have bounded it.",
}

_BY_OUTCOME = {
    SessionOutcome.SUSPENDED: ExitCode.SUSPENDED,
    SessionOutcome.STOPPED_BREAKER: ExitCode.BREAKER,
    SessionOutcome.STOPPED_WALL_CLOCK: ExitCode.WATCHDOG,
    SessionOutcome.SILENT: ExitCode.WATCHDOG,
}


def code_for(outcome: SessionOutcome) -> ExitCode:
    """The code for a session that we ended so."""
    return _BY_OUTCOME.get(outcome, ExitCode.LIMIT)


def code_where_missing(program: str, path: str | None) -> int:
    """The code a shell gives for what it cannot start: whether it is there all the same."""
    there = which(program, os.F_OK, path) is not None or ("/" in program and Path(program).exists())
    return NOT_RUNNABLE if there else NOT_FOUND


def code_of_signal(number: int) -> int:
    """The code a shell gives for a process that a signal ended."""
    return 128 + number
