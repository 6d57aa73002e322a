"""Gauge history: few readings are kept, and one of about any age that a rate or a share asks for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.gauge_history import FINEST, MOST_EARLIER, thinned, with_history

NOW = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)
WEEK = GaugeReading("anthropic", "org", "weekly", 5_000, NOW, GaugeSource.HEADER, NOW + timedelta(days=1), 10_080)


def before(minutes: float) -> GaugeReading:
    return replace(WEEK, used=5_000 - int(minutes / 3), observed_at=NOW - timedelta(minutes=minutes))


def ages(readings: tuple[GaugeReading, ...]) -> list[float]:
    return [(NOW - one.observed_at) / timedelta(minutes=1) for one in readings]


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ((), []),
        ((0, -5), []),
        ((8_000,), [8_000]),
        ((1, 2, 4, 8), [1, 2, 4, 8]),
        ((0.1, 0.2, 0.9, 100), [0.9, 100]),
        ((10, 12, 15, 19, 30), [10, 19, 30]),
        ((20, 21, 1_000), [20, 21, 1_000]),
    ],
)
def test_what_is_kept(told: tuple[float, ...], kept: list[float]) -> None:
    """Ever less the older it is, and always the oldest; nothing of the newest reading's own time or later."""
    assert ages(thinned(WEEK, map(before, told))) == kept


@pytest.mark.parametrize(
    "other",
    [
        replace(before(50), account="another"),
        replace(before(50), window="7d_opus"),
        replace(before(50), vendor="openai"),
        replace(before(50), resets_at=NOW - timedelta(minutes=9)),
    ],
)
def test_only_of_the_same_window(other: GaugeReading) -> None:
    """What was used before it began anew says nothing of it."""
    assert thinned(WEEK, [other]) == ()
    assert with_history([other, WEEK])[WEEK.gauge] == (WEEK,)


@given(st.lists(st.integers(1, 600), min_size=1, max_size=400))
def test_it_stays_small_and_near(steps: list[int]) -> None:
    """However they come: the oldest is kept, and a gap between two is no longer than the younger one is old, unless nothing was read in it."""
    at = NOW - timedelta(days=5)
    told: list[GaugeReading] = []
    kept: tuple[GaugeReading, ...] = ()
    for step in steps:
        at += timedelta(seconds=step)
        told.append(replace(WEEK, observed_at=at))
        ((_, *older),) = with_history((*kept, told[-1])).values()
        kept = (told[-1], *older)
    assert len(kept) <= 30 < MOST_EARLIER
    assert kept[-1] == told[0]
    for one, older_one in pairwise(kept):
        gap, age = one.observed_at - older_one.observed_at, kept[0].observed_at - one.observed_at
        between = [reading for reading in told if older_one.observed_at < reading.observed_at < one.observed_at]
        assert not between or gap <= max(age, FINEST)
