"""What Claude Code's stream tells of a plan's windows, by the schema in its own program."""

from datetime import UTC, datetime, timedelta

import pytest

from tabstop.agents.claude_code.rate_limits import readings_of_rate_limits
from tabstop.gauge import GaugeReading, GaugeSource

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
RESET = AT + timedelta(hours=2)


def reading(window: str, used: int, minutes: int, status: str = "", resets_at: datetime | None = RESET) -> GaugeReading:
    return GaugeReading("anthropic", "", window, used, AT, GaugeSource.EVENT, resets_at, minutes, status=status)


def test_the_window_that_limits_now() -> None:
    """All that older clients tell."""
    info = {
        "status": "allowed_warning",
        "rateLimitType": "five_hour",
        "utilization": 0.8237,
        "resetsAt": int(RESET.timestamp()),
    }
    assert readings_of_rate_limits(info, AT) == {"5h": reading("5h", 8_237, 300, "allowed_warning")}


def test_every_window() -> None:
    """Under the names that answers' headers have; each with its own status, and past its end too."""
    reset = int(RESET.timestamp())
    windows = {
        "five_hour": {"utilization": 1.04, "resetsAt": reset, "status": "rejected"},
        "seven_day": {"utilization": 0.5, "resetsAt": reset},
        "seven_day_overage_included": {"utilization": 0, "resetsAt": reset},
    }
    info = {"status": "rejected", "rateLimitType": "seven_day_opus", "utilization": 1, "unifiedWindows": windows}
    assert readings_of_rate_limits(info, AT) == {
        "5h": reading("5h", 10_400, 300, "rejected"),
        "weekly": reading("weekly", 5_000, 10_080),
        "7d_oi": reading("7d_oi", 0, 10_080),
        "7d_opus": reading("7d_opus", 10_000, 10_080, "rejected", None),
    }


def test_windows_of_models_to_come() -> None:
    """Are as long as their prefix says; a name that is none is left out, and so are more than anybody has."""
    windows = {f"seven_day_{name}": {"utilization": 0.5} for name in ("sonnet", "next_4", "No!", "")}
    windows |= {"five_hour_opus": {"utilization": 0.1}, "seven_days": {"utilization": 0.1}}
    assert readings_of_rate_limits({"unifiedWindows": windows}, AT) == {
        "5h_opus": reading("5h_opus", 1_000, 300, resets_at=None),
        "7d_next_4": reading("7d_next_4", 5_000, 10_080, resets_at=None),
        "7d_sonnet": reading("7d_sonnet", 5_000, 10_080, resets_at=None),
    }
    many = {f"seven_day_{number}": {"utilization": 0.5} for number in range(30)}
    assert len(readings_of_rate_limits({"unifiedWindows": many}, AT)) == 10


@pytest.mark.parametrize(
    "info",
    [
        None,
        [],
        {"status": "allowed"},
        {"rateLimitType": "overage", "utilization": 0.5},
        {"rateLimitType": ["five_hour"], "utilization": 0.5},
        {"rateLimitType": "five_hour", "utilization": True},
        {"rateLimitType": "five_hour", "utilization": "0.5"},
        {"rateLimitType": "five_hour", "utilization": -0.1},
        {"rateLimitType": "five_hour", "utilization": float("nan")},
        {"rateLimitType": "five_hour", "utilization": 10**400},
        {"unifiedWindows": {"five_hour": 3, "one_hour": {"utilization": 0.5}}},
    ],
)
def test_what_tells_of_no_window(info: object) -> None:
    """Nothing is read from it; pay-as-you-go beyond the plan is no window of it."""
    assert readings_of_rate_limits(info, AT) == {}


@pytest.mark.parametrize("resets_at", [None, True, "soon", -1, 1e300, float("nan"), 5, 99_999_999_999])
def test_a_reset_that_cannot_be(resets_at: object) -> None:
    """The share counts without it; a status the client does not have is none."""
    info = {"rateLimitType": "five_hour", "utilization": 0.1, "resetsAt": resets_at, "status": "odd"}
    assert readings_of_rate_limits(info, AT) == {"5h": reading("5h", 1_000, 300, resets_at=None)}
