"""Accounts: whose window a reading tells of where its source names no account. Pure.

Headers name the account. Claude Code's status line and stream, and Codex's logs, do not: read beside the headers, one window would
count as two. When a window begins anew tells them apart: two accounts' 5 hours may by chance end together, but hardly their weeks too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tabstop.gauge import GaugeReading, GaugeSource, newest
from tabstop.gauge_rate import resets_alike


def with_accounts(readings: Iterable[GaugeReading]) -> tuple[GaugeReading, ...]:
    """The newest reading of each gauge. What names no account counts with the only account whose windows end when its own do;
    where there is none, or several, it stays by itself. One person's readings.

    An estimate is left out once its vendor has told of any window since: beside it, one window would stand there twice.
    """
    known = _still_counts(tuple(newest(readings).values()))
    return tuple(newest(_named(one, known) for one in known).values())


def _still_counts(known: Sequence[GaugeReading]) -> list[GaugeReading]:
    told = [one for one in known if one.source is not GaugeSource.ESTIMATED]
    return [
        one
        for one in known
        if one in told or not any(by.vendor == one.vendor and by.observed_at >= one.observed_at for by in told)
    ]


def _named(one: GaugeReading, known: Sequence[GaugeReading]) -> GaugeReading:
    theirs = [other for other in known if other.vendor == one.vendor and other.source is not GaugeSource.ESTIMATED]
    if one.account or one not in theirs:
        return one
    unnamed = [other for other in theirs if not other.account]
    accounts = {other.account for other in theirs if other.account}
    found = [name for name in accounts if _agree(unnamed, [other for other in theirs if other.account == name])]
    return replace(one, account=found[0]) if len(found) == 1 else one


def _agree(unnamed: Sequence[GaugeReading], named: Sequence[GaugeReading]) -> bool:
    """Whether they end alike, wherever both tell of the same window at times that one window can span."""
    pairs = [
        (one, other)
        for one in unnamed
        for other in named
        if one.window == other.window
        and one.resets_at is not None
        and other.resets_at is not None
        and one.resets_at > other.observed_at
        and other.resets_at > one.observed_at
    ]
    return bool(pairs) and all(resets_alike(one, other) for one, other in pairs)
