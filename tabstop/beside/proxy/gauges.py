"""Gauges: the vendors' own windows (5 hours, a week), as their answers' headers tell how full they are. Never a budget."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from tabstop.gauge import FULL, LONGEST_WINDOW, MOST_USED, GaugeReading, GaugeSource, believable, window_named

_ANTHROPIC = re.compile(r"anthropic-ratelimit-unified-(\w{1,40})-utilization", re.ASCII | re.IGNORECASE)
"""Used, a share of one; beside it `-reset`, seconds since 1970, and `-status`. Windows seen: `5h`, `7d`, `7d_opus`, `7d_sonnet`."""

_LENGTHS = {"5h": 5 * 60, "7d": 7 * 24 * 60}
"""Minutes, also of one model's windows: `7d_opus`."""

_MONEY = "overage"
"""Told like a window: how much of the money for use beyond the plan is spent. It bounds no session on the plan."""

_CODEX = re.compile(r"x-(codex(?:-[a-z0-9-]{1,40})?)-(primary|secondary)-used-percent", re.IGNORECASE)
"""Beside it `-window-minutes`, and `-reset-at` or `-reset-after-seconds`. What stands behind `codex` is a limit of its own, of some models."""

_ACCOUNT = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_FOREIGN = re.compile(r"[^\w .:/-]", re.ASCII)

_MOST_WINDOWS = 10


def gauges_of(
    vendor: str, answer: Mapping[str, str], asked: Mapping[str, str], now: datetime
) -> tuple[GaugeReading, ...]:
    """What an answer's headers tell; none where they tell nothing that can be read. asked: the request's headers.

    The account is Anthropic's id of the organization, from the answer, or the id of the ChatGPT account, which Codex asks with.
    """
    account = answer.get("anthropic-organization-id") or asked.get("ChatGPT-Account-ID") or ""
    account = account if _ACCOUNT.fullmatch(account) else ""
    return (*_anthropic(vendor, account, answer, now), *_codex(vendor, account, answer, now))


def _anthropic(vendor: str, account: str, headers: Mapping[str, str], now: datetime) -> Iterator[GaugeReading]:
    windows = sorted({found[1].lower() for name in headers if (found := _ANTHROPIC.fullmatch(name))} - {_MONEY})
    for window in windows[:_MOST_WINDOWS]:
        name = f"anthropic-ratelimit-unified-{window}"
        used = _share(headers.get(f"{name}-utilization"), FULL)
        if used is not None:
            minutes = _LENGTHS.get(window.partition("_")[0], 0)
            yield GaugeReading(
                vendor,
                account,
                window_named(window, _LENGTHS.get(window, 0)),
                used,
                now,
                GaugeSource.HEADER,
                _moment(headers.get(f"{name}-reset"), now),
                minutes,
                status=_word(headers.get(f"{name}-status") or headers.get("anthropic-ratelimit-unified-status")),
            )


def _codex(vendor: str, account: str, headers: Mapping[str, str], now: datetime) -> Iterator[GaugeReading]:
    told = sorted({(found[1].lower(), found[2].lower()) for name in headers if (found := _CODEX.fullmatch(name))})
    for limit, window in told[:_MOST_WINDOWS]:
        name = f"x-{limit}-{window}"
        used = _share(headers.get(f"{name}-used-percent"), FULL // 100)
        minutes = _whole(headers.get(f"{name}-window-minutes"))
        if used is not None and minutes and minutes <= LONGEST_WINDOW / timedelta(minutes=1):
            resets = _moment(headers.get(f"{name}-reset-at"), now)
            after = _whole(headers.get(f"{name}-reset-after-seconds"))
            if resets is None and after is not None and after <= LONGEST_WINDOW.total_seconds():
                resets = now + timedelta(seconds=after)
            plan = _word(headers.get(f"x-{limit}-limit-name") or headers.get("x-codex-plan-type"))
            own = window_named(window, minutes) + ("" if limit == "codex" else f"_{limit.replace('-', '_')}")
            yield GaugeReading(vendor, account, own, used, now, GaugeSource.HEADER, resets, minutes, plan)


def _share(value: str | None, factor: int) -> int | None:
    """A number of theirs in ten-thousandths of the window."""
    try:
        share = Decimal(value or "")
    except InvalidOperation:
        return None
    return int(share * factor) if share.is_finite() and 0 <= share * factor <= MOST_USED else None


def _whole(value: str | None) -> int | None:
    return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 12 else None


def _moment(value: str | None, now: datetime) -> datetime | None:
    seconds = _whole(value)
    return believable(datetime.fromtimestamp(seconds, UTC), now) if seconds is not None else None


def _word(value: str | None) -> str:
    return _FOREIGN.sub("_", value or "")[:60]
