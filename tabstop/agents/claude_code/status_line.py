"""Status line: what Claude Code tells its status line command of a plan's windows. Pure.

Only people on a plan get `rate_limits`, after the session's first answer, from client 2.1.80 on:
`{"rate_limits": {"five_hour": {"used_percentage": 23.5, "resets_at": 1738425600}, "seven_day": {…}}}`; `resets_at` is seconds since
1970. The status line does not say which account it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from tabstop.agents.plan_windows import moment, share
from tabstop.gauge import GaugeReading, GaugeSource, window_named

_WINDOWS = {"five_hour": ("5h", 5 * 60), "seven_day": ("7d", 7 * 24 * 60)}
"""By the client's name: ours where it has no common length, and its minutes. `seven_day_opus` is a window of one model."""

_MOST_WINDOWS = 10


def readings_of_status_line(payload: Mapping[str, Any], now: datetime, account: str = "") -> tuple[GaugeReading, ...]:
    """The gauges in the JSON that a status line command reads; none where it tells none that can be read."""
    limits = payload.get("rate_limits")
    return tuple(_readings(limits, now, account)) if isinstance(limits, Mapping) else ()


def _readings(limits: Mapping[str, Any], now: datetime, account: str) -> Iterator[GaugeReading]:
    for name, said in list(limits.items())[:_MOST_WINDOWS]:
        own, minutes = _window(str(name))
        if not own or not isinstance(said, Mapping):
            continue
        used = share(said.get("used_percentage"))
        if used is not None:
            resets = moment(said.get("resets_at"), now)
            window = window_named(own, minutes)
            yield GaugeReading("anthropic", account, window, used, now, GaugeSource.STATUS_LINE, resets, minutes)


def _window(name: str) -> tuple[str, int]:
    if name in _WINDOWS:
        return _WINDOWS[name]
    head, _, model = name.rpartition("_")
    if head == "seven_day" and model.isascii() and model.isalnum() and len(model) <= 30:
        return f"7d_{model}", 0
    return "", 0
