"""Windows: a running session hears that its vendor's window (5 hours, a week) runs full. People are told; the policy may suspend it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tabstop.gauge import FULL, GaugeReading, newest
from tabstop.gauge_account import with_accounts
from tabstop.gauge_outlook import said
from tabstop.gauge_rate import RECENT_PART, Outlook, nearly_full, outlook, same_window
from tabstop.governor.facts import Fact, GaugesRead, Released
from tabstop.governor.orders import Act, Advice, Event, EventKind
from tabstop.governor.settings import InSession, Settings
from tabstop.session import SessionOutcome
from tabstop.verdict import Finding, Outcome, Signal

SOON = timedelta(minutes=30)
"""A window that will be full by then at the present rate is worth saying, whatever its share."""

MOST = 50
"""Gauges remembered; whoever reads them tells no more than a few."""


@dataclass(frozen=True, slots=True)
class Gauged:
    """readings: of each gauge the newest. earlier: of each two at most from before, while its window lasts: they give the rate.

    told: those people know of. released: those a person let the session go on with. Both until their window begins anew.
    """

    readings: tuple[GaugeReading, ...] = ()
    earlier: tuple[GaugeReading, ...] = ()
    told: tuple[GaugeReading, ...] = ()
    released: tuple[GaugeReading, ...] = ()


def look(part: Gauged, fact: Fact, settings: Settings) -> tuple[Gauged, tuple[Advice, ...], tuple[Event, ...]]:
    """Take in readings, say once of each window that it runs full, and suspend where the policy says so."""
    if isinstance(fact, GaugesRead):
        part = _with(part, fact.readings)
    if not part.readings:
        return part, (), ()
    seen = [outlook(one, fact.at, part.earlier) for one in with_accounts(part.readings)]
    full = [one for one in seen if nearly_full(one, settings.windows.threshold)]
    if isinstance(fact, Released):
        part = replace(part, released=tuple(one.reading for one in full))
    news = [one for one in seen if (one in full or _soon(one, fact.at)) and not _among(one, part.told)]
    if news:
        part = replace(part, told=(*part.told, *(one.reading for one in news))[-MOST:])
    events = tuple(Event(fact.at, EventKind.ALERT, _finding(one, fact.at, settings)) for one in news)
    if settings.windows.in_session is not InSession.SUSPEND:
        return part, (), events
    # Which model is called next nobody knows: a window of one model refuses its calls by itself, and hinders no other.
    stops = [one for one in full if not one.reading.scope and not _among(one, part.released)]
    return part, tuple(_suspended(one, fact.at, settings) for one in stops), events


def _with(part: Gauged, read: tuple[GaugeReading, ...]) -> Gauged:
    readings = tuple(newest((*part.readings, *read)).values())[:MOST]
    earlier = tuple(old for one in readings for old in _earlier(part.earlier, one))
    return replace(part, readings=readings, earlier=earlier)


def _earlier(known: tuple[GaugeReading, ...], reading: GaugeReading) -> tuple[GaugeReading, ...]:
    """Two at most, so that one is about a tenth of the window old: once the younger one is, it takes the older one's place."""
    theirs = tuple(old for old in known if same_window(old, reading))
    recent = timedelta(minutes=reading.minutes) / RECENT_PART
    if theirs and reading.observed_at - theirs[-1].observed_at < recent:
        return theirs
    return (*theirs[-1:], reading)


def _among(seen: Outlook, known: tuple[GaugeReading, ...]) -> bool:
    return any(same_window(one, seen.reading) for one in known)


def _soon(seen: Outlook, now: datetime) -> bool:
    return seen.full_at is not None and seen.full_at <= now + SOON


def _finding(seen: Outlook, now: datetime, settings: Settings) -> Finding:
    """Its numbers are ten-thousandths of the window."""
    remedy = ""
    suspends = settings.windows.in_session is InSession.SUSPEND and not seen.reading.scope
    if suspends and nearly_full(seen, settings.windows.threshold):
        remedy = "It goes on when the window begins anew; `tabstop release` lets it go on now."
    return Finding(
        Signal.GAUGE,
        Outcome.WARN,
        seen.reading.window,
        said(seen, now),
        cap=settings.windows.threshold * FULL // 100,
        spent=seen.used or 0,
        until=seen.resets_at,
        remedy=remedy,
    )


def _suspended(seen: Outlook, now: datetime, settings: Settings) -> Advice:
    finding = replace(_finding(seen, now, settings), outcome=Outcome.STOP)
    return Advice(Act.SUSPEND, finding, ends_as=SessionOutcome.SUSPENDED)
