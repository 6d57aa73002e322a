"""Local windows: what a start that no server answers meets of its vendor's windows, by what this machine itself has heard of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from tabstop.beside.gauge_file import keep_gauges, machine_gauges, read_gauges
from tabstop.beside.journal import read_entry
from tabstop.beside.session_folder import Record, SessionFolder, sessions_root
from tabstop.beside.status_windows import earlier_windows
from tabstop.gauge import GaugeReading, vendor_of
from tabstop.gauge_gate import Asked, at_the_windows, begins_with
from tabstop.governor.facts import Answer
from tabstop.policy.model import SessionLimits
from tabstop.session import Limits
from tabstop.usage import Billing
from tabstop.verdict import Outcome, Verdict, verdict_of


@dataclass(frozen=True, slots=True)
class LocalStart:
    """What is found. limits: the session's, its time cut to fit where the policy says so."""

    verdict: Verdict
    limits: Limits


def local_start(record: Record, payer: Callable[[], Billing], environ: Mapping[str, str], now: datetime) -> LocalStart:
    """Decide as a server does, by the policy that the session has here. A session that has had an answer goes on, and is not decided on.

    payer: who pays, asked only where a window is known. A session that its policy suspends at a full window finds that in its folder.
    """
    limits, windows = record.settings.limits, record.settings.windows
    folder = SessionFolder(sessions_root(environ) / record.id)
    vendor = vendor_of(record.start.agent, record.start.model)
    known = _known(vendor, environ, now)
    if all(one.used_at(now) is None for one in known) or _has_had_an_answer(folder):
        return LocalStart(Verdict(), limits)
    time = SessionLimits(wall_clock_seconds=limits.wall_clock_seconds)
    asked = Asked(vendor, record.start.model, payer(), "", time, now)
    findings, fitted = at_the_windows(known, asked, windows)
    verdict, full = verdict_of(*findings), begins_with(known, asked, windows)
    if full and verdict.outcome is not Outcome.STOP:
        with suppress(OSError):  # without a folder, or on a full disk, it hears of them with its first answer
            keep_gauges(folder, full)
    return LocalStart(verdict, replace(limits, wall_clock_seconds=fitted.wall_clock_seconds))


def _known(vendor: str, environ: Mapping[str, str], now: datetime) -> tuple[GaugeReading, ...]:
    """The newest readings, and those earlier ones that the status line keeps for its rate. None of a time to come: the clock was wrong."""
    kept = (*read_gauges(machine_gauges(environ)), *earlier_windows(environ))
    return tuple(one for one in kept if one.vendor == vendor and one.observed_at <= now)


def _has_had_an_answer(folder: SessionFolder) -> bool:
    try:
        with folder.journal.open("rb") as lines:
            return any(isinstance(entry.fact, Answer) for line in lines if (entry := read_entry(line)) is not None)
    except OSError:
        return False
