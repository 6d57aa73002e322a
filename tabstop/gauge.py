"""Gauges: readings of the vendors' own windows (5 hours, a week), and which reading of a window counts. Never a budget."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

FULL = 10_000
"""Ten-thousandths of a window: all of it."""

MOST_USED = 10 * FULL
"""Vendors let a window be passed a little; a reading above this is a mistake."""

FIVE_HOURS, WEEKLY = "5h", "weekly"
"""The windows every plan has; any other keeps the vendor's own name."""

LONGEST_WINDOW = timedelta(days=60)
"""No vendor has a longer one; a reset farther away is a mistake."""

_LENGTHS = {FIVE_HOURS: 5 * 60, WEEKLY: 7 * 24 * 60}
_ROUNDING = 3
"""Minutes by which a vendor's length may be off: Codex's own client allows as many before it names a window."""

_CLOCKS = timedelta(hours=1)
"""By which a machine's clock may be behind its vendor's; a reset farther off than the window and this is a mistake."""

_NEVER = datetime.min.replace(tzinfo=UTC)

Gauge = tuple[str, str, str]
"""Vendor, account, window."""

_VENDORS = {"claude-code": "anthropic", "codex": "openai", "gemini-cli": "google"}
_MODELS = {
    "claude": "anthropic",
    **dict.fromkeys(("gpt", "chatgpt", "codex", "o1", "o3", "o4"), "openai"),
    "gemini": "google",
}
"""By the first word of a model's name."""

_OWN_DOORS = frozenset({"", "anthropic", "openai", "google", "models"})
"""Providers whose models a plan can pay for; what goes through a cloud or a router is billed there."""


def believable(resets_at: datetime, now: datetime) -> datetime | None:
    """The reset itself; None for a time at which no window of now can begin anew."""
    return resets_at if abs(resets_at - now) <= LONGEST_WINDOW else None


def vendor_of(agent: str, model: str = "") -> str:
    """Whose windows a call draws on; by its model where the agent works with any vendor. Empty for no vendor's, or nobody knows."""
    provider, _, name = model.lower().rpartition("/")
    return _VENDORS.get(agent) or (_MODELS.get(name.partition("-")[0], "") if provider in _OWN_DOORS else "")


class GaugeSource(StrEnum):
    """How a reading came to be known."""

    HEADER = "header"
    """The headers of an answer, which the proxy saw."""
    STATUS_LINE = "status line"
    """What an agent gives the command that writes its status line."""
    EVENT = "event"
    """A rate-limit event in an agent's log or stream."""
    ESTIMATED = "estimated"
    """Worked out from usage, where the vendor tells nothing."""


@dataclass(frozen=True, slots=True)
class GaugeReading:
    """How full one window was at a moment.

    vendor: `anthropic`, `openai`. account: the vendor's id of who pays, as it gives it; never a key; empty where nothing tells.
    window: see `window_named`. used: ten-thousandths of the window, more than `FULL` where the vendor let it be passed.
    minutes: the window's length, 0 where nothing tells. resets_at: None as well where what is told is farther off than the window is
    long. plan: the vendor's name of the plan or limit.
    status: the vendor's own word, such as `allowed_warning`.
    """

    vendor: str
    account: str
    window: str
    used: int
    observed_at: datetime
    source: GaugeSource
    resets_at: datetime | None = None
    minutes: int = 0
    plan: str = ""
    status: str = ""

    def __post_init__(self) -> None:
        if self.resets_at is None or not self.minutes:
            return
        if self.resets_at - self.observed_at > timedelta(minutes=self.minutes) + _CLOCKS:
            object.__setattr__(self, "resets_at", None)

    @property
    def gauge(self) -> Gauge:
        """What was read."""
        return self.vendor, self.account, self.window

    @property
    def scope(self) -> str:
        """The model or product that alone the window bounds (`opus` of `7d_opus`), in the vendor's words; empty where it bounds all."""
        return self.window.partition("_")[2]

    @property
    def began_at(self) -> datetime | None:
        """When the window began; None where its end or its length is not told."""
        return self.resets_at - timedelta(minutes=self.minutes) if self.resets_at and self.minutes else None

    @property
    def good_until(self) -> datetime:
        """When the window begins anew, or has surely done so."""
        if self.resets_at is not None:
            return self.resets_at
        return self.observed_at + (timedelta(minutes=self.minutes) if self.minutes else LONGEST_WINDOW)

    def used_at(self, now: datetime) -> int | None:
        """The share that counts now; None once the window has begun anew: nobody has read the new one."""
        return None if self.good_until <= now else self.used


def window_named(own: str, minutes: int = 0) -> str:
    """`5h` and `weekly` by their length; for any other the vendor's own name."""
    return next((name for name, length in _LENGTHS.items() if abs(minutes - length) <= _ROUNDING), own)


def percent_of(used: int) -> str:
    """`42.7 %`, rounded down, so that what is not full is not shown as full."""
    return f"{used // 100}.{used // 10 % 10} %"


def newest(readings: Iterable[GaugeReading]) -> dict[Gauge, GaugeReading]:
    """The reading that counts of each gauge: the newest. Whatever order they come in, and however often."""
    found: dict[Gauge, GaugeReading] = {}
    for reading in readings:
        before = found.get(reading.gauge)
        if before is None or _rank(reading) > _rank(before):
            found[reading.gauge] = reading
    return found


def _rank(reading: GaugeReading) -> tuple[datetime, bool, int, datetime, str, int, str, str]:
    """By time; of two at one time what was reported, then the fuller, then anything that always decides alike."""
    reported = reading.source is not GaugeSource.ESTIMATED
    resets = reading.resets_at or _NEVER
    plan, status = reading.plan, reading.status
    return reading.observed_at, reported, reading.used, resets, reading.source, reading.minutes, plan, status
