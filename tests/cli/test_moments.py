"""Moments people type."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tabstop.cli.moments import since

NOW = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("30m", UTC, "2026-11-20T22:00:00Z"),
        ("12 h", UTC, "2026-11-20T10:30:00Z"),
        ("today", UTC, "2026-11-20T00:00:00Z"),
        ("1d", UTC, "2026-11-20T00:00:00Z"),
        ("7d", UTC, "2026-11-14T00:00:00Z"),
        ("2w", UTC, "2026-11-07T00:00:00Z"),
        ("2026-11-01", UTC, "2026-11-01T00:00:00Z"),
        ("today", BERLIN, "2026-11-19T23:00:00Z"),
        ("1d", ZoneInfo("Asia/Tokyo"), "2026-11-20T15:00:00Z"),
        ("2026-07-01", BERLIN, "2026-06-30T22:00:00Z"),
        ("99999w", UTC, "2000-01-01T00:00:00Z"),
        ("99999h", UTC, "2015-06-25T07:30:00Z"),
    ],
)
def test_moments(text: str, zone: ZoneInfo, expected: str) -> None:
    """Whole days in the zone that is asked for, by its own summer time."""
    assert since(text, NOW, zone) == datetime.fromisoformat(expected)


def test_this_machines_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a zone, days are the machine's."""
    found = since("2026-11-01", NOW, None)
    assert found.astimezone().isoformat().startswith("2026-11-01T00:00:00")


@pytest.mark.parametrize("text", ["", "soon", "0d", "-1d", "7", "2026-13-01", "1y", "999999d"])
def test_what_is_none(text: str) -> None:
    """The sentence says what is allowed."""
    with pytest.raises(ValueError, match="write `7d`"):
        since(text, NOW, UTC)
