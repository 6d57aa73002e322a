"""Rate limits: what Codex writes of a ChatGPT plan's windows beside its token counts. Pure.

A rollout's `token_count` event has `rate_limits`: `{"primary": {"used_percent": 7.0, "window_minutes": 300, "resets_at": 1763483205},
"secondary": {…}, "limit_id": "codex", "limit_name": null, "plan_type": "plus", …}`. Both windows are null where the session runs on an
API key. Older clients told `resets_in_seconds`, counted from the event, instead of `resets_at`. `limit_id` is another
than `codex` for the separate windows of single models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from tabstop.gauge import FULL, LONGEST_WINDOW, MOST_USED, GaugeReading, GaugeSource, believable, window_named

_WINDOWS = ("primary", "secondary")
_MAIN = "codex"
_FOREIGN = re.compile(r"[^\w.:-]", re.ASCII)


def readings_of_rate_limits(limits: object, at: datetime, account: str = "") -> tuple[GaugeReading, ...]:
    """The gauges in one event's `rate_limits`; none where it tells none that can be read. at: when the event was written."""
    return tuple(_readings(limits, at, account)) if isinstance(limits, Mapping) else ()


def _readings(limits: Mapping[str, Any], at: datetime, account: str) -> Iterator[GaugeReading]:
    plan = _word(limits.get("limit_name") or limits.get("plan_type"))
    own = _word(limits.get("limit_id"))
    for name in _WINDOWS:
        said = limits.get(name)
        if not isinstance(said, Mapping):
            continue
        used, minutes = _share(said.get("used_percent")), _minutes(said.get("window_minutes"))
        if used is None or minutes is None:
            continue
        resets = _moment(said.get("resets_at"), at) or _moment_after(said.get("resets_in_seconds"), at)
        window = window_named(name, minutes) if own in {"", _MAIN} else f"{window_named(name, minutes)}_{own}"
        yield GaugeReading("openai", account, window, used, at, GaugeSource.EVENT, resets, minutes, plan)


def _minutes(value: object) -> int | None:
    most = LONGEST_WINDOW.days * 24 * 60
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most else None


def _word(value: object) -> str:
    return _FOREIGN.sub("_", value)[:60] if isinstance(value, str) else ""


def _share(percent: object) -> int | None:
    """A number of percent as ten-thousandths of the window, rounded down; None for what no window can be."""
    if isinstance(percent, bool) or not isinstance(percent, int | float):
        return None
    try:
        used = Decimal(str(percent)) * (FULL // 100)
    except (InvalidOperation, ValueError):  # an integer of more digits than Python prints
        return None
    return int(used) if used.is_finite() and 0 <= used <= MOST_USED else None


def _moment(seconds: object, now: datetime) -> datetime | None:
    """Seconds since 1970; None for a time no window of now can begin anew at."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e11:
        return None
    return believable(datetime.fromtimestamp(int(seconds), UTC), now)


def _moment_after(seconds: object, now: datetime) -> datetime | None:
    """So many seconds from now, likewise."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return now + timedelta(seconds=int(seconds)) if 0 <= seconds <= LONGEST_WINDOW.total_seconds() else None
