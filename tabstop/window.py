"""Budget windows: half-open UTC intervals named by an organization's timezone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""The start of the one window of a budget without windows."""

LATE_LIMIT = timedelta(days=35)
"""How far back unadmitted usage may be charged: beyond it, to the oldest instant still accepted."""


class WindowKind(StrEnum):
    """How often a budget starts afresh."""

    LIFETIME = "lifetime"
    """Never: a tab's budget ends with its generation."""
    DAY = "day"
    WEEK = "week"
    """Monday to Monday."""
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Window:
    """`start` included, `end` excluded, both UTC; `end` is None for a lifetime. `name` is what people read."""

    kind: WindowKind
    start: datetime
    end: datetime | None
    name: str

    def holds(self, instant: datetime) -> bool:
        """Whether the instant lies in this window."""
        return self.start <= instant and (self.end is None or instant < self.end)


def window_at(kind: WindowKind, timezone: str, instant: datetime) -> Window:
    """The window of this kind that holds `instant` (timezone-aware). `timezone` is an IANA name.

    Local midnights are converted one by one, so a day with a clock change is 23 or 25 hours long and no instant is
    in two windows or in none.
    """
    if kind is WindowKind.LIFETIME:
        return Window(kind, BEGINNING, None, "in all")
    zone = ZoneInfo(timezone)
    today = instant.astimezone(zone).date()
    match kind:
        case WindowKind.DAY:
            first, after, name = today, today + timedelta(days=1), today.isoformat()
        case WindowKind.WEEK:
            first = today - timedelta(days=today.weekday())
            after, name = first + timedelta(days=7), f"week of {first.isoformat()}"
        case WindowKind.MONTH:
            first = today.replace(day=1)
            after, name = (first + timedelta(days=32)).replace(day=1), f"{first:%B %Y}"
    return Window(kind, _midnight(first, zone), _midnight(after, zone), name)


def chargeable_at(occurred_at: datetime, received_at: datetime) -> datetime:
    """When unadmitted usage counts: its own time, never in the future, never more than 35 days before it arrived."""
    return min(max(occurred_at, received_at - LATE_LIMIT), received_at)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
