"""Rate limits: what Claude Code's stream tells of a plan's windows (`rate_limit_event`). Pure.

Its `rate_limit_info`, by the schema in Claude Code 2.1.330: `{"status": "allowed_warning", "rateLimitType": "five_hour", "utilization":
0.82, "resetsAt": 1763483205, "unifiedWindows": {"five_hour": {"utilization": 0.82, "resetsAt": …, "status": …}, "seven_day": {…}}}`. The
first four are of the window that limits now; older clients tell no others. Utilization is a share of one. It names no account and no time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tabstop.agents.claude_code.rows import mapping
from tabstop.agents.claude_code.window_names import windows_named
from tabstop.gauge import FULL, MOST_USED, GaugeReading, GaugeSource, believable

_STATUS = {"allowed", "allowed_warning", "rejected"}


def readings_of_rate_limits(info: object, at: datetime) -> dict[str, GaugeReading]:
    """The gauges in one `rate_limit_info`, by window. at: when it was told, as far as is known."""
    told = mapping(info)
    now_limiting = told.get("rateLimitType")
    named: dict[str, Mapping[str, Any]] = {now_limiting: told} if isinstance(now_limiting, str) else {}
    named |= {name: mapping(one) for name, one in mapping(told.get("unifiedWindows")).items()}
    return {reading.window: reading for reading in _readings(named, at)}


def _readings(named: Mapping[str, Mapping[str, Any]], at: datetime) -> Iterator[GaugeReading]:
    for name, window, minutes in windows_named(named):
        one = named[name]
        used = _share(one.get("utilization"))
        if used is not None:
            status = one.get("status")
            yield GaugeReading(
                vendor="anthropic",
                account="",
                window=window,
                used=used,
                observed_at=at,
                source=GaugeSource.EVENT,
                resets_at=_reset(one.get("resetsAt"), at),
                minutes=minutes,
                status=status if isinstance(status, str) and status in _STATUS else "",
            )


def _share(value: object) -> int | None:
    """A share of one in ten-thousandths, rounded down; None for what no window can be."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_USED / FULL:
        return None
    return int(Decimal(str(value)) * FULL)


def _reset(seconds: object, at: datetime) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e11:
        return None
    return believable(datetime.fromtimestamp(int(seconds), UTC), at)
