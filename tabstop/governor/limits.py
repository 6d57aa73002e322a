"""Limits: what a session has used of its tokens, tool calls, iterations, wall clock and cost, and which limits bind it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime

from tabstop.governor.facts import (
    Answer,
    Fact,
    Paused,
    Raised,
    Resumed,
    ServerSaid,
    ToolFinished,
    ToolStarted,
    Unreadable,
)
from tabstop.governor.settings import OnLimit, Settings
from tabstop.money import Nano, show_exact
from tabstop.policy.model import SessionLimits
from tabstop.quantity import exact_span
from tabstop.quantity import tokens as show_tokens
from tabstop.session import Limits, SessionOutcome

UNITS = {
    "cost": "usd",
    "tokens": "tokens",
    "iterations": "iterations",
    "tool_calls": "calls",
    "wall_clock_seconds": "seconds",
}
"""The limits, in the order in which they are named where several are reached by one fact."""

NAMES = {
    "cost": "cost",
    "tokens": "token",
    "iterations": "iteration",
    "tool_calls": "tool-call",
    "wall_clock_seconds": "wall-clock",
}
"""What people call them."""

_FLAGS = {"wall_clock_seconds": "wall-clock", "tool_calls": "tool-calls"}
"""Of `tabstop overdrive`, where they are not the limit's own name."""

ENDS_AS = {
    "cost": SessionOutcome.STOPPED_COST,
    "tokens": SessionOutcome.STOPPED_TOKENS,
    "iterations": SessionOutcome.STOPPED_ITERATIONS,
    "tool_calls": SessionOutcome.STOPPED_TOOL_CALLS,
    "wall_clock_seconds": SessionOutcome.STOPPED_WALL_CLOCK,
}
"""How a session ends that each of them halts."""

DEFAULTS = Limits(*(getattr(SessionLimits(), one.name) for one in fields(SessionLimits)))
"""What binds a session that nothing else binds: no loop starts without an exit condition."""

UNREADABLE = "What this session uses cannot be read"

_NOTHING = Limits()
_WITHOUT_SIGHT = ("tool_calls", "iterations", "wall_clock_seconds")
"""The limits that can still bind a session whose usage nobody can read."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a session has used since it was admitted, over all its runs.

    unpriced: answers without a known price; their cost is not in `cost` unless it was assumed. running_since: None while
    its process does not run; paused: because it ended, or was told to wait. ran_milliseconds: of the runs before this one.
    reserve, reserve_tokens, next_call, next_call_tokens: as in `Answer`, of the main thread's last one. raised: by overdrives
    here. granted: the limits as the server last told them. unread: answers whose usage could not be read, each `unpriced` too; blind: see `Unreadable`.
    refused: tool calls that were refused because a limit is near: none ran, and who goes on asking comes to the limit all the same.
    """

    tokens: int = 0
    tool_calls: int = 0
    iterations: int = 0
    cost: Nano = 0
    unpriced: int = 0
    assumed: int = 0
    running_since: datetime | None = None
    paused: bool = False
    ran_milliseconds: int = 0
    last_at: datetime | None = None
    reserve: Nano = 0
    reserve_tokens: int = 0
    next_call: Nano = 0
    next_call_tokens: int = 0
    last_prompt: int = 0
    raised: Limits = _NOTHING
    granted: Limits | None = None
    unread: int = 0
    blind: bool = False
    refused: int = 0

    @property
    def in_part(self) -> bool:
        """Whether there is usage that nobody could read: what was counted is then the least it used."""
        return self.blind or self.unread > 0

    @property
    def unseen(self) -> bool:
        """Whether nothing at all of what it used could be read: its cost and its tokens are not zero, but not known."""
        return self.in_part and self.iterations == self.unread

    @property
    def wall_clock_seconds(self) -> int:
        """Seconds its process ran, rounded down."""
        return self.wall_clock_milliseconds // 1000

    @property
    def wall_clock_milliseconds(self) -> int:
        """The same in milliseconds, up to the last fact."""
        return self.ran_milliseconds + _milliseconds(self.running_since, self.last_at)


