"""Limits: what a session has used of its tokens, tool calls, iterations, wall clock and cost, and which limit is reached first."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
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
    Unaffordable,
)
from tabstop.governor.settings import OnLimit, Settings, Unpriced
from tabstop.money import Nano, show_exact
from tabstop.policy.model import SessionLimits
from tabstop.quantity import span
from tabstop.quantity import tokens as show_tokens
from tabstop.session import Limits
from tabstop.verdict import Finding, Outcome, Signal

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

DEFAULTS = Limits(*(getattr(SessionLimits(), one.name) for one in fields(SessionLimits)))
"""What binds a session that nothing else binds: no loop starts without an exit condition."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a session has used since it was admitted, over all its runs.

    unpriced: answers without a known price; their cost is not in `cost` unless it was assumed. running_since: None while
    its process does not run. ran_milliseconds: of the runs before this one. reserve, reserve_tokens: as in `Answer`.
    raised: by overdrives here. granted: the limits as the server last told them.
    """

    tokens: int = 0
    tool_calls: int = 0
    iterations: int = 0
    cost: Nano = 0
    unpriced: int = 0
    assumed: int = 0
    running_since: datetime | None = None
    ran_milliseconds: int = 0
    last_at: datetime | None = None
    reserve: Nano = 0
    reserve_tokens: int = 0
    last_prompt: int = 0
    raised: Limits = field(default_factory=Limits)
    granted: Limits | None = None

    @property
    def wall_clock_seconds(self) -> int:
        """Seconds its process ran, rounded down."""
        return self.wall_clock_milliseconds // 1000

    @property
    def wall_clock_milliseconds(self) -> int:
        """The same in milliseconds, up to the last fact."""
        return self.ran_milliseconds + _milliseconds(self.running_since, self.last_at)


def count(totals: Totals, fact: Fact) -> Totals:
    """The totals with this fact. Time never runs backward: a fact that is told late counts, its time does not."""
    at = fact.at if totals.last_at is None else max(fact.at, totals.last_at)
    match fact:
        case Resumed():
            # A run that was killed said no `Paused`: it ran until it was last heard of.
            ran = totals.wall_clock_milliseconds
            return replace(totals, ran_milliseconds=ran, running_since=at, last_at=at)
        case Paused():
            ran = totals.ran_milliseconds + _milliseconds(totals.running_since, at)
            return replace(totals, ran_milliseconds=ran, running_since=None, last_at=at)
        case Raised():
            return replace(totals, raised=_sum(totals.raised, fact.by_how_much))
        case ServerSaid() if fact.limits is not None:
            totals = replace(totals, granted=fact.limits)
    since = totals.running_since
    if since is None and isinstance(fact, Answer | ToolStarted | ToolFinished):
        since = at
    if isinstance(fact, Answer):
        totals = _answer(totals, fact)
    elif isinstance(fact, ToolStarted) or (isinstance(fact, ToolFinished) and fact.unseen):
        totals = replace(totals, tool_calls=totals.tool_calls + 1)
    return replace(totals, running_since=since, last_at=at)


def _answer(totals: Totals, fact: Answer) -> Totals:
    return replace(
        totals,
        tokens=totals.tokens + fact.tokens.total,
        iterations=totals.iterations + (0 if fact.more else 1),
        cost=totals.cost + (fact.cost or 0),
        unpriced=totals.unpriced + (fact.cost is None and not fact.more),
        assumed=totals.assumed + (fact.assumed and not fact.more),
        reserve=fact.reserve,
        reserve_tokens=fact.reserve_tokens,
        last_prompt=max(fact.tokens.prompt, 0) if not fact.thread and not fact.more else totals.last_prompt,
    )


def limits_in_force(totals: Totals, settings: Settings) -> tuple[Limits, str]:
    """The limits that bind now, overdrives included, and a sentence when the defaults had to step in.

    With no limit at all the defaults apply. A cost limit alone cannot bind what has no price: then the default of tokens does.
    """
    given = totals.granted or settings.limits
    said = ""
    if all(getattr(given, name) is None for name in UNITS):
        given, said = DEFAULTS, "No limit was left to this session, so the default limits apply."
    elif totals.unpriced and given.cost is not None and given.tokens is None:
        given = replace(given, tokens=DEFAULTS.tokens)
        said = "A model of this session has no known price, so the default token limit applies beside its cost limit."
    return _sum(given, totals.raised, only_where_bound=True), said


def shares(totals: Totals, limits: Limits) -> dict[str, int]:
    """Thousandths used of each limit that binds; 1000 and more is reached."""
    return {
        name: getattr(totals, name) * 1000 // limit if limit > 0 else 1000
        for name in UNITS
        if (limit := getattr(limits, name)) is not None
    }


def fullest(totals: Totals, settings: Settings) -> int:
    """Percent used of the limit that is used most, rounded down."""
    used = shares(totals, limits_in_force(totals, settings)[0])
    return max(used.values(), default=0) // 10


def nearest(totals: Totals, settings: Settings) -> tuple[str, int]:
    """The limit that stops this session first as things are, and how much of it is gone, in percent rounded down.

    What is kept back for a last answer counts as gone, as it does in `reached`.
    """
    limits, _ = limits_in_force(totals, settings)
    best = ("", 0)
    for name in UNITS:
        limit: int | None = getattr(limits, name)
        if limit is not None:
            gone: int = getattr(totals, name) + kept_back(name, totals, settings)
            share = gone * 100 // limit if limit > 0 else 100
            if not best[0] or share > best[1]:
                best = (name, share)
    return best


def reached(before: Totals, totals: Totals, fact: Fact, settings: Settings) -> Finding | None:
    """The limit that stops the session now, or none.

    A tool call that is about to start is measured before it counts: a limit of 500 lets 500 run. Where a last answer is to
    be possible, a limit counts as reached as soon as only that answer still fits.
    """
    limits, _ = limits_in_force(totals, settings)
    if settings.unpriced is Unpriced.BLOCK and totals.unpriced and limits.cost is not None:
        return _unpriced(totals, limits)
    if isinstance(fact, Unaffordable) and getattr(limits, fact.limit, None) is not None:
        return _unaffordable(fact, totals, limits)
    best: tuple[int, str] | None = None
    for name in UNITS:
        limit: int | None = getattr(limits, name)
        if limit is None:
            continue
        used: int = getattr(before if name == "tool_calls" and isinstance(fact, ToolStarted) else totals, name)
        if used + kept_back(name, totals, settings) >= limit:
            share = used * 1000 // limit if limit else 1000
            if best is None or share > best[0]:
                best = (share, name)
    return _finding(best[1], totals, limits) if best else None


def kept_back(name: str, totals: Totals, settings: Settings) -> int:
    """How much of this limit is kept for one last answer; 0 where none is made."""
    if not settings.can_summarize or OnLimit.SUMMARY not in answers_at(name, settings):
        return 0
    return {"cost": totals.reserve, "tokens": totals.reserve_tokens, "iterations": 1}.get(name, 0)


def answers_at(name: str, settings: Settings) -> tuple[OnLimit, ...]:
    """What the policy does at this limit, and what that becomes where nobody can be asked."""
    chosen = settings.exhaustion.on_tokens if name == "tokens" else settings.exhaustion.on_limit
    return (OnLimit.SUMMARY,) if chosen is OnLimit.ASK and settings.ci else (chosen,)


def _finding(name: str, totals: Totals, limits: Limits) -> Finding:
    used, cap = getattr(totals, name), getattr(limits, name)
    sentence = f"The session reached its {NAMES[name]} limit: {shown(name, used)} of {shown(name, cap)} used."
    return Finding(Signal.LIMIT, Outcome.STOP, name, sentence, unit=UNITS[name], cap=cap, spent=used)


def _unaffordable(fact: Unaffordable, totals: Totals, limits: Limits) -> Finding:
    used, cap = getattr(totals, fact.limit), getattr(limits, fact.limit)
    left, needed = shown(fact.limit, max(0, cap - used)), shown(fact.limit, fact.needed)
    sentence = (
        f"The next model call may use {needed}, and {left} of the session's {NAMES[fact.limit]} limit of "
        f"{shown(fact.limit, cap)} are left."
    )
    return Finding(Signal.LIMIT, Outcome.STOP, fact.limit, sentence, unit=UNITS[fact.limit], cap=cap, spent=used)


def _unpriced(totals: Totals, limits: Limits) -> Finding:
    sentence = (
        "A model of this session has no known price, and the policy stops what cannot be priced (unknown_price: block)."
    )
    return Finding(Signal.PRICE, Outcome.STOP, "cost", sentence, unit="usd", cap=limits.cost, spent=totals.cost)


def shown(name: str, amount: int) -> str:
    """An amount of a limit as people read it."""
    if name == "cost":
        return show_exact(amount)
    if name == "tokens":
        return f"{show_tokens(amount)} tokens"
    if name == "wall_clock_seconds":
        return span(amount)
    return f"{amount:,}"


def _sum(one: Limits, other: Limits, *, only_where_bound: bool = False) -> Limits:
    def add(a: int | None, b: int | None) -> int | None:
        if a is None:
            return None if only_where_bound else b
        return a + (b or 0)

    return Limits(*(add(getattr(one, f.name), getattr(other, f.name)) for f in fields(Limits)))


def _milliseconds(since: datetime | None, until: datetime | None) -> int:
    if since is None or until is None:
        return 0
    passed = until - since
    return max(0, passed.days * 86_400_000 + passed.seconds * 1000 + passed.microseconds // 1000)
