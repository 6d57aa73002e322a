"""Status line: what Claude Code tells the command that writes its status line, and the one line that is written.

Fields as captured from Claude Code 2.1.330 and, for `rate_limits` (plans only), as its documentation has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any

from tabstop.agents.claude_code.window_names import windows_named
from tabstop.evidence import repository_named
from tabstop.gauge import FULL, MOST_USED, WEEKLY, GaugeReading, GaugeSource, believable
from tabstop.gauge_rate import Outlook, outlook
from tabstop.money import Nano, round_half_up, show, show_known

SHORTEST = 60
"""Seconds of a session before dollars an hour say anything."""

_MOST_DOLLARS = 10_000_000
_DAY = 24 * 60
_YELLOW, _RED = FULL * 3 // 4, FULL * 9 // 10


@dataclass(frozen=True, slots=True)
class Status:
    """What the client tells. cost: of the session, nano-dollars at API prices; seconds: since it began.

    gauges: empty where no plan pays. on_plan: whether one does. earlier: readings of the same windows from before, which give a rate.
    """

    session: str = ""
    folder: str = ""
    repository: str = ""
    cost: Nano | None = None
    seconds: int = 0
    gauges: tuple[GaugeReading, ...] = ()
    on_plan: bool = False
    earlier: tuple[GaugeReading, ...] = ()


@dataclass(frozen=True, slots=True)
class Tab:
    """What a branch has cost on this machine. notional: what plans paid for, at API prices.

    Each is None where none of its calls has a price; unpriced, notional_unpriced: its calls without one.
    """

    cost: Nano | None
    unpriced: int = 0
    notional: Nano | None = 0
    notional_unpriced: int = 0
    pull_request: int | None = None


def read_status(payload: Any, now: datetime) -> Status:
    """What can be read of it; whatever is missing or odd is left out."""
    body = _mapping(payload)
    workspace, cost, limits = (_mapping(body.get(name)) for name in ("workspace", "cost", "rate_limits"))
    repo = _mapping(workspace.get("repo"))
    parts = [_text(repo.get(name)) for name in ("host", "owner", "name")]
    return Status(
        session=_text(body.get("session_id")),
        folder=_text(workspace.get("current_dir")) or _text(body.get("cwd")),
        repository=repository_named("/".join(parts)) if all(parts) else "",
        cost=_dollars(cost.get("total_cost_usd")),
        seconds=int(_number(cost.get("total_duration_ms"), 10**12) or 0) // 1000,
        gauges=tuple(_gauges(limits, now)),
        on_plan=bool(limits),
    )


def line(status: Status, branch: str, tab: Tab | None, now: datetime, zone: tzinfo | None, *, colour: bool) -> str:
    """The line: branch and its tab, session, burn rate, windows; what is not known is left out. zone: None for this machine's."""
    parts = [one for one in (_tab(branch, tab), _session(status)) if one]
    seen = [outlook(gauge, now, status.earlier) for gauge in status.gauges]
    parts += [_window(one, one.used, zone, colour=colour) for one in seen if one.used is not None]
    return " · ".join(parts) or "tabstop: nothing is known of this session yet"


def _tab(branch: str, tab: Tab | None) -> str:
    if not branch:
        return ""
    name = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in branch)
    if tab is None:
        return name
    number = f" #{tab.pull_request}" if tab.pull_request else ""
    by_plan = tab.notional != 0 or tab.notional_unpriced
    costs = [f"≈ {show_known(tab.notional, tab.notional_unpriced)}"] if by_plan else []
    if tab.cost != 0 or tab.unpriced or not by_plan:
        costs.insert(0, show_known(tab.cost, tab.unpriced))
    return f"{name}{number} {' and '.join(costs)}"


def _session(status: Status) -> str:
    if status.cost is None:
        return ""
    about = "≈ " if status.on_plan else ""
    burn = ""
    if status.cost and status.seconds >= SHORTEST:
        burn = f", {show(status.cost * 3600 // status.seconds)}/h"
    return f"session {about}{show(status.cost)}{burn}"


def _window(seen: Outlook, used: int, zone: tzinfo | None, *, colour: bool) -> str:
    """`5h 82 % until 15:00, +27 %/h, full 13:39`; `ø` in place of `+` for an average, and a week's rate is that of a day."""
    window = seen.reading.window
    form = "%H:%M" if seen.reading.minutes <= _DAY else "%a %H:%M"
    text = f"{'week' if window == WEEKLY else window} {used // 100} %"
    if seen.resets_at is not None:
        text += f" until {seen.resets_at.astimezone(zone):{form}}"
    if seen.an_hour is not None:
        rate = f"{seen.an_hour // 100} %/h" if seen.reading.minutes <= _DAY else f"{seen.an_hour * 24 // 100} %/day"
        text += f", {'ø ' if seen.average else '+'}{rate}"
    if seen.full_at is not None and used < FULL:
        text += f", full {seen.full_at.astimezone(zone):{form}}"
    if not colour or used < _YELLOW:
        return text
    return f"\x1b[{31 if used >= _RED else 33}m{text}\x1b[0m"


def _gauges(limits: Mapping[str, Any], now: datetime) -> Iterator[GaugeReading]:
    for name, window, minutes in windows_named(limits):
        told = _mapping(limits[name])
        percent = _number(told.get("used_percentage"), MOST_USED // 100)
        if percent is not None:
            yield GaugeReading(
                vendor="anthropic",
                account="",
                window=window,
                used=int(percent * 100),
                observed_at=now,
                source=GaugeSource.STATUS_LINE,
                resets_at=_reset(told.get("resets_at"), now),
                minutes=minutes,
            )


def _reset(value: Any, now: datetime) -> datetime | None:
    """Seconds since 1970, or ISO 8601; None for what cannot be."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value, UTC)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return believable(at, now)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _dollars(value: Any) -> Nano | None:
    number = _number(value, _MOST_DOLLARS)
    return None if number is None else round_half_up(number * 1_000_000_000)


def _number(value: Any, most: int) -> Decimal | None:
    """Between zero and the most; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Decimal(str(value)) if 0 <= value <= most else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= 4096 and "\0" not in value else ""
