"""Cost rate: what the answers of the last minute cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tabstop.governor.facts import Answer
from tabstop.money import Nano

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Second:
    """What the answers of one second cost. answers: how many; one that only turned out larger is not counted again."""

    at: datetime
    cost: Nano
    answers: int


def spent(seconds: tuple[Second, ...], fact: Answer, now: datetime) -> tuple[Second, ...]:
    """With this answer, without what is older than a minute. Whole seconds bound how much there is to remember."""
    this = now.replace(microsecond=0)
    oldest = this - MINUTE
    kept = seconds if seconds and seconds[0].at > oldest else tuple(one for one in seconds if one.at > oldest)
    if not fact.cost:
        return kept
    one = 0 if fact.more else 1
    if kept and kept[-1].at == this:
        last = kept[-1]
        return (*kept[:-1], replace(last, cost=last.cost + fact.cost, answers=last.answers + one))
    return (*kept, Second(this, fact.cost, one))


def in_a_minute(seconds: tuple[Second, ...]) -> tuple[Nano, int]:
    """Nano-dollars and answers of the minute up to the last answer."""
    return sum(second.cost for second in seconds), sum(second.answers for second in seconds)
