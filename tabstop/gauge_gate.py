"""Gauge gate: what a start meets of its vendor's windows, and how its time is cut to fit. Findings only, never a budget. Pure.

What is known of a plan's windows is its engineer's own: other machines and the vendor's own pages draw on it too, unseen. So nothing
here is exact, a start is refused only where the policy asks for it and the session is known to run on a plan, and only until the
window begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tabstop.gauge import FULL, GaugeReading
from tabstop.gauge_account import with_accounts
from tabstop.gauge_outlook import at, said
from tabstop.gauge_rate import Outlook, nearly_full, outlook
from tabstop.governor.settings import InSession, OnFull, Windows
from tabstop.policy.model import SessionLimits
from tabstop.policy.problem import quoted
from tabstop.usage import Billing
from tabstop.verdict import Finding, Outcome, Signal

SHORTEST_FIT = timedelta(minutes=10)
"""A session is not cut shorter than this: it is warned, or deferred."""

ROUND = timedelta(minutes=5)
"""To which a session's cut time is rounded down. Limits stand in job logs: the minute a person's plan runs out is their own."""

EXPECTED = timedelta(hours=2)
"""How long a session without a limit of time is thought to last: the default limit."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The start, as far as windows matter. login: whose plan it is."""

    vendor: str
    model: str
    billing: Billing
    login: str
    limits: SessionLimits
    now: datetime


def concerns(billing: Billing, vendor: str, windows: Windows) -> bool:
    """Whether readings are worth looking up. What is billed per token, or by credits, no plan's window bounds."""
    asked = windows.on_full is not OnFull.ALLOW or windows.fit_sessions
    return bool(vendor) and asked and billing in {Billing.SUBSCRIPTION, Billing.UNKNOWN}


def at_the_windows(
    gauges: Iterable[GaugeReading], asked: Asked, windows: Windows
) -> tuple[tuple[Finding, ...], SessionLimits]:
    """The findings about the windows this start would run into, and its limits, cut to fit where the policy says so.

    gauges: the newest readings, and earlier ones where they are kept, in any order.
    """
    if not concerns(asked.billing, asked.vendor, windows):
        return (), asked.limits
    ahead = _ahead(gauges, asked)
    seen = _of_present_account(ahead)
    limits = _fitted(asked, seen) if windows.fit_sessions else asked.limits
    if windows.on_full is OnFull.ALLOW:
        return (), limits
    fits = limits != asked.limits
    met = [one for one in seen if _runs_into(one, asked, windows)]
    advice = _with_room(ahead, met, asked, windows) if met else ""
    return tuple(_finding(one, asked, windows, advice, fits=fits) for one in met), limits


def begins_with(gauges: Iterable[GaugeReading], asked: Asked, windows: Windows) -> tuple[GaugeReading, ...]:
    """The readings that suspend a session at its beginning, so that it need not make a call to hear them anew.

    Only where its plan is known to pay, until a known time. What does not suspend, the start has said.
    """
    if windows.in_session is not InSession.SUSPEND or asked.billing is not Billing.SUBSCRIPTION:
        return ()
    return tuple(
        one.reading
        for one in _of_present_account(_ahead(gauges, asked))
        if nearly_full(one, windows.threshold) and one.resets_at is not None and not one.reading.scope
    )


def _ahead(gauges: Iterable[GaugeReading], asked: Asked) -> list[Outlook]:
    known = tuple(gauges)
    theirs = [one for one in with_accounts(known) if one.vendor == asked.vendor and _bounds(one, asked.model)]
    return [outlook(one, asked.now, known) for one in theirs]


def _bounds(reading: GaugeReading, model: str) -> bool:
    """A window of one model bounds that model only: `7d_opus` by its own name, Codex's `weekly_codex_…` by the limit's."""
    names = (name.lower().replace("_", "-") for name in (reading.scope, reading.plan) if name)
    return not reading.scope or any(name in model.lower() for name in names)


def _of_present_account(ahead: Sequence[Outlook]) -> list[Outlook]:
    """Those of the account that was read last: a start does not say which one it will use. The fullest first.

    An estimate is none while a reading counts: one may be told after an estimate that is made later.
    """
    told = [one.reading for one in ahead if not one.estimated]
    live = any(one.used is not None for one in ahead if not one.estimated)
    readings = told if live else [one.reading for one in ahead]
    last = max(readings, key=lambda one: (one.observed_at, one.account), default=None)
    mine = [one for one in ahead if last is not None and one.reading.account == last.account]
    return sorted(mine, key=lambda one: (-(one.used or 0), one.reading.window))


def _runs_into(seen: Outlook, asked: Asked, windows: Windows) -> bool:
    if nearly_full(seen, windows.threshold):
        return True
    return seen.full_at is not None and seen.full_at <= asked.now + _expected(asked.limits)


def _expected(limits: SessionLimits) -> timedelta:
    return EXPECTED if limits.wall_clock_seconds is None else timedelta(seconds=limits.wall_clock_seconds)


def _fitted(asked: Asked, seen: Iterable[Outlook]) -> SessionLimits:
    """The limits with the wall clock cut to the first window that would be full; as they are where nothing useful would be left."""
    ends = [one.full_at - asked.now for one in seen if one.full_at is not None]
    left = min(ends, default=None)
    if left is None or left < SHORTEST_FIT or left >= _expected(asked.limits):
        return asked.limits
    seconds = int(left.total_seconds()) // int(ROUND.total_seconds()) * int(ROUND.total_seconds())
    return replace(asked.limits, wall_clock_seconds=seconds)


def _finding(seen: Outlook, asked: Asked, windows: Windows, advice: str, *, fits: bool) -> Finding:
    """cause: `full`, the share itself; `filling`, the rate. A session that was cut to fit does not run into what only fills."""
    full = nearly_full(seen, windows.threshold)
    certain = asked.billing is Billing.SUBSCRIPTION and seen.resets_at is not None
    stops = windows.on_full is OnFull.DEFER and certain and (full or not fits)
    remedy = [f"Start it after {at(seen.resets_at, asked.now)}." if stops and seen.resets_at else "", advice]
    if fits and not stops and seen.full_at is not None:
        remedy.insert(0, "The session's time is cut to end before it is full.")
    return Finding(
        Signal.GAUGE,
        Outcome.STOP if stops else Outcome.WARN,
        seen.reading.window,
        sentence=said(seen, asked.now),
        subject=asked.login,
        cap=FULL,
        spent=seen.used or 0,
        cause="full" if full else "filling",
        until=seen.resets_at,
        retry_at=seen.resets_at if stops else None,
        remedy=" ".join(part for part in remedy if part),
    )


def _with_room(ahead: Sequence[Outlook], met: Sequence[Outlook], asked: Asked, windows: Windows) -> str:
    """A listed account none of whose known windows is nearly full. One that nobody has read yet may have room as well; of one
    of which a single model's window is known, nothing is known.
    """
    present = {one.reading.account for one in met}
    for account in windows.accounts:
        live = [one for one in ahead if one.reading.account == account and one.used is not None]
        known = account not in present and any(not one.reading.scope for one in live)
        if known and not any(_runs_into(one, asked, windows) for one in live):
            most = max(one.used or 0 for one in live) // 100
            return f"Account {quoted(account)} has room ({most} % used), where the vendor's terms let you use it."
    return ""
