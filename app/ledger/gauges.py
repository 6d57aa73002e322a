"""Gauges on the server: of each vendor window of an engineer the newest reading that a session told of is kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from app.ledger.books import Books, SessionRow
from tabstop.gauge import LONGEST_WINDOW, GaugeReading, newest

MOST_GAUGES = 50
"""Of one engineer, and in one batch: a few windows of a few accounts. More are dropped."""

AHEAD = timedelta(minutes=10)
"""By how much a machine's clock may be ahead of ours."""


def take_gauges(books: Books, session: SessionRow, told: Iterable[GaugeReading], now: datetime) -> None:
    """Keep what is newer than what is known, for the session's engineer; without one there is nobody to keep it for.

    A reading's time is a claim. One from the future would stand against every later one, so it is left out; moved to now it
    would seem newer each time it is told. One older than any window says nothing any more.
    """
    believable = [reading for reading in told if now - LONGEST_WINDOW < reading.observed_at <= now + AHEAD]
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
