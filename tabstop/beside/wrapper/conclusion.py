"""How a run ended: by itself or by us, as what, and the exit code that says so."""

from __future__ import annotations

from dataclasses import dataclass

from tabstop.beside.exit_codes import ExitCode, code_for
from tabstop.beside.wrapper.child import Ended
from tabstop.beside.wrapper.course import Course, Why
from tabstop.governor.state import Stopped
from tabstop.session import SessionOutcome


@dataclass(frozen=True, slots=True)
class Conclusion:
    """ours: we ended it, so the code is ours; else it is the agent's own."""

    code: int
    outcome: SessionOutcome
    ours: bool = False


def conclude(course: Course, ended: Ended, stopped: Stopped | None, *, refused: bool) -> Conclusion:
    """Judge it. stopped: why the session stands still now. refused: hooks or the proxy would not let it go on.

    A limit that the agent's very last answer reached is no end that we made: what it did is done, and its code counts.
    """
    if course.ending is Why.SILENT and course.sent:
        return Conclusion(ExitCode.WATCHDOG, SessionOutcome.SILENT, ours=True)
    if stopped is not None and (refused or (course.ending is Why.ORDERED and course.sent)):
        return Conclusion(code_for(stopped.ends_as), stopped.ends_as, ours=True)
    if course.ending is Why.DISMISSED or ended.by_signal:
        return Conclusion(ended.code, SessionOutcome.CANCELLED)
    return Conclusion(ended.code, SessionOutcome.FAILED if ended.code else SessionOutcome.FINISHED)
