"""Gauges: which reading of a window counts, until when, and what windows are called."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.gauge import GaugeReading, GaugeSource, newest, window_named
from tabstop.wire_json import from_json, to_json

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
READ = GaugeReading("anthropic", "org-1", "5h", 4_270, NOW, GaugeSource.HEADER, NOW + timedelta(hours=2), 300)


@pytest.mark.parametrize(
    ("resets_in", "minutes", "after", "used"),
    [
        (120, 300, 119, 4_270),
        (120, 300, 120, None),
        (-1, 300, 0, None),
        (None, 300, 299, 4_270),
        (None, 300, 300, None),
        (None, 0, 80_000, 4_270),
        (None, 0, 86_400, None),  # no window is longer
        (360, 300, 301, 4_270),  # a machine's clock may be behind
        (361, 300, 299, 4_270),  # this window cannot begin anew then, so that is not believed
        (361, 300, 300, None),
    ],
)
def test_a_reading_counts_until_its_window_begins_anew(
    resets_in: int | None, minutes: int, after: int, used: int | None
) -> None:
    """By the vendor's word where it can be, else after the window's whole length. Then nobody knows, which is not the same as empty."""
    resets_at = None if resets_in is None else NOW + timedelta(minutes=resets_in)
    reading = replace(READ, resets_at=resets_at, minutes=minutes)
    assert reading.used_at(NOW + timedelta(minutes=after)) == used


@pytest.mark.parametrize(
    ("own", "minutes", "name"),
    [
        ("5h", 300, "5h"),
        ("primary", 299, "5h"),
        ("7d", 10_080, "weekly"),
        ("secondary", 10_079, "weekly"),
        ("7d_opus", 0, "7d_opus"),
        ("primary", 43_200, "primary"),
        ("primary", 296, "primary"),
    ],
)
def test_windows_are_named_by_their_length(own: str, minutes: int, name: str) -> None:
    """So that two vendors' 5 hours are called alike; what has no common length keeps the vendor's name."""
    assert window_named(own, minutes) == name


def test_a_reported_share_stands_against_an_estimate_of_the_same_moment() -> None:
    """The vendor knows better."""
    guess = replace(READ, used=9_000, source=GaugeSource.ESTIMATED)
    assert newest([READ, guess]) == newest([guess, READ]) == {READ.gauge: READ}


READINGS = st.lists(
    st.builds(
        GaugeReading,
        vendor=st.sampled_from(["anthropic", "openai"]),
        account=st.sampled_from(["", "a"]),
        window=st.sampled_from(["5h", "weekly"]),
        used=st.integers(0, 3),
        observed_at=st.integers(0, 3).map(lambda minutes: NOW + timedelta(minutes=minutes)),
        source=st.sampled_from(GaugeSource),
        resets_at=st.sampled_from([None, NOW, NOW + timedelta(hours=1)]),
        status=st.sampled_from(["", "allowed"]),
    ),
    max_size=12,
)


@given(READINGS, st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(readings: list[GaugeReading], random: object) -> None:
    """Whatever was told already, and in whatever parts."""
    again = [*readings, *readings]
    random.shuffle(again)  # type: ignore[attr-defined]
    half = len(again) // 2
    in_parts = newest((*newest(again[half:]).values(), *newest(again[:half]).values()))
    assert in_parts == newest(readings)
    for gauge, reading in in_parts.items():
        assert reading.observed_at == max(one.observed_at for one in readings if one.gauge == gauge)


@given(READINGS)
def test_it_travels_as_json(readings: list[GaugeReading]) -> None:
    """As any other part of the wire."""
    assert [from_json(GaugeReading, json.loads(json.dumps(to_json(one)))) for one in readings] == readings
