"""Gauges: the vendors' own windows (5 hours, a week), as their answers' headers tell how full they are. Never a budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

_ANTHROPIC = {"5h": 5 * 60, "7d": 7 * 24 * 60}
"""`anthropic-ratelimit-unified-WINDOW-utilization`, a share of one, and `-reset`, seconds since 1970."""

_CODEX = ("primary", "secondary")
"""`x-codex-WINDOW-used-percent`, `-window-minutes`, and `-reset-at` or `-reset-after-seconds`."""

_LATEST_RESET = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Gauge:
    """One window. used: thousandths of it. status: the vendor's own word, such as `allowed_warning`."""

    provider: str
    minutes: int
    used: int
    at: datetime
    resets_at: datetime | None = None
    status: str = ""


def gauges_of(provider: str, headers: Mapping[str, str], now: datetime) -> tuple[Gauge, ...]:
    """What an answer's headers tell; none where they tell nothing that can be read."""
    found = []
    for window, minutes in _ANTHROPIC.items():
        name = f"anthropic-ratelimit-unified-{window}"
        used = _thousandths(headers.get(f"{name}-utilization"), 1_000)
        if used is not None:
            status = headers.get(f"{name}-status", headers.get("anthropic-ratelimit-unified-status", ""))[:40]
            found.append(Gauge(provider, minutes, used, now, _moment(headers.get(f"{name}-reset"), now), status))
    for window in _CODEX:
        name = f"x-codex-{window}"
        used = _thousandths(headers.get(f"{name}-used-percent"), 10)
        length = _whole(headers.get(f"{name}-window-minutes"))
        if used is not None and length:
            resets = _moment(headers.get(f"{name}-reset-at"), now)
            after = _whole(headers.get(f"{name}-reset-after-seconds"))
            if resets is None and after is not None and after <= _LATEST_RESET.total_seconds():
                resets = now + timedelta(seconds=after)
            found.append(Gauge(provider, length, used, now, resets))
    return tuple(found)


def _thousandths(value: str | None, factor: int) -> int | None:
    try:
        share = Decimal(value or "")
    except InvalidOperation:
        return None
    return int(share * factor) if share.is_finite() and 0 <= share <= 1_000 else None


def _whole(value: str | None) -> int | None:
    return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 12 else None


def _moment(value: str | None, now: datetime) -> datetime | None:
    seconds = _whole(value)
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment if abs(moment - now) <= _LATEST_RESET else None
