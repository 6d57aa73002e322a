"""Windows: half-open intervals named by a timezone; every instant lies in exactly one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.window import LATE_LIMIT, WindowKind, chargeable_at, window_at

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]
instants = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone follows
turning = st.sampled_from([kind for kind in WindowKind if kind is not WindowKind.LIFETIME])


@pytest.mark.parametrize(
    ("kind", "zone", "instant", "start", "end", "name"),
    [
        ("day", "UTC", "2026-11-20T12:00", "2026-11-20T00:00", "2026-11-21T00:00", "2026-11-20"),
        ("day", "Europe/Berlin", "2026-11-20T23:30", "2026-11-20T23:00", "2026-11-21T23:00", "2026-11-21"),
        ("day", "Europe/Berlin", "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00", "2026-10-25"),
        ("day", "Europe/Berlin", "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00", "2026-03-29"),
        ("week", "UTC", "2026-11-22T23:59", "2026-11-16T00:00", "2026-11-23T00:00", "week of 2026-11-16"),
        ("week", "UTC", "2026-11-23T00:00", "2026-11-23T00:00", "2026-11-30T00:00", "week of 2026-11-23"),
        ("month", "UTC", "2026-12-31T23:59", "2026-12-01T00:00", "2027-01-01T00:00", "December 2026"),
        ("month", "America/New_York", "2026-11-01T03:00", "2026-10-01T04:00", "2026-11-01T04:00", "October 2026"),
        ("month", "UTC", "2028-02-29T00:00", "2028-02-01T00:00", "2028-03-01T00:00", "February 2028"),
    ],
)
def test_windows_as_people_expect_them(kind: str, zone: str, instant: str, start: str, end: str, name: str) -> None:
    """Midnights of the zone, days with a clock change, year ends, leap years."""

    def utc(text: str) -> datetime:
        return datetime.fromisoformat(f"{text}+00:00")

    window = window_at(WindowKind(kind), zone, utc(instant))
    assert (window.start, window.end, window.name) == (utc(start), utc(end), name)


def test_a_lifetime_never_ends() -> None:
    """A tab's budget ends with its generation, not with a date."""
    window = window_at(WindowKind.LIFETIME, "UTC", datetime(2026, 1, 1, tzinfo=UTC))
    assert window.end is None
    assert window.holds(datetime(2999, 1, 1, tzinfo=UTC))


@given(turning, st.sampled_from(ZONES), instants)
def test_every_instant_lies_in_exactly_one_window(kind: WindowKind, zone: str, instant: datetime) -> None:
    """The window that holds it ends where the next begins."""
    window = window_at(kind, zone, instant)
    assert window.holds(instant)
    assert window.end is not None
    assert not window.holds(window.end)
    assert window_at(kind, zone, window.end).start == window.end
    assert window_at(kind, zone, window.end - timedelta(microseconds=1)) == window
    assert window_at(kind, zone, window.start) == window


@given(instants, instants)
def test_unadmitted_usage_counts_when_it_happened(occurred: datetime, received: datetime) -> None:
    """Never in the future, never more than 35 days back."""
    at = chargeable_at(occurred, received)
    assert received - LATE_LIMIT <= at <= received
    assert at == occurred or not received - LATE_LIMIT <= occurred <= received
