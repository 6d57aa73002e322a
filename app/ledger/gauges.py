"""Gauges on the server: of each vendor window of an engineer the newest reading that a session told of, and a few before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.ledger.books import Books, SessionRow
from tabstop.gauge import LONGEST_WINDOW, GaugeReading, GaugeSource, vendor_of
from tabstop.gauge_estimate import WEEK_MINUTES, allowances, as_readings, estimate
from tabstop.gauge_history import with_history
from tabstop.governor.settings import Windows
from tabstop.usage import Billing
from tabstop.window_share import first_told, moved_by

MOST_GAUGES = 50
"""Of one engineer, and in one batch: a few windows of a few accounts. More are dropped."""

MOST_SHARES = 20
"""Windows whose movement is kept of one session. More are dropped."""

ESTIMATED_EVERY = timedelta(minutes=5)
"""An estimate is made anew no sooner: it reads a week of an engineer's usage."""

AHEAD = timedelta(minutes=10)
"""By how much a machine's clock may be ahead of ours."""


def readings_of(books: Books, engineer_id: int) -> tuple[GaugeReading, ...]:
    """All that is kept of an engineer's gauges: the newest of each, and the earlier ones."""
    return _Known.of(books, engineer_id).readings


def take_gauges(books: Books, session: SessionRow, told: Iterable[GaugeReading], now: datetime) -> None:
    """Keep what is newer than what is known, for the session's engineer; without one there is nobody to keep it for.

    A reading's time is a claim. One from the future would stand against every later one, so it is left out; moved to now it
    would seem newer each time it is told. One older than any window says nothing any more.
    """
    believable = [reading for reading in told if now - LONGEST_WINDOW < reading.observed_at <= now + AHEAD]
    if not believable:
        return
    known = _Known.of(books, session.engineer_id)
    _move(books, session, believable, known.readings)
    if session.engineer_id is None:
        return
    gauges = {reading.gauge for reading in known.latest}
    new = sorted({reading.gauge for reading in believable} - gauges)
    gauges |= set(new[: max(0, MOST_GAUGES - len(gauges))])
    _keep(books, session.engineer_id, known, [reading for reading in believable if reading.gauge in gauges])


@dataclass(frozen=True, slots=True)
class _Known:
    """Of an engineer's gauges the newest readings, and the earlier ones that are kept."""

    latest: Sequence[GaugeReading] = ()
    earlier: Sequence[GaugeReading] = ()

    @classmethod
    def of(cls, books: Books, engineer_id: int | None) -> _Known:
        return cls() if engineer_id is None else cls(books.gauges_of(engineer_id), books.earlier_gauges(engineer_id))

    @property
    def readings(self) -> tuple[GaugeReading, ...]:
        return (*self.latest, *self.earlier)


def _keep(books: Books, engineer_id: int, known: _Known, told: Sequence[GaugeReading]) -> None:
    """The newest of each window in its place, and of what came before as much as rates and shares need."""
    touched = {reading.gauge for reading in told}
    stored, kept = set(known.latest), {reading for reading in known.earlier if reading.gauge in touched}
    wanted: set[GaugeReading] = set()
    for gauge, (latest, *older) in with_history((*known.readings, *told)).items():
        if gauge in touched:
            wanted |= set(older)
            if latest not in stored:
                books.keep_gauge(engineer_id, latest)
    books.change_earlier_gauges(engineer_id, added=wanted - kept, dropped=kept - wanted)


def estimate_gauges(books: Books, session: SessionRow, models: Iterable[str], windows: Windows, now: datetime) -> None:
    """Where the vendor has told nothing of a plan's windows, estimate them from usage: only with an allowance in the policy.

    models: those just called, which say whose windows are used; an agent may call several vendors' in one session.
    One reading of the vendor's own is enough: who knows how full one window is knows more than a guess does.
    """
    if session.engineer_id is None or session.billing is not Billing.SUBSCRIPTION:
        return
    vendors = {vendor_of(session.agent, model) for model in (session.model, *models)}
    allowed = {vendor: allowance for vendor, allowance in allowances(windows).items() if vendor in vendors}
    if not allowed:
        return
    known = _Known.of(books, session.engineer_id)
    due = [vendor for vendor in allowed if not _is_known(vendor, known.latest, now)]
    spent = books.plan_usage(session.engineer_id, now - timedelta(minutes=WEEK_MINUTES)) if due else {}
    guesses = [
        guess
        for vendor in due
        if vendor in spent
        for guess in as_readings(estimate(spent[vendor], allowed[vendor], now), vendor, now)
    ]
    if guesses:
        _keep(books, session.engineer_id, known, guesses)


def _is_known(vendor: str, known: Iterable[GaugeReading], now: datetime) -> bool:
    live = [one for one in known if one.vendor == vendor and one.used_at(now) is not None]
    return any(one.source is not GaugeSource.ESTIMATED or one.observed_at > now - ESTIMATED_EVERY for one in live)


def _move(books: Books, session: SessionRow, readings: Iterable[GaugeReading], known: Sequence[GaugeReading]) -> None:
    """How far each window has moved while this session ran: its share of it, at most. Estimates are no readings of that."""
    told = sorted(
        (one for one in readings if one.source is not GaugeSource.ESTIMATED and one.observed_at >= session.admitted_at),
        key=lambda one: one.observed_at,
    )
    if not told:
        return
    stored = {share.last.gauge: share for _, share in books.window_shares([session.id])}
    moved = dict(stored)
    for reading in told:
        before = moved.get(reading.gauge)
        if before is not None:
            moved[reading.gauge] = moved_by(before, reading)
        elif len(moved) < MOST_SHARES:
            moved[reading.gauge] = first_told(reading, session.admitted_at, known)
    books.keep_window_shares(session.id, [share for gauge, share in moved.items() if share != stored.get(gauge)])
