"""Gauge rate: how fast a vendor's window fills, and when it will be full at this rate. Pure.

A reading alone gives an average where its window's length and its reset are told: what was used, over the time since the window began.
Earlier readings of the same window give a rate of the recent past: what was used between one of them and the newest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tabstop.gauge import FULL, GaugeReading, GaugeSource

SHORTEST_PART = 20
"""Of a window, one twentieth: what is known of less says nothing about the rest (15 minutes of 5 hours, 8 hours of a week)."""

RECENT_PART = 10
"""Of a window, one tenth: how far back its rate looks, where readings let it (30 minutes of 5 hours, 17 hours of a week)."""

_SAME = timedelta(minutes=5)
"""By how much two resets of one window may differ: vendors round them, and some tell only how long it is until then."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a reading lets one expect.

    used: ten-thousandths of the window now; None where it has begun anew since, and nobody has read it.
    an_hour: ten-thousandths used in an hour at this rate; None where too little is known of it. average: the rate is that since the
    window began, for want of an earlier reading.
    full_at: when it is full if it is used at this rate from now on; the time of the reading where it is full already; None where it
    lasts until it begins anew, or nobody can tell.
    """

    reading: GaugeReading
    used: int | None
    an_hour: int | None = None
    full_at: datetime | None = None
    average: bool = False

    @property
    def resets_at(self) -> datetime | None:
        """When the window begins anew, as the vendor says; None where it does not."""
        return self.reading.resets_at

    @property
    def estimated(self) -> bool:
        """Whether no vendor told this."""
        return self.reading.source is GaugeSource.ESTIMATED


_Span = tuple[int, int, bool]
"""So many ten-thousandths in so many seconds, and whether that is since the window began. A tuple: a status line waits for this module."""


def outlook(reading: GaugeReading, now: datetime, earlier: Iterable[GaugeReading] = ()) -> Outlook:
    """What the newest reading of a gauge lets one expect. earlier: any readings, in any order; those of its own window count."""
    used = reading.used_at(now)
    if used is None:
        return Outlook(reading, None)
    rate = _rate(reading, earlier)
    if rate is None:
        return Outlook(reading, used, full_at=reading.observed_at if used >= FULL else None)
    share, seconds, average = rate
    full_at = reading.observed_at if used >= FULL else _full_at(reading, rate, now)
    return Outlook(reading, used, share * 3600 // seconds, full_at, average)


def nearly_full(seen: Outlook, threshold: int) -> bool:
    """Whether its share has reached so many percent."""
    return seen.used is not None and seen.used * 100 >= threshold * FULL


def _rate(reading: GaugeReading, earlier: Iterable[GaugeReading]) -> _Span | None:
    """Of what is known that over about the recent part of the window; None where too little of it is known.

    Estimates and reports differ by more than what is used meanwhile: none is taken from the other.
    """
    length = reading.minutes * 60
    if not length:
        return None
    guess = reading.source is GaugeSource.ESTIMATED
    began = [
        (one.used, one.observed_at, False)
        for one in earlier
        if same_window(one, reading) and (one.source is GaugeSource.ESTIMATED) == guess
    ]
    if reading.began_at is not None:
        began.append((0, reading.began_at, True))
    spans = [
        (reading.used - used, seconds, average)
        for used, at, average in began
        if (seconds := int((reading.observed_at - at).total_seconds())) >= length // SHORTEST_PART
        and used <= reading.used
    ]
    return min(spans, key=lambda span: abs(span[1] - length // RECENT_PART)) if spans else None


def same_window(one: GaugeReading, other: GaugeReading) -> bool:
    """Whether both read the same gauge before it began anew. Without a reset: within the window's length of each other.

    Where one of them names no account, only the same reset tells.
    """
    if (one.vendor, one.window) != (other.vendor, other.window):
        return False
    if one.resets_at is not None and other.resets_at is not None:
        return resets_alike(one, other) and (one.account == other.account or not (one.account and other.account))
    near = abs(one.observed_at - other.observed_at) < timedelta(minutes=max(one.minutes, other.minutes))
    return near and one.account == other.account


def resets_alike(one: GaugeReading, other: GaugeReading) -> bool:
    """Whether both tell of one reset, so far as vendors are exact about it."""
    return one.resets_at is not None and other.resets_at is not None and abs(one.resets_at - other.resets_at) <= _SAME


def _full_at(reading: GaugeReading, rate: _Span, now: datetime) -> datetime | None:
    """From now on: whoever uses the window tells of it, so since the last reading most likely nothing was used."""
    share, seconds, _ = rate
    if share <= 0:
        return None
    at = max(now, reading.observed_at) + timedelta(seconds=(FULL - reading.used) * seconds // share)
    return at if at < reading.good_until else None
