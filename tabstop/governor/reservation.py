"""Reservation: the most a model call may use, set aside before it is sent, so that no limit is passed however many run at once.

A call is let through only while what was used, what is set aside for calls under way and its own worst case fit the limits. So
as long as no call uses more than its worst case, the limits hold exactly, in any order of beginnings and ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tabstop.governor.limits import Totals, kept_back, limits_in_force
from tabstop.governor.settings import Settings
from tabstop.money import Nano
from tabstop.usage import Tokens

Cost = Callable[[Tokens], Nano | None]
"""What so many tokens of one model cost at most; None where nobody knows a price. May not fall when a count grows."""

HELD = ("cost", "tokens", "iterations")
"""The limits a call is measured against before it is sent."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a call may use at most. prompt: tokens. write: the dearest kind of token its prompt may become, as `Tokens` names it.

    output: tokens of the longest answer allowed. least: the shortest one that makes sense; it is lowered no further.
    """

    prompt: int
    output: int
    least: int
    cost: Cost
    write: str = "input"

    def worst(self, output: int | None = None) -> Held:
        """Its worst case, with an answer of at most so many tokens."""
        most = self.output if output is None else output
        kinds = {"input", self.write}
        costs = [self.cost(Tokens(output=most, **{kind: self.prompt})) for kind in kinds]
        return Held(max((cost for cost in costs if cost is not None), default=None), self.prompt + most, 1)


@dataclass(frozen=True, slots=True)
class Held:
    """What is set aside, for one call or several. cost: nano-dollars; None where a price is not known."""

    cost: Nano | None = 0
    tokens: int = 0
    iterations: int = 0

    def __add__(self, other: Held) -> Held:
        """Both together. What has no price adds nothing to the cost: other limits bind it."""
        return Held(
            (self.cost or 0) + (other.cost or 0), self.tokens + other.tokens, self.iterations + other.iterations
        )

    def __sub__(self, other: Held) -> Held:
        """Without what was set aside for one of them."""
        return Held(
            (self.cost or 0) - (other.cost or 0), self.tokens - other.tokens, self.iterations - other.iterations
        )


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of each limit; None where nothing limits it."""

    cost: Nano | None = None
    tokens: int | None = None
    iterations: int | None = None

    def lacks(self, held: Held) -> str:
        """The first limit that has no room for it; empty when all have."""
        for name in HELD:
            left: int | None = getattr(self, name)
            if left is not None and (getattr(held, name) or 0) > left:
                return name
        return ""


@dataclass(frozen=True, slots=True)
class Granted:
    """The call may go, with an answer of at most so many tokens, and this is set aside for it."""

    output: int
    held: Held


@dataclass(frozen=True, slots=True)
class Wait:
    """It may fit when calls under way have ended and used less than is set aside for them."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It does not fit, not even shortened. limit: which one has no room; needed: the least the call may take of it."""

    limit: str
    needed: int


def room(totals: Totals, settings: Settings, held: Held, *, last: bool = False, priced: bool = True) -> Room:
    """What is left beside what is set aside. last: the call is the last answer itself, for which something was kept.

    priced: whether the call has a price; where it has none, the limits that bind such a session bind it already.
    """
    if not priced and not totals.unpriced:
        totals = replace(totals, unpriced=1)
    limits, _ = limits_in_force(totals, settings)

    def left(name: str) -> int | None:
        limit: int | None = getattr(limits, name)
        kept = 0 if last else kept_back(name, totals, settings)
        return None if limit is None else limit - getattr(totals, name) - (getattr(held, name) or 0) - kept

    return Room(*(left(name) for name in HELD))


def decide(demand: Demand, left: Room, after: Room) -> Granted | Wait | Refused:
    """Whether a call may go now. left: beside the calls under way; after: once they have ended and used nothing.

    Calls under way are waited for before an answer is shortened: what they leave may make that needless. A call that would
    not even fit when they used nothing does not wait for them.
    """
    whole = demand.worst()
    if not left.lacks(whole):
        return Granted(demand.output, whole)
    least = min(demand.least, demand.output)
    shortest = demand.worst(least)
    if lacking := after.lacks(shortest):
        return Refused(lacking, getattr(shortest, lacking) or 0)
    if left != after:
        return Wait()
    output = longest_answer(demand, left, least)
    return Granted(output, demand.worst(output))


def longest_answer(demand: Demand, left: Room, least: int) -> int:
    """The most tokens of answer that still fit; `least` is known to."""
    fits, too_long = least, demand.output
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if left.lacks(demand.worst(middle)):
            too_long = middle
        else:
            fits = middle
    return fits
