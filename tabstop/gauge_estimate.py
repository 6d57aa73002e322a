"""Estimates: how full a plan's windows should be, worked out from usage where the vendor tells nothing. Pure.

What vendors count is their secret, and so is what a plan allows. So this counts tokens of all kinds but cache reads, and makes a
share of them only where the policy says how many tokens a window allows. Everything it gives is marked as estimated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tabstop.gauge import FIVE_HOURS, FULL, MOST_USED, WEEKLY, GaugeReading, GaugeSource
from tabstop.governor.settings import PlanAllowance, Windows
from tabstop.usage import Tokens

FIVE_HOUR_MINUTES, WEEK_MINUTES = 5 * 60, 7 * 24 * 60


@dataclass(frozen=True, slots=True)
class Spent:
    """One call on a plan: when it was answered, and what it used."""

    at: datetime
    tokens: int


@dataclass(frozen=True, slots=True)
class WindowUse:
    """What was used in one window so far.

    tokens: without cache reads. allowed: what the plan allows; None where nobody has said: then there is no share.
    ends_at: when it begins anew; None where that is not known.
    """

    window: str
    minutes: int
    tokens: int
    allowed: int | None
    ends_at: datetime | None

    @property
    def used(self) -> int | None:
        """Ten-thousandths of the window; None where its allowance is not known."""
        return None if self.allowed is None else min(self.tokens * FULL // self.allowed, MOST_USED)


def allowances(windows: Windows) -> dict[str, PlanAllowance]:
    """By vendor, what its plan allows: of those vendors of which the policy says anything."""
    told = {"anthropic": windows.anthropic, "openai": windows.openai}
    return {vendor: allowed for vendor, allowed in told.items() if allowed != PlanAllowance()}


def counted(tokens: Tokens) -> int:
    """What of a call's tokens an estimate counts: all but what was read from the cache."""
    return tokens.total - tokens.cache_read


def estimate(calls: Iterable[Spent], allowed: PlanAllowance, now: datetime) -> tuple[WindowUse, WindowUse]:
    """The 5-hour window and the week, from one account's calls in any order. Calls after `now` are left out.

    Five hours begin with the first call after the last ones ended. A week's beginning is the vendor's to know: here it is the last
    seven days, and when it begins anew is not told.
    """
    week = timedelta(minutes=WEEK_MINUTES)
    recent = sorted((call for call in calls if now - week < call.at <= now), key=lambda call: call.at)
    began, block = _five_hours(recent, now)
    ends_at = None if began is None else began + timedelta(minutes=FIVE_HOUR_MINUTES)
    return (
        WindowUse(FIVE_HOURS, FIVE_HOUR_MINUTES, block, allowed.five_hours, ends_at),
        WindowUse(WEEKLY, WEEK_MINUTES, sum(call.tokens for call in recent), allowed.week, None),
    )


def _five_hours(calls: Iterable[Spent], now: datetime) -> tuple[datetime | None, int]:
    """When the five hours in force began, and what was used in them; nothing where the last ones are over."""
    length = timedelta(minutes=FIVE_HOUR_MINUTES)
    began, tokens = None, 0
    for call in calls:
        if began is None or call.at >= began + length:
            began, tokens = call.at, 0
        tokens += call.tokens
    if began is None or now >= began + length:
        return None, 0
    return began, tokens


def used_by(tokens: int, allowed: PlanAllowance) -> tuple[WindowUse, WindowUse]:
    """What so many counted tokens of one session are of each window, whenever in it they were used."""
    return (
        WindowUse(FIVE_HOURS, FIVE_HOUR_MINUTES, tokens, allowed.five_hours, None),
        WindowUse(WEEKLY, WEEK_MINUTES, tokens, allowed.week, None),
    )


def as_readings(uses: Iterable[WindowUse], vendor: str, now: datetime, account: str = "") -> tuple[GaugeReading, ...]:
    """The estimates that have a share, as gauges marked `estimated`."""
    return tuple(
        GaugeReading(
            vendor,
            account,
            use.window,
            use.used,
            now,
            GaugeSource.ESTIMATED,
            resets_at=use.ends_at,
            minutes=use.minutes,
        )
        for use in uses
        if use.used is not None
    )
