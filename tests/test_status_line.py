"""The status line: what is read of the client's word, and the line, for every combination of what is known."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.money import dollars
from tabstop.status_line import Status, Tab, line, read_status
from tests.support.golden import expect
from tests.support.samples import SAMPLES

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LIMITS: dict[str, dict[str, Any]] = {
    "five_hour": {"used_percentage": 42.7, "resets_at": int(datetime(2026, 11, 20, 14, 30, tzinfo=UTC).timestamp())},
    "seven_day": {"used_percentage": 91, "resets_at": "2026-11-24T09:00:00Z"},
}


def payload(**more: Any) -> dict[str, Any]:
    """As the client gives it."""
    return {
        "session_id": "s1",
        "cwd": "/home/dev/widget",
        "workspace": {"current_dir": "/home/dev/widget/src", "repo": {"host": "github.com", "owner": "acme", "name": "widget"}},
        "cost": {"total_cost_usd": 1.2, "total_duration_ms": 1_800_000},
        **more,
    }  # fmt: skip


def said(status: Status, branch: str = "feature/login", tab: Tab | None = None, *, colour: bool = False) -> str:
    return line(status, branch, tab, NOW, UTC, colour=colour)


def before(minutes: int, percent: float, resets: Any = None, window: str = "5h") -> tuple[GaugeReading, ...]:
    """An earlier reading of a window, the 5 hours of `LIMITS` unless said otherwise."""
    name = {"5h": "five_hour", "weekly": "seven_day"}[window]
    told = {name: {"used_percentage": percent, "resets_at": resets or LIMITS["five_hour"]["resets_at"]}}
    return read_status({"rate_limits": told}, NOW - timedelta(minutes=minutes)).gauges


def test_lines() -> None:
    """All of them, in one place."""
    api, plan = read_status(payload(), NOW), read_status(payload(rate_limits=LIMITS), NOW)
    tab = Tab(dollars("12.30"), pull_request=42)
    young = read_status(payload(cost={"total_cost_usd": 0.5, "total_duration_ms": 59_000}), NOW)
    over = {**LIMITS, "five_hour": {"used_percentage": 3, "resets_at": int(NOW.timestamp()) - 1}}
    full = {"five_hour": {**LIMITS["five_hour"], "used_percentage": 82}, "seven_day": {"used_percentage": 100}}
    filling = replace(read_status(payload(rate_limits=full), NOW), earlier=before(30, 60) + before(600, 10))
    quiet = replace(plan, earlier=before(40, 42.7) + before(60 * 24, 86, LIMITS["seven_day"]["resets_at"], "weekly"))
    lines = {
        "all of it": said(plan, tab=tab),
        "at the rate of half an hour": said(filling, tab=tab),
        "windows nobody uses now": said(quiet, tab=tab),
        "paid by token": said(api, tab=tab),
        "no tab yet": said(api),
        "a plan paid for the tab": said(plan, tab=Tab(0, notional=dollars(3))),
        "both paid": said(plan, tab=Tab(dollars(1), notional=dollars(3))),
        "a plan paid, no price known": said(plan, tab=Tab(0, notional=None, notional_unpriced=8)),
        "a plan paid, some without a price": said(plan, tab=Tab(0, notional=dollars("0.73"), notional_unpriced=8)),
        "both paid, some of either without a price": said(plan, tab=Tab(dollars(1), 2, dollars(3), 4)),
        "both paid, no price known": said(plan, tab=Tab(None, 2, None, 4)),
        "no price known": said(api, tab=Tab(None, unpriced=3)),
        "some without a price": said(api, tab=Tab(dollars(2), unpriced=3)),
        "nothing spent": said(api, tab=Tab(0)),
        "detached head": said(api, branch=""),
        "too young for a rate": said(young),
        "a window that began anew": said(read_status(payload(rate_limits=over), NOW)),
        "nothing known": said(Status(), branch=""),
        "a hostile branch": said(Status(), branch="a\x1b[2J\nb"),
    }
    expect("cost/status-lines.txt", "".join(f"{name}:\n  {text}\n" for name, text in lines.items()))


def test_colours() -> None:
    """Yellow from three quarters, red from nine tenths, and nowhere else."""
    plan = read_status(
        payload(rate_limits={"five_hour": {"used_percentage": 75}, "seven_day": {"used_percentage": 90}}), NOW
    )
    assert said(plan, colour=True).endswith("\x1b[33m5h 75 %\x1b[0m · \x1b[31mweek 90 %\x1b[0m")
    assert "\x1b" not in said(plan)


def test_gauges() -> None:
    """As reports carry them: reported by the status line, in ten-thousandths."""
    five, week = read_status(payload(rate_limits=LIMITS), NOW).gauges
    assert (five.vendor, five.window, five.used, five.minutes, five.source) == (
        "anthropic",
        "5h",
        4270,
        300,
        GaugeSource.STATUS_LINE,
    )
    assert five.resets_at == datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
    assert (week.window, week.used, week.minutes) == ("weekly", 9100, 10_080)
    of_a_model = {"seven_day_opus": {"used_percentage": 5}, "spend_limit": {"used_percentage": 5}}
    [opus] = read_status(payload(rate_limits=of_a_model), NOW).gauges
    assert (opus.window, opus.used, opus.minutes) == ("7d_opus", 500, 10_080)
    assert week.resets_at == datetime(2026, 11, 24, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "limit",
    [
        None,
        {},
        {"used_percentage": "9"},
        {"used_percentage": -1},
        {"used_percentage": 5000},
        {"used_percentage": True},
        {"used_percentage": float("nan")},
    ],
)
def test_a_window_that_cannot_be_read_is_left_out(limit: Any) -> None:
    """A wrong gauge is worse than none; that a plan pays is known all the same."""
    status = read_status(payload(rate_limits={"five_hour": limit}), NOW)
    assert status.gauges == ()
    assert status.on_plan


@pytest.mark.parametrize("resets", [None, "soon", 1e30, -1, "2030-01-01", [], float("inf")])
def test_a_reset_that_cannot_be(resets: Any) -> None:
    """Is not told; the share is."""
    [gauge] = read_status(payload(rate_limits={"five_hour": {"used_percentage": 1, "resets_at": resets}}), NOW).gauges
    assert gauge.resets_at is None


def test_what_the_client_gave() -> None:
    """Captured payloads, from the first to the last of a session."""
    rows = (SAMPLES / "statusline.jsonl").read_text(encoding="utf-8").splitlines()
    found = [read_status(json.loads(row), NOW) for row in rows]
    assert {one.repository for one in found} == {"acme/widget"}
    assert [one.cost for one in found] == [0, dollars("0.074924"), dollars("0.08632")]
    assert {(one.on_plan, one.gauges) for one in found} == {(False, ())}


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["session_id", "cwd", "workspace", "current_dir", "repo", "host", "owner", "name", "cost", "total_cost_usd", "total_duration_ms",
         "rate_limits", "five_hour", "seven_day", "used_percentage", "resets_at"]), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@given(ANY, st.text(max_size=10))
def test_anything_gives_a_line(value: Any, branch: str) -> None:
    """One line, whatever comes in."""
    text = line(read_status(value, NOW), branch, None, NOW, UTC, colour=False)
    assert text
    assert text.isprintable()
