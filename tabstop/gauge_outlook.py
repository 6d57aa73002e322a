"""Outlook: what people read about how full a vendor's window is, and when it will be. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from tabstop.gauge import FIVE_HOURS, FULL, WEEKLY, GaugeReading
from tabstop.gauge_rate import Outlook
from tabstop.policy.problem import quoted

_VENDORS = {"anthropic": "Anthropic", "openai": "OpenAI", "google": "Google"}
_WINDOWS = {FIVE_HOURS: "5-hour window", WEEKLY: "weekly window"}


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
        rate = "its average" if seen.average else "this"
        clauses.append(
            "it should be full by now" if seen.full_at <= now else f"at {rate} rate full at {at(seen.full_at, now)}"
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
