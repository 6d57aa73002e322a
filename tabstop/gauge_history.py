"""Gauge history: which earlier readings of a vendor's window are kept, so that its rate is one of the recent past. Pure.

Close together where they are new, ever farther apart where they are old: whatever span is asked for later, one of about that length is
there, and a window as long as a week needs thirty.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import zip_longest

from tabstop.gauge import Gauge, GaugeReading, newest
from tabstop.gauge_rate import same_window

FINEST = timedelta(minutes=1)
"""Readings closer together than this are not kept apart."""

MOST_EARLIER = 40
"""Of one window, for certain. Of three kept in a row the oldest is more than twice as old as the youngest, so a week has 30 at most."""


def thinned(latest: GaugeReading, earlier: Iterable[GaugeReading]) -> tuple[GaugeReading, ...]:
    """Of the earlier readings those worth keeping, newest first: of the latest one's window only, the first of it among them."""
    older = sorted(
        {one.observed_at: one for one in earlier if _before(one, latest)}.values(),
        key=lambda one: one.observed_at,
        reverse=True,
    )
    kept: list[GaugeReading] = []
    age = timedelta()
    for one, next_older in zip_longest(older, older[1:]):
        if next_older is not None and latest.observed_at - next_older.observed_at <= max(2 * age, FINEST):
            continue
        kept.append(one)
        age = latest.observed_at - one.observed_at
    return tuple(kept[:MOST_EARLIER])


def with_history(readings: Iterable[GaugeReading]) -> dict[Gauge, tuple[GaugeReading, ...]]:
    """Of each gauge the newest reading, and behind it those earlier ones that are worth keeping."""
    told = tuple(readings)
    found = {}
    for gauge, latest in newest(told).items():
        found[gauge] = (latest, *thinned(latest, [one for one in told if one.gauge == gauge]))
    return found


def _before(one: GaugeReading, latest: GaugeReading) -> bool:
    return one.observed_at < latest.observed_at and same_window(one, latest)
