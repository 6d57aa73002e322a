"""How a run ended, as a table: whose end it was, and whose exit code counts."""

from __future__ import annotations

import pytest

from tabstop.beside.exit_codes import ExitCode
from tabstop.beside.wrapper.child import Ended
from tabstop.beside.wrapper.conclusion import Conclusion, conclude
from tabstop.beside.wrapper.course import Course, Why
from tabstop.governor.orders import Act
from tabstop.governor.state import Stopped
from tabstop.session import SessionOutcome
from tests.governor.builders import at

COST = Stopped(Act.HALT, SessionOutcome.STOPPED_COST, at(0))
SUSPENDED = Stopped(Act.SUSPEND, SessionOutcome.SUSPENDED, at(0))
BREAKER = Stopped(Act.HALT, SessionOutcome.STOPPED_BREAKER, at(0))
CLOCK = Stopped(Act.HALT, SessionOutcome.STOPPED_WALL_CLOCK, at(0))
SIGNALLED = Course(Why.ORDERED, sent=1)
HALT, PAUSED = SessionOutcome.STOPPED_COST, SessionOutcome.SUSPENDED


@pytest.mark.parametrize(
    ("course", "ended", "stopped", "refused", "expected"),
    [
        (Course(), Ended(0), None, False, Conclusion(0, SessionOutcome.FINISHED)),
        (Course(), Ended(9), None, False, Conclusion(9, SessionOutcome.FAILED)),
        (Course(), Ended(137, 9), None, False, Conclusion(137, SessionOutcome.CANCELLED)),
        (SIGNALLED, Ended(130, 2), COST, False, Conclusion(ExitCode.LIMIT, HALT, ours=True)),
        (SIGNALLED, Ended(0), SUSPENDED, False, Conclusion(ExitCode.SUSPENDED, PAUSED, ours=True)),
        (SIGNALLED, Ended(0), BREAKER, False, Conclusion(ExitCode.BREAKER, BREAKER.ends_as, ours=True)),
        (SIGNALLED, Ended(0), CLOCK, False, Conclusion(ExitCode.WATCHDOG, CLOCK.ends_as, ours=True)),
        (Course(), Ended(0), COST, True, Conclusion(ExitCode.LIMIT, HALT, ours=True)),
        # Lifted by an overdrive, it went on and ended by itself.
        (Course(), Ended(0), None, True, Conclusion(0, SessionOutcome.FINISHED)),
        # Its very last answer reached the limit, or it ended before a signal was sent.
        (Course(Why.ORDERED), Ended(3), COST, False, Conclusion(3, SessionOutcome.FAILED)),
        (Course(Why.SILENT, sent=1), Ended(130, 2), None, False, Conclusion(73, SessionOutcome.SILENT, ours=True)),
        (Course(Why.DISMISSED, sent=2), Ended(0), None, False, Conclusion(0, SessionOutcome.CANCELLED)),
    ],
)
def test_conclusion(course: Course, ended: Ended, stopped: Stopped | None, refused: bool, expected: Conclusion) -> None:
    """Ours only where we ended it and it stands still; its own code otherwise."""
    assert conclude(course, ended, stopped, refused=refused) == expected
