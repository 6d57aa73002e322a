"""Runaway: tells a session that has lost its way from a long healthy one. Alerts first, and stops it when it does not recover.

Each signal (`tabstop.governor.signs`) has a threshold, a smallest sample and a response from the policy. Whatever the response,
a signal that persists trips: the session halts until a person releases it. An alert is told once a session and signal.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tabstop.governor import backoff, rates, repetition
from tabstop.governor.facts import Fact, Released
from tabstop.governor.limits import Totals
from tabstop.governor.orders import Act, Advice, Event, EventKind, Step
from tabstop.governor.settings import Detector, Response, Settings
from tabstop.governor.signs import READ_FROM, SIGNS, Seen, Sign
from tabstop.quantity import plural
from tabstop.session import SessionOutcome
from tabstop.verdict import Finding, Outcome, Signal

PAUSE = 10.0
"""Seconds a throttled session waits before it goes on."""

STEPS = (Step.CHEAPER_MODEL, Step.NO_SUBAGENTS)
"""How a degraded session goes on."""

_KINDS = {
    Response.ALERT: EventKind.ALERT,
    Response.THROTTLE: EventKind.THROTTLE,
    Response.DEGRADE: EventKind.DEGRADE,
}


@dataclass(frozen=True, slots=True)
class Streak:
    """A signal that shows. times: observations that showed it; at: of the last of them; finding: what it said then."""

    times: int
    at: datetime
    finding: Finding


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched, which signals show now, and which people know of. tripped: what stopped the session."""

    seen: Seen = field(default_factory=Seen)
    streaks: dict[str, Streak] = field(default_factory=dict)
    told: tuple[str, ...] = ()
    tripped: Finding | None = None


def watch(
    part: Watched, fact: Fact, totals: Totals, settings: Settings
) -> tuple[Watched, tuple[Advice, ...], tuple[Event, ...]]:
    """Look at one fact. A release forgets everything but how fast the session usually is."""
    if isinstance(fact, Released):
        return Watched(Seen(part.seen.rates)), (), ()
    if part.tripped is not None:
        return part, (_halt(part.tripped),), ()
    part, now = _taken_in(part, fact, settings), totals.last_at or fact.at
    events: list[Event] = []
    for name in SIGNS if part.streaks else READ_FROM.get(type(fact), ()):
        sign, detector = SIGNS[name], getattr(settings.runaway, name)
        if detector.response is Response.OFF:
            continue
        part = _observed(part, name, sign, detector, fact, now)
        streak = part.streaks.get(name)
        if streak is None:
            continue
        if detector.response is Response.TRIP or 0 < detector.persists < streak.times:
            return _trip(part, name, streak, totals, settings, events)
        if name not in part.told:
            part = replace(part, told=(*part.told, name))
            events.append(Event(fact.at, _KINDS[detector.response], streak.finding))
    return part, _advice(part, settings), tuple(events)


def _taken_in(part: Watched, fact: Fact, settings: Settings) -> Watched:
    old = part.seen
    fast = rates.take(old.rates, fact, settings.runaway.tool_rate.sample)
    again = repetition.take(old.repetition, fact, settings.runaway.likeness.sample)
    waiting = backoff.take(old.waiting, fact)
    if fast is old.rates and again is old.repetition and waiting is old.waiting:
        return part
    return Watched(Seen(fast, again, waiting), part.streaks, part.told)


def _observed(part: Watched, name: str, sign: Sign, detector: Detector, fact: Fact, now: datetime) -> Watched:
    streak = part.streaks.get(name)
    value = sign.read(part.seen, fact, detector)
    if value is not None and value >= detector.threshold:
        return _shown(part, name, sign, detector, fact, now, value)
    if (
        streak is not None
        and sign.holds(part.seen, detector.threshold if value is None else value) < detector.threshold
    ):
        return replace(part, streaks={one: it for one, it in part.streaks.items() if one != name})
    return part


def _shown(part: Watched, name: str, sign: Sign, detector: Detector, fact: Fact, now: datetime, value: int) -> Watched:
    streak = part.streaks.get(name)
    if streak is not None:
        too_soon = now - streak.at < timedelta(seconds=sign.every)
        if too_soon or (sign.grows and value <= streak.finding.spent):
            return part
    finding = Finding(
        Signal.RUNAWAY,
        Outcome.WARN,
        name,
        sign.say(part.seen, fact, value, detector),
        unit=sign.unit,
        cap=detector.threshold,
        spent=value,
    )
    times = 1 if streak is None else streak.times + 1
    return replace(part, streaks=part.streaks | {name: Streak(times, now, finding)})


def _trip(
    part: Watched, name: str, streak: Streak, totals: Totals, settings: Settings, events: list[Event]
) -> tuple[Watched, tuple[Advice, ...], tuple[Event, ...]]:
    stays = f" It was seen {streak.times} times in a row." if streak.times > 1 else ""
    after = f" after {plural(totals.iterations, 'iteration')}" if totals.iterations else ""
    finding = replace(
        streak.finding,
        outcome=Outcome.STOP,
        sentence=f"{streak.finding.sentence}{stays} The session was stopped{after}.",
        remedy=(
            f"Look at what it did last. To let it go on, run `tabstop release {settings.session}` and resume the agent. If "
            f"this is how it should work, raise `runaway.{name}` in the policy."
        ),
    )
    events.append(Event(streak.at, EventKind.TRIP, finding))
    return replace(part, tripped=finding, streaks={}), (_halt(finding),), tuple(events)


def _halt(finding: Finding) -> Advice:
    return Advice(Act.HALT, finding, ends_as=SessionOutcome.STOPPED_BREAKER)


def _advice(part: Watched, settings: Settings) -> tuple[Advice, ...]:
    return tuple(_respond(getattr(settings.runaway, name).response, one.finding) for name, one in part.streaks.items())


def _respond(response: Response, finding: Finding) -> Advice:
    if response is Response.THROTTLE:
        return Advice(Act.THROTTLE, finding, seconds=PAUSE)
    if response is Response.DEGRADE:
        return Advice(Act.DEGRADE, finding, steps=STEPS)
    return Advice(Act.PROCEED, finding)
