"""Orders: what the governor tells a running session, and the advice of its parts from which an order is made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tabstop.session import SessionOutcome
from tabstop.verdict import Finding


class Act(StrEnum):
    """What to do now. Ordered: the strongest advice is the order."""

    PROCEED = "proceed"
    THROTTLE = "throttle"
    """Wait so many seconds, then go on."""
    DEGRADE = "degrade"
    """Go on with less, as the steps say."""
    WIND_DOWN = "wind down"
    """Finish what is begun and end. With `summary_tokens`: one last answer of at most so many tokens, no tool."""
    DENY = "deny"
    """Not this call; the session goes on."""
    ASK = "ask"
    """A person decides whether it may have more; until then it waits."""
    SUSPEND = "suspend"
    """Stop so that it can be resumed with its totals."""
    HALT = "halt"
    """Stop."""

    @property
    def rank(self) -> int:
        """0 proceed … 7 halt."""
        return _RANK[self]

    @property
    def ends_turn(self) -> bool:
        """Whether nothing more may be spent until somebody acts."""
        return _RANK[self] >= _RANK[Act.ASK]


_RANK = {act: rank for rank, act in enumerate(Act)}


class Step(StrEnum):
    """A step of graceful degradation."""

    CHEAPER_MODEL = "cheaper model"
    NO_SUBAGENTS = "no subagents"
    COMPACT = "compact"
    NO_TOOLS = "no tools"
    FINISH_SUBTASK = "finish subtask"


class EventKind(StrEnum):
    """What is worth logging, and telling the server, once."""

    ALERT = "alert"
    THROTTLE = "throttle"
    DEGRADE = "degrade"
    TRIP = "trip"
    """A breaker opened: metric, value and threshold are in its finding (`scope`, `spent`, `cap`)."""
    CLOSE = "close"
    """A breaker closed again."""
    ASK = "ask"
    SUSPEND = "suspend"
    STOP = "stop"
    """The session halts. (A subagent that is stopped alone is an alert with its thread.)"""
    RAISE = "raise"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened now, for the log, the server and, through it, people. by: who, for what people did."""

    at: datetime
    kind: EventKind
    finding: Finding | None = None
    thread: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """What one part of the governor wants, and why.

    thread: None for the whole session; else only this thread must obey. seconds: how long to wait, for `THROTTLE`.
    steps: for `DEGRADE`. ends_as: how the session ends by it, for `SUSPEND` and `HALT`: such advice stays in force until
    what caused it is lifted (a raise, a release).
    """

    act: Act
    finding: Finding | None = None
    thread: str | None = None
    seconds: float = 0.0
    steps: tuple[Step, ...] = ()
    ends_as: SessionOutcome | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What to do now, with everything that speaks for it, strongest first.

    thread: None when it is for the whole session. seconds: how long to wait first, where it then goes on. steps: every step
    of degradation in force. summary_tokens: see `Act.WIND_DOWN`. ends_as: how the session has ended, for `SUSPEND` and `HALT`.
    """

    act: Act = Act.PROCEED
    findings: tuple[Finding, ...] = ()
    thread: str | None = None
    seconds: float = 0.0
    steps: tuple[Step, ...] = ()
    summary_tokens: int = 0
    ends_as: SessionOutcome | None = None

    @property
    def sentence(self) -> str:
        """Why, in the words of the strongest finding; empty to proceed."""
        return next((finding.sentence for finding in self.findings if finding.sentence), "")


PROCEED = Order()


def order_of(advice: list[Advice], thread: str = "") -> Order:
    """Make one order of all advice that concerns this thread: the strongest act, the longest wait, every step."""
    mine = [one for one in advice if one.thread is None or one.thread == thread]
    if not mine:
        return PROCEED
    mine.sort(key=lambda one: -one.act.rank)
    strongest = mine[0]
    goes_on = strongest.act.rank < Act.DENY.rank
    return Order(
        act=strongest.act,
        findings=tuple(one.finding for one in mine if one.finding is not None),
        thread=strongest.thread,
        seconds=max(one.seconds for one in mine) if goes_on else 0.0,
        steps=tuple(step for step in Step if any(step in one.steps for one in mine)),
        ends_as=strongest.ends_as,
    )


def worth_saying(event: Event, order: Order) -> bool:
    """Whether people at the session are told, beside the log. order: what came of the same fact.

    How a session would go on with less is no news where it stops.
    """
    return event.kind is not EventKind.DEGRADE or order.ends_as is None
