"""Plan windows: how the agents' clients write shares and times of their vendors' windows. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from tabstop.gauge import FULL, LONGEST_WINDOW, MOST_USED


def share(percent: object) -> int | None:
    """A number of percent as ten-thousandths of the window, rounded down; None for what no window can be."""
    if isinstance(percent, bool) or not isinstance(percent, int | float):
        return None
    try:
        used = Decimal(str(percent)) * (FULL // 100)
    except (InvalidOperation, ValueError):  # an integer of more digits than Python prints
        return None
    return int(used) if used.is_finite() and 0 <= used <= MOST_USED else None


def moment(seconds: object, now: datetime) -> datetime | None:
    """Seconds since 1970; None for a time no window of now can begin anew at."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e11:
        return None
    found = datetime.fromtimestamp(int(seconds), UTC)
    return found if abs(found - now) <= LONGEST_WINDOW else None


def moment_after(seconds: object, now: datetime) -> datetime | None:
    """So many seconds from now, likewise."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return now + timedelta(seconds=int(seconds)) if 0 <= seconds <= LONGEST_WINDOW.total_seconds() else None