def count(totals: Totals, fact: Fact) -> Totals:
    """The totals with this fact. Time never runs backward: a fact that is told late counts, its time does not.

    A tool call that is about to start is counted by `one_more_call` once it is let through.
    """
    at = fact.at if totals.last_at is None else max(fact.at, totals.last_at)
    match fact:
        case Answer():
            return _answer(totals, fact, at)
        case ToolStarted():
            if totals.paused:
                totals = replace(totals, paused=False)
            return _moved(totals, at, _running(totals, at))
        case ToolFinished():
            return _moved(totals, at, _running(totals, at), calls=int(fact.unseen))
        case Resumed():
            # A run that was killed said no `Paused`: it ran until it was last heard of.
            ran = totals.wall_clock_milliseconds
            return replace(totals, ran_milliseconds=ran, running_since=at, paused=False, last_at=at)
        case Paused():
            ran = totals.ran_milliseconds + _milliseconds(totals.running_since, at)
            return replace(totals, ran_milliseconds=ran, running_since=None, paused=True, last_at=at)
        case Unreadable():
            return replace(totals, blind=True, last_at=at)
        case Raised():
            return replace(totals, refused=0, raised=_sum(totals.raised, fact.by_how_much))
        case ServerSaid() if fact.limits is not None:
            refused = totals.refused if fact.limits == totals.granted else 0
            return replace(totals, refused=refused, granted=fact.limits, last_at=at)
    return totals if at == totals.last_at else _moved(totals, at, totals.running_since)


def one_more_call(totals: Totals) -> Totals:
    """The totals with a tool call that may start: one that is refused uses nothing up."""
    assert totals.last_at is not None  # noqa: S101 - the fact that told of it was counted
    return _moved(totals, totals.last_at, totals.running_since, calls=1)


def _moved(totals: Totals, at: datetime, running_since: datetime | None, calls: int = 0) -> Totals:
    """Later, by so many calls. Spelled out as in `_answer`: for so many fields `replace` takes four times as long."""
    return Totals(
        tokens=totals.tokens,
        tool_calls=totals.tool_calls + calls,
        iterations=totals.iterations,
        cost=totals.cost,
        unpriced=totals.unpriced,
        assumed=totals.assumed,
        running_since=running_since,
        paused=totals.paused,
        ran_milliseconds=totals.ran_milliseconds,
        last_at=at,
        reserve=totals.reserve,
        reserve_tokens=totals.reserve_tokens,
        next_call=totals.next_call,
        next_call_tokens=totals.next_call_tokens,
        last_prompt=totals.last_prompt,
        raised=totals.raised,
        refused=totals.refused,
        granted=totals.granted,
        unread=totals.unread,
        blind=totals.blind,
    )


def _answer(totals: Totals, fact: Answer, at: datetime) -> Totals:
    """One more, or more of one. Counts that were corrected downward take nothing back."""
    first, main = not fact.more, not (fact.more or fact.thread)
    return Totals(
        tokens=totals.tokens + max(0, fact.tokens.total),
        tool_calls=totals.tool_calls,
        iterations=totals.iterations + first,
        cost=totals.cost + max(0, fact.cost or 0),
        unpriced=totals.unpriced + (first and fact.cost is None),
        assumed=totals.assumed + (first and fact.assumed),
        running_since=_running(totals, at),
        paused=totals.paused,
        ran_milliseconds=totals.ran_milliseconds,
        last_at=at,
        reserve=fact.reserve if main else totals.reserve,
        reserve_tokens=fact.reserve_tokens if main else totals.reserve_tokens,
        next_call=fact.next_call if main else totals.next_call,
        next_call_tokens=fact.next_call_tokens if main else totals.next_call_tokens,
        last_prompt=max(0, fact.tokens.prompt) if main else totals.last_prompt,
        raised=totals.raised,
        refused=totals.refused,
        granted=totals.granted,
        unread=totals.unread + (first and fact.unread),
        blind=totals.blind and fact.unread,
    )


def _running(totals: Totals, at: datetime) -> datetime | None:
    """Since when it runs. What is told after its process ended does not start the clock again."""
    return at if totals.running_since is None and not totals.paused else totals.running_since


def limits_in_force(totals: Totals, settings: Settings) -> tuple[Limits, str]:
    """The limits that bind now, overdrives included, and a sentence when the defaults had to step in.

    With no limit at all the defaults apply. A cost limit alone cannot bind what has no price: then the default of tokens does.
    No limit of cost or tokens binds what cannot be read: then those of tool calls, iterations and time do.
    """
    given = totals.granted or settings.limits
    said = ""
    if given.tokens is None and given == _NOTHING:
        given, said = DEFAULTS, "No limit was left to this session, so the default limits apply."
    elif totals.unpriced and given.cost is not None and given.tokens is None:
        given = replace(given, tokens=DEFAULTS.tokens)
        said = "A model of this session has no known price, so the default token limit applies beside its cost limit."
    if totals.in_part:
        given, said = _without_sight(given)
    if totals.raised is _NOTHING or totals.raised == _NOTHING:
        return given, said
    return _sum(given, totals.raised, only_where_bound=True), said


