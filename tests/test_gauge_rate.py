"""Rates: how fast a window fills, and when it will be full."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.gauge import FULL, GaugeReading, GaugeSource
from tabstop.gauge_rate import nearly_full, outlook

NOW = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)
RESETS = datetime(2026, 11, 2, 15, 0, tzinfo=UTC)
READ = GaugeReading("anthropic", "org", "5h", 8_200, NOW, GaugeSource.HEADER, RESETS, 300)
"""Three of five hours are over."""

WEEK = replace(READ, window="weekly", minutes=10_080, resets_at=NOW + timedelta(days=2))


def clock(hours: float) -> datetime:
    return datetime(2026, 11, 2, tzinfo=UTC) + timedelta(hours=hours)


def earlier(used: int, minutes: int) -> GaugeReading:
    return replace(READ, used=used, observed_at=NOW - timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("reading", "before", "an_hour", "full_at"),
    [
        (READ, (), 2_733, clock(13 + 18 * 3 / 82)),
        (replace(READ, used=5_000), (), 1_666, None),  # lasts until it begins anew
        (READ, (earlier(6_400, 60),), 1_800, clock(14)),  # what was used in the last hour counts
        (READ, (earlier(8_200, 60),), 0, None),  # nobody uses it now
        (READ, (earlier(7_000, 5),), 2_733, clock(13 + 18 * 3 / 82)),  # too short to say anything
        (READ, (earlier(9_900, 60),), 2_733, clock(13 + 18 * 3 / 82)),  # it went down: something else
        (READ, (replace(earlier(0, 60), resets_at=NOW),), 2_733, clock(13 + 18 * 3 / 82)),  # the window before
        (READ, (replace(earlier(0, 60), account="b"),), 2_733, clock(13 + 18 * 3 / 82)),
        (replace(READ, resets_at=None), (), None, None),  # nobody knows when it began
        (replace(READ, resets_at=None), (replace(earlier(6_400, 60), resets_at=None),), 1_800, clock(14)),
        (replace(READ, minutes=0), (), None, None),
        (replace(READ, used=FULL), (), 3_333, NOW),
        (replace(READ, resets_at=NOW + timedelta(hours=4, minutes=50)), (), None, None),  # ten minutes of it are over
    ],
)
def test_when_a_window_will_be_full(
    reading: GaugeReading, before: tuple[GaugeReading, ...], an_hour: int | None, full_at: datetime | None
) -> None:
    """At the rate of its latest part that is long enough; never after it begins anew; nothing where too little is known."""
    seen = outlook(reading, NOW, before)
    assert (seen.used, seen.an_hour) == (reading.used, an_hour)
    assert (seen.full_at and round(seen.full_at.timestamp() / 60)) == (full_at and round(full_at.timestamp() / 60))


def test_an_old_reading_counts_from_now_on() -> None:
    """Whoever uses the window tells of it: since then nothing was used, and at the same rate it is full later."""
    assert outlook(READ, NOW).full_at == clock(13) + timedelta(seconds=1_800 * 10_800 // 8_200)
    late = outlook(READ, NOW + timedelta(hours=1)).full_at
    assert late == clock(14) + timedelta(seconds=1_800 * 10_800 // 8_200)
    assert outlook(READ, RESETS).used is None


def test_a_rate_of_the_recent_past() -> None:
    """Is no average, and what is full already is full since it was read."""
    recent = outlook(READ, NOW, [earlier(6_400, 30)])
    assert (recent.average, recent.an_hour) == (False, 3_600)
    assert outlook(READ, NOW).average
    assert outlook(replace(READ, used=FULL), NOW, [earlier(6_400, 30)]).full_at == NOW


@pytest.mark.parametrize(
    ("minutes", "an_hour"),
    [
        ((20, 31, 90), 82 * 60 // 31 * 10),
        ((20,), 82 * 60 // 20 * 10),
        ((90,), 82 * 60 // 90 * 10),
        ((2, 170), 82 * 60 * 10 // 170),
        ((2,), 2_733),  # the average since it began
    ],
)
def test_the_recent_past(minutes: tuple[int, ...], an_hour: int) -> None:
    """Half an hour of five, or what is known that is nearest to it."""
    seen = outlook(READ, NOW, [earlier(8_200 - 820, one) for one in minutes])
    assert seen.an_hour is not None
    assert abs(seen.an_hour - an_hour) < 10


def test_an_estimate_is_not_compared_with_a_report() -> None:
    """What lies between them is how wrong the estimate was."""
    guess = replace(earlier(1_000, 30), source=GaugeSource.ESTIMATED)
    assert outlook(READ, NOW, [guess]).average
    assert outlook(replace(READ, used=2_000, source=GaugeSource.ESTIMATED), NOW, [guess]).an_hour == 2_000


@given(st.integers(0, FULL), st.integers(0, 299), st.integers(1, 100))
def test_it_is_never_full_after_it_begins_anew(used: int, minutes: int, threshold: int) -> None:
    """And what is nearly full has reached the threshold."""
    seen = outlook(replace(READ, used=used, resets_at=NOW + timedelta(minutes=300 - minutes)), NOW)
    assert seen.full_at is None or NOW <= seen.full_at < (seen.resets_at or NOW)
    assert nearly_full(seen, threshold) == (used >= threshold * 100)
