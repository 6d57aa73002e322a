"""Gauges on the server: of each vendor window of an engineer the newest reading that a session told of is kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from app.ledger.books import Books, SessionRow
from tabstop.gauge import LONGEST_WINDOW, GaugeReading, GaugeSource, newest, vendor_of
from tabstop.gauge_estimate import WEEK_MINUTES, as_readings, estimate
from tabstop.governor.settings import PlanAllowance, Windows
from tabstop.usage import Billing
from tabstop.window_share import moved_by

MOST_GAUGES = 50
"""Of one engineer, and in one batch: a few windows of a few accounts. More are dropped."""

MOST_SHARES = 20
"""Windows whose movement is kept of one session. More are dropped."""

ESTIMATED_EVERY = timedelta(minutes=5)
"""An estimate is made anew no sooner: it reads a week of an engineer's usage."""

AHEAD = timedelta(minutes=10)
"""By how much a machine's clock may be ahead of ours."""


def take_gauges(books: Books, session: SessionRow, told: Iterable[GaugeReading], now: datetime) -> None:
    """Keep what is newer than what is known, for the session's engineer; without one there is nobody to keep it for.

    A reading's time is a claim. One from the future would stand against every later one, so it is left out; moved to now it
    would seem newer each time it is told. One older than any window says nothing any more.
    """
    believable = [reading for reading in told if now - LONGEST_WINDOW < reading.observed_at <= now + AHEAD]
    _move(books, session, believable)
    if session.engineer_id is None or not believable:
        return
    known = {reading.gauge: reading for reading in books.gauges_of(session.engineer_id)}
    room = MOST_GAUGES - len(known)
    for gauge, reading in newest((*known.values(), *believable)).items():
        if reading == known.get(gauge):
            continue
        if gauge not in known:
            if room <= 0:
                continue
            room -= 1
        books.keep_gauge(session.engineer_id, reading)


def estimate_gauges(books: Books, session: SessionRow, windows: Windows, now: datetime) -> None:
    """Where the vendor has told nothing of a plan's windows, estimate them from usage: only with an allowance in the policy.

    One reading of the vendor's own is enough: who knows how full one window is knows more than a guess does.
    """
    vendor = vendor_of(session.agent, session.model)
    allowed = {"anthropic": windows.anthropic, "openai": windows.openai}.get(vendor)
    if session.engineer_id is None or session.billing is not Billing.SUBSCRIPTION or allowed in {None, PlanAllowance()}:
        return
    assert allowed is not None  # noqa: S101 - as the line above says
    theirs = [one for one in books.gauges_of(session.engineer_id) if one.vendor == vendor]
    live = [one for one in theirs if one.used_at(now) is not None]
    if any(one.source is not GaugeSource.ESTIMATED or one.observed_at > now - ESTIMATED_EVERY for one in live):
        return
    calls = books.plan_usage(session.engineer_id, session.agent, now - timedelta(minutes=WEEK_MINUTES))
    for reading in as_readings(estimate(calls, allowed, now), vendor, now):
        books.keep_gauge(session.engineer_id, reading)


def _move(books: Books, session: SessionRow, readings: Iterable[GaugeReading]) -> None:
    """How far each window has moved while this session ran: its share of it, at most. Estimates are no readings of that."""
    told = sorted(
        (one for one in readings if one.source is not GaugeSource.ESTIMATED and one.observed_at >= session.admitted_at),
        key=lambda one: one.observed_at,
    )
    if not told:
        return
    known = {share.last.gauge: share for _, share in books.window_shares([session.id])}
    moved = dict(known)
    for reading in told:
        if reading.gauge in moved or len(moved) < MOST_SHARES:
            moved[reading.gauge] = moved_by(moved.get(reading.gauge), reading)
    books.keep_window_shares(session.id, [share for gauge, share in moved.items() if share != known.get(gauge)])
