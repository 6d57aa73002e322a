"""Whose window a reading is of: what names no account counts with the one whose windows end when its own do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.gauge import GaugeReading, GaugeSource, newest
from tabstop.gauge_account import with_accounts

NOW = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)
FIVE = GaugeReading("anthropic", "max", "5h", 4_000, NOW, GaugeSource.HEADER, NOW + timedelta(hours=1), 300)
WEEK = replace(FIVE, window="weekly", minutes=10_080, resets_at=NOW + timedelta(days=3))
LATER = NOW + timedelta(minutes=1)


def unnamed(of: GaugeReading, **changes: object) -> GaugeReading:
    """What a status line tells of the same window, a minute later."""
    told = {"account": "", "source": GaugeSource.STATUS_LINE, "used": 5_000, "observed_at": LATER}
    return replace(of, **{**told, **changes})  # type: ignore[arg-type]


def shown(*readings: GaugeReading) -> list[tuple[str, str, int]]:
    """Account, window, share."""
    return sorted((one.account, one.window, one.used) for one in with_accounts(readings))


NEXT = {"resets_at": NOW + timedelta(hours=6), "observed_at": NOW + timedelta(hours=1, minutes=1)}


@pytest.mark.parametrize(
    ("readings", "found"),
    [
        ((FIVE, unnamed(FIVE)), [("max", "5h", 5_000)]),
        ((FIVE, unnamed(FIVE, observed_at=NOW - timedelta(minutes=1))), [("max", "5h", 4_000)]),
        ((FIVE, unnamed(FIVE, resets_at=NOW + timedelta(minutes=64))), [("max", "5h", 5_000)]),  # vendors round
        ((FIVE, unnamed(FIVE, resets_at=NOW + timedelta(hours=2))), [("", "5h", 5_000), ("max", "5h", 4_000)]),
        ((FIVE, unnamed(FIVE, resets_at=None)), [("", "5h", 5_000), ("max", "5h", 4_000)]),
        ((FIVE, unnamed(WEEK)), [("", "weekly", 5_000), ("max", "5h", 4_000)]),
        # The 5 hours have begun anew since the header; the week says whose they are.
        ((FIVE, WEEK, unnamed(FIVE, **NEXT), unnamed(WEEK)), [("max", "5h", 5_000), ("max", "weekly", 5_000)]),
        # The 5 hours end alike by chance; the weeks do not, so it is another account.
        (
            (FIVE, WEEK, unnamed(FIVE), unnamed(WEEK, resets_at=NOW + timedelta(days=5))),
            [("", "5h", 5_000), ("", "weekly", 5_000), ("max", "5h", 4_000), ("max", "weekly", 4_000)],
        ),
        (
            (FIVE, replace(FIVE, account="team"), unnamed(FIVE)),
            [("", "5h", 5_000), ("max", "5h", 4_000), ("team", "5h", 4_000)],
        ),
        ((replace(FIVE, vendor="openai"), unnamed(FIVE)), [("", "5h", 5_000), ("max", "5h", 4_000)]),
        ((FIVE, unnamed(FIVE, source=GaugeSource.ESTIMATED)), [("", "5h", 5_000), ("max", "5h", 4_000)]),
        # Once the vendor has told, an older guess would show the window twice; another vendor's stays.
        ((unnamed(FIVE), replace(WEEK, account="", source=GaugeSource.ESTIMATED)), [("", "5h", 5_000)]),
        (
            (unnamed(FIVE), replace(WEEK, vendor="openai", source=GaugeSource.ESTIMATED)),
            [("", "5h", 5_000), ("max", "weekly", 4_000)],
        ),
    ],
)
def test_whose_window_it_is(readings: tuple[GaugeReading, ...], found: list[tuple[str, str, int]]) -> None:
    """The only account that agrees in every window both tell of; a guess takes no account's place."""
    assert shown(*readings) == shown(*reversed(readings)) == found


@given(st.lists(st.builds(replace, st.sampled_from([FIVE, WEEK]), account=st.sampled_from(["a", "b"]))))
def test_what_names_its_account_keeps_it(readings: list[GaugeReading]) -> None:
    """Of each gauge the newest, as ever."""
    assert {one.gauge: one for one in with_accounts(readings)} == newest(readings)
