"""The server's word: what of its verdict may stop a running session, and what is only advice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tabstop.governor.exhaustion import raises
from tabstop.governor.facts import Fact, Raised, Released, ServerSaid
from tabstop.governor.limits import ENDS_AS
from tabstop.governor.orders import Act, Advice, Event, EventKind
from tabstop.governor.settings import Settings
from tabstop.quantity import span
from tabstop.session import SessionOutcome
from tabstop.verdict import Finding, Outcome, Signal

STOPS = frozenset({Signal.LIMIT, Signal.BREAKER, Signal.PAUSE})
"""What may end a session that runs. A budget of a tab, an engineer or a repository never does: it refuses the next start."""

_ORDERS = {"wind down": Act.WIND_DOWN, "suspend": Act.SUSPEND, "halt": Act.HALT}

_UNSAID = Finding(Signal.BUDGET, Outcome.WARN, "server", "The server asks this session to come to its end.")
_FINISH = "Finish what is begun; begin nothing new."

MISSED = 3
"""Reports without an answer after which people are told."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the server last said. act: what it asks for now. at: when it was last heard; None before. missing: it was told."""

    at: datetime | None = None
    act: Act = Act.PROCEED
    finding: Finding | None = None
    missing: bool = False


def listen(part: Heard, fact: Fact, settings: Settings) -> tuple[Heard, tuple[Advice, ...], tuple[Event, ...]]:
    """Take in what it says, and notice when it says nothing any more. What it says holds until it says something else."""
    events: tuple[Event, ...] = ()
    if isinstance(fact, ServerSaid):
        part = _heard(fact)
    elif _is_lifted(part, fact):
        part = replace(part, act=Act.PROCEED, finding=None)  # until it speaks again
    elif part.at is not None and not part.missing and fact.at - part.at > _patience(settings):
        part = replace(part, missing=True)
        events = (Event(fact.at, EventKind.ALERT, _silent(settings)),)
    return part, _advice(part), events


def _heard(fact: ServerSaid) -> Heard:
    acts = [_ORDERS[order] for order in fact.orders if order in _ORDERS]
    act = max(acts, key=lambda one: one.rank, default=Act.PROCEED)
    reasons = [one for one in fact.verdict.findings if one.outcome is Outcome.STOP and one.signal in STOPS]
    if act.ends_turn and not reasons:
        # Its word without a reason that may stop a session is advice: finish what is begun.
        act = Act.WIND_DOWN
    if act is Act.WIND_DOWN:
        return Heard(fact.at, act, _wish(fact))
    return Heard(fact.at, act, reasons[0] if act.ends_turn else None)


def _wish(fact: ServerSaid) -> Finding:
    """Why it is to wind down, as advice: no word of it stops anything."""
    told = [one for one in fact.verdict.findings if one.outcome is not Outcome.ALLOW]
    found = next((one for one in told if one.sentence), None) or next(iter(told), _UNSAID)
    return replace(found, outcome=Outcome.WARN, sentence=f"{found.sentence or _UNSAID.sentence} {_FINISH}")


def _is_lifted(part: Heard, fact: Fact) -> bool:
    """A raise lifts a stop by a limit, a release any other, as it does here."""
    if not part.act.ends_turn or part.finding is None:
        return False
    if part.finding.signal is Signal.LIMIT:
        return isinstance(fact, Raised) and raises(fact)
    return isinstance(fact, Released)


def _advice(part: Heard) -> tuple[Advice, ...]:
    if part.act is Act.PROCEED:
        return ()
    ends_as = None
    if part.act.ends_turn:
        ends_as = SessionOutcome.SUSPENDED if part.act is Act.SUSPEND else _ended_by(part.finding)
    return (Advice(part.act, part.finding, ends_as=ends_as),)


def _ended_by(finding: Finding | None) -> SessionOutcome:
    if finding is not None and finding.signal is Signal.LIMIT:
        return ENDS_AS.get(finding.scope, SessionOutcome.STOPPED_COST)
    if finding is not None and finding.signal is Signal.BREAKER:
        return SessionOutcome.STOPPED_BREAKER
    return SessionOutcome.CANCELLED


def _patience(settings: Settings) -> timedelta:
    return timedelta(seconds=MISSED * settings.heartbeats.interval)


def _silent(settings: Settings) -> Finding:
    sentence = (
        f"The server has not been heard for {span(_patience(settings).seconds)}. The session goes on within its own limits; "
        "what it uses is kept and told later."
    )
    return Finding(Signal.SILENCE, Outcome.WARN, "server", sentence)