def _without_sight(given: Limits) -> tuple[Limits, str]:
    lacking = {name: getattr(DEFAULTS, name) for name in _WITHOUT_SIGHT if getattr(given, name) is None}
    # A session that is bounded by its clock or its tools alone does not rely on what cannot be read.
    if not lacking or (given.cost is None and given.tokens is None and given.iterations is None):
        return given, f"{UNREADABLE}; only its tool-call, iteration and time limits bind it."
    return replace(given, **lacking), f"{UNREADABLE}; default tool-call, iteration and time limits apply."


def fullest(totals: Totals, settings: Settings) -> int:
    """Percent gone of the limit that stops this session first."""
    return nearest(totals, settings)[1]


def nearest(totals: Totals, settings: Settings, *, ahead: bool = False) -> tuple[str, int]:
    """The limit that stops this session first as things are, and how much of it is gone, in percent rounded down.

    What is kept back for a last answer counts as gone, and so does a tool call that was refused near a limit. ahead: so does what the next request takes at least.
    """
    limits, _ = limits_in_force(totals, settings)
    best = ("", 0)
    for name in UNITS:
        limit: int | None = getattr(limits, name)
        if limit is None:
            continue
        gone: int = getattr(totals, name)
        if settings.can_summarize:
            gone += kept_back(name, totals, settings)
        if ahead:
            gone += needed_next(name, totals)
        if name == "tool_calls":
            gone += totals.refused
        share = gone * 100 // limit if limit > 0 else 100
        if share > best[1] or not best[0]:
            best = (name, share)
    return best


def kept_back(name: str, totals: Totals, settings: Settings) -> int:
    """How much of this limit is kept for one last answer; 0 where none is made."""
    if not settings.can_summarize or answer_at(name, settings) is not OnLimit.SUMMARY:
        return 0
    return {"cost": totals.reserve, "tokens": totals.reserve_tokens, "iterations": 1}.get(name, 0)


def needed_next(name: str, totals: Totals) -> int:
    """How much of this limit the next request takes at least; 0 where none is held back."""
    return {"cost": totals.next_call, "tokens": totals.next_call_tokens}.get(name, 0)


def answer_at(name: str, settings: Settings) -> OnLimit:
    """What the policy does at this limit, and what that becomes where nobody can be asked."""
    chosen = settings.exhaustion.on_tokens if name == "tokens" else settings.exhaustion.on_limit
    return OnLimit.SUMMARY if chosen is OnLimit.ASK and settings.ci else chosen


def shown(name: str, amount: int) -> str:
    """An amount of a limit as people read it."""
    if name == "cost":
        return show_exact(amount)
    if name == "tokens":
        return f"{show_tokens(amount)} tokens"
    if name == "wall_clock_seconds":
        return exact_span(amount)
    return f"{amount:,}"


def shown_of(name: str, amount: int, limit: int) -> str:
    """An amount beside its limit: `51.2k of 50k tokens`, `$4.80 of $5.00`."""
    first = show_tokens(amount) if name == "tokens" else shown(name, amount)
    return f"{first} of {shown(name, limit)}"


def option(name: str, more: int) -> str:
    """So much more of a limit, as `tabstop overdrive` takes it: `--tool-calls 20`, `--wall-clock 60s`. Dollars need no name there."""
    return f"--{_FLAGS.get(name, name)} {more}{'s' if name == 'wall_clock_seconds' else ''}"


def _sum(one: Limits, other: Limits, *, only_where_bound: bool = False) -> Limits:
    def add(a: int | None, b: int | None) -> int | None:
        if a is None:
            return None if only_where_bound else b
        return a + max(0, b or 0)

    return Limits(*(add(getattr(one, f.name), getattr(other, f.name)) for f in fields(Limits)))


def _milliseconds(since: datetime | None, until: datetime | None) -> int:
    if since is None or until is None:
        return 0
    passed = until - since
    return max(0, passed.days * 86_400_000 + passed.seconds * 1000 + passed.microseconds // 1000)
