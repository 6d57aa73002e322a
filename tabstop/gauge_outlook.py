"""Outlook: how fast a vendor's window fills, when it will be full at this rate, and what people read about it. Pure.

A reading alone gives a rate where its window's length and its reset are told: what was used, over the time since the window began.
An earlier reading of the same window gives a better one: what was used between the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tabstop.gauge import FIVE_HOURS, FULL, WEEKLY, GaugeReading, GaugeSource
from tabstop.policy.problem import quoted

SHORTEST_PART = 20
"""Of a window, one twentieth: what is known of less says nothing about the rest (15 minutes of 5 hours, 8 hours of a week)."""

_SAME = timedelta(minutes=5)
"""By how much two resets of one window may differ: vendors round them, and some tell only how long it is until then."""

_VENDORS = {"anthropic": "Anthropic", "openai": "OpenAI", "google": "Google"}
_WINDOWS = {FIVE_HOURS: "5-hour window", WEEKLY: "weekly window"}


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a reading lets one expect.

    used: ten-thousandths of the window now; None where it has begun anew since, and nobody has read it.
    an_hour: ten-thousandths used in an hour at this rate; None where too little is known of it.
    full_at: when it is full if it is used at this rate from now on; the time of the reading where it is full already; None where it lasts until it begins anew,
    or nobody can tell.
    """

    reading: GaugeReading
    used: int | None
    an_hour: int | None = None
    full_at: datetime | None = None

    @property
    def resets_at(self) -> datetime | None:
        """When the window begins anew, as the vendor says; None where it does not."""
        return self.reading.resets_at

    @property
    def estimated(self) -> bool:
        """Whether no vendor told this."""
        return self.reading.source is GaugeSource.ESTIMATED


def outlook(reading: GaugeReading, now: datetime, earlier: Iterable[GaugeReading] = ()) -> Outlook:
    """What the newest reading of a gauge lets one expect. earlier: older readings of the same gauge, in any order."""
    used = reading.used_at(now)
    if used is None:
        return Outlook(reading, None)
    rate = _rate(reading, earlier)
    an_hour = None if rate is None else rate[0] * 3600 // rate[1]
    if used >= FULL:
        return Outlook(reading, used, an_hour, reading.observed_at)
    return Outlook(reading, used, an_hour, _full_at(reading, rate, now) if rate is not None else None)


def nearly_full(seen: Outlook, threshold: int) -> bool:
    """Whether its share has reached so many percent."""
    return seen.used is not None and seen.used * 100 >= threshold * FULL


def _rate(reading: GaugeReading, earlier: Iterable[GaugeReading]) -> tuple[int, int] | None:
    """So many ten-thousandths in so many seconds; None where too little of the window is known."""
    shortest = reading.minutes * 60 // SHORTEST_PART
    if not shortest:
        return None
    began = [(one.used, one.observed_at) for one in earlier if same_window(one, reading)]
    if reading.resets_at is not None:
        began.append((0, reading.resets_at - timedelta(minutes=reading.minutes)))
    spans = [
        (reading.used - used, seconds)
        for used, at in began
        if (seconds := int((reading.observed_at - at).total_seconds())) >= shortest and used <= reading.used
    ]
    return min(spans, key=lambda span: span[1]) if spans else None


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


def _full_at(reading: GaugeReading, rate: tuple[int, int], now: datetime) -> datetime | None:
    """From now on: whoever uses the window tells of it, so since the last reading most likely nothing was used."""
    share, seconds = rate
    if share <= 0:
        return None
    at = max(now, reading.observed_at) + timedelta(seconds=(FULL - reading.used) * seconds // share)
    return at if at < reading.good_until else None


def said(seen: Outlook, now: datetime) -> str:
    """For the engineer: `Anthropic's 5-hour window is 82 % used; at this rate full at 14:20 UTC, resets at 15:00 UTC.`"""
    name = window_name(seen.reading)
    if seen.used is None:
        return f"{name} has begun anew since it was last read."
    share = f"{'about ' if seen.estimated else ''}{seen.used // 100} % used"
    clauses = []
    if seen.used >= FULL:
        share = "full" if seen.used == FULL else f"full ({seen.used // 100} % used)"
    elif seen.full_at is not None:
        clauses.append(
            "it should be full by now" if seen.full_at <= now else f"at this rate full at {at(seen.full_at, now)}"
        )
    if seen.resets_at is not None:
        clauses.append(f"resets at {at(seen.resets_at, now)}")
    guess = " Estimated from usage: the vendor has told nothing." if seen.estimated else ""
    return f"{name} is {share}{'; ' if clauses else ''}{', '.join(clauses)}.{guess}"


def window_name(reading: GaugeReading) -> str:
    """`Anthropic's 5-hour window`; the vendor's own name where it is neither."""
    vendor = _VENDORS.get(reading.vendor, reading.vendor)
    return f"{vendor}'s {window_in_words(reading.window)}"


def window_in_words(window: str) -> str:
    """`5-hour window`, `weekly window`, else its own name in backquotes."""
    return _WINDOWS.get(window) or f"window {quoted(window)}"


def at(moment: datetime, now: datetime) -> str:
    """A time near by: `14:20 UTC`; with its day where it is not today: `24 November 14:20 UTC`."""
    utc, today = moment.astimezone(UTC), now.astimezone(UTC).date()
    return f"{utc:%H:%M} UTC" if utc.date() == today else f"{utc.day} {utc:%B %H:%M} UTC"
