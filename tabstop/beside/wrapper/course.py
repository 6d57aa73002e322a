"""What the wrapper does next with the agent it runs: a pure decision from what it sees. The edge sends the signals.

runs -> held (a question, a throttle) -> runs
runs or held -> interrupted -> terminated -> killed
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from tabstop.governor.orders import Act, Order

HOOKS_SECONDS = 3
"""For hooks to end the agent's turn before signals do: it then ends between two calls, and nothing is cut off."""

LATE_ANSWERS = 2
"""Model answers after a stop from which on an agent that may stay open is ended: its hooks do not hold it."""


class Do(StrEnum):
    """What the edge is to do now."""

    INTERRUPT = "interrupt"
    """SIGINT to everything of the agent's process group."""
    TERMINATE = "terminate"
    """SIGTERM, likewise."""
    KILL = "kill"
    """SIGKILL to the group and to all that descends from it."""
    HOLD = "hold"
    """SIGSTOP: it waits."""
    GO_ON = "go on"
    """SIGCONT."""
    ASK = "ask"
    """Ask whoever sits at the terminal."""


_SIGNALS = (Do.INTERRUPT, Do.TERMINATE, Do.KILL)


@dataclass(frozen=True, slots=True)
class Manner:
    """How this agent is handled.

    grace: seconds between two signals. stays: it is interactive, and stays open while its hooks refuse everything.
    proxy: its model calls go through ours, which obeys every order, the last answer included.
    silence: seconds without a sign of life after which it is ended; None for never.
    """

    grace: int = 10
    stays: bool = False
    proxy: bool = False
    silence: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to see. hooks: its hooks ask us, and so obey orders. ends_turns: those can end its turn too. answers: model
    answers so far.

    quiet: seconds since its last sign of life; None where none could be seen. dismissed: we were told to end.
    release: whoever sits at the terminal may release what is suspended, and has not said no.
    """

    now: datetime
    order: Order
    hooks: bool = False
    ends_turns: bool = True
    answers: int = 0
    quiet: int | None = None
    dismissed: bool = False
    release: bool = False


class Why(StrEnum):
    """Why the agent is being ended."""

    ORDERED = "ordered"
    SILENT = "silent"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True)
class Course:
    """Where the wrapper stands. ending: why, since when, and at how many answers; sent: signals so far, the last one when.

    asking: somebody is asked; releasing: it is about a release.
    """

    ending: Why | None = None
    since: datetime | None = None
    answers: int = 0
    sent: int = 0
    sent_at: datetime | None = None
    held_until: datetime | None = None
    asking: bool = False
    releasing: bool = False

    @property
    def held(self) -> bool:
        """Whether the agent waits."""
        return self.asking or self.held_until is not None


def steer(course: Course, seen: Seen, manner: Manner) -> tuple[Course, tuple[Do, ...]]:
    """The next step, for an agent that still runs."""
    why = _why(course, seen, manner)
    if course.ending is not None and why is None and not course.sent:
        course = Course(
            held_until=course.held_until, asking=course.asking, releasing=course.releasing
        )  # lifted before anything was sent
    if why is Why.DISMISSED and course.ending is not why:
        # The signal that ends us was handed on already; what is stopped takes it once it goes on.
        does = (Do.GO_ON,) if course.held else ()
        return Course(why, seen.now, seen.answers, max(2, course.sent), seen.now), does
    if course.releasing and not seen.release:
        # Whatever was said: what it does next, it does as if it had not waited. After a no its hooks end the turn.
        return replace(course, asking=False, releasing=False), (Do.GO_ON,)
    if why is not None and course.ending is None:
        course = replace(course, ending=why, since=seen.now, answers=seen.answers)
    if course.ending is not None:
        return _end(course, seen, manner)
    return _hold(course, seen, manner)


def _why(course: Course, seen: Seen, manner: Manner) -> Why | None:
    if seen.dismissed:
        return Why.DISMISSED
    if course.sent:
        return course.ending  # what was begun is brought to its end
    due = seen.order.act is Act.WIND_DOWN and seen.order.summary_tokens and not manner.proxy
    if seen.release and not manner.proxy:
        return None
    if seen.order.act in {Act.SUSPEND, Act.HALT} or due:
        return Why.ORDERED
    if manner.silence is not None and seen.quiet is not None and seen.quiet >= manner.silence and not course.held:
        return Why.SILENT
    return None


def _end(course: Course, seen: Seen, manner: Manner) -> tuple[Course, tuple[Do, ...]]:
    if not course.sent and _ends_by_itself(course, seen, manner):
        return course, ()
    if course.sent == len(_SIGNALS):
        return course, ()
    if course.sent_at is not None and seen.now - course.sent_at < timedelta(seconds=manner.grace):
        return course, ()
    # What is stopped takes a signal only once it goes on.
    do = (_SIGNALS[course.sent], *((Do.GO_ON,) if course.held else ()))
    return replace(course, sent=course.sent + 1, sent_at=seen.now, held_until=None, asking=False, releasing=False), do


def _ends_by_itself(course: Course, seen: Seen, manner: Manner) -> bool:
    """Whether its hooks or the proxy end it, or keep it from spending, so that no signal is needed yet."""
    obeyed = seen.hooks or manner.proxy
    if course.ending is not Why.ORDERED or not obeyed or course.held:
        return False
    if manner.stays and seen.order.act is not Act.WIND_DOWN:
        return seen.answers - course.answers < LATE_ANSWERS
    if not seen.ends_turns and not manner.proxy:
        return False
    return course.since is not None and seen.now - course.since < timedelta(seconds=HOOKS_SECONDS)


def _hold(course: Course, seen: Seen, manner: Manner) -> tuple[Course, tuple[Do, ...]]:
    if seen.order.act is Act.ASK or (seen.release and not manner.proxy):
        if course.asking:
            return course, ()
        hold = () if course.held else (Do.HOLD,)
        return replace(course, asking=True, releasing=seen.release, held_until=None), (*hold, Do.ASK)
    if course.asking:
        return replace(course, asking=False), (Do.GO_ON,)
    if course.held_until is not None:
        return (course, ()) if seen.now < course.held_until else (replace(course, held_until=None), (Do.GO_ON,))
    paced = seen.hooks or manner.proxy
    if seen.order.act is Act.THROTTLE and seen.order.seconds > 0 and not paced:
        until = seen.now + timedelta(seconds=seen.order.seconds)
        return replace(course, held_until=until), (Do.HOLD,)
    return course, ()
