"""How full the vendors' windows are, and of whose account, by an answer's headers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from multidict import CIMultiDict

from tabstop.beside.proxy.gauges import gauges_of
from tabstop.gauge import GaugeReading, GaugeSource

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
RESET = int((NOW + timedelta(hours=2)).timestamp())


def gauge(window: str, used: int, minutes: int = 0, **more: Any) -> GaugeReading:
    """A reading of `v` at `NOW`."""
    return GaugeReading("v", "", window, used, NOW, GaugeSource.HEADER, minutes=minutes, **more)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ()),
        (
            {
                "anthropic-ratelimit-unified-5h-utilization": "0.427",
                "anthropic-ratelimit-unified-5h-reset": str(RESET),
                "anthropic-ratelimit-unified-5h-status": "allowed",
                "anthropic-ratelimit-unified-7d-utilization": "1.2",
                "anthropic-ratelimit-unified-status": "rejected",
            },
            (
                gauge("5h", 4_270, 300, resets_at=NOW + timedelta(hours=2), status="allowed"),
                gauge("weekly", 12_000, 10_080, status="rejected"),
            ),
        ),
        (
            {
                "Anthropic-RateLimit-Unified-7d_opus-Utilization": "0.5",
                "anthropic-ratelimit-unified-5h-reset": str(RESET),
            },
            (gauge("7d_opus", 5_000, 10_080),),
        ),
        (  # money for use beyond the plan, told like a window
            {"anthropic-ratelimit-unified-overage-utilization": "0.97"},
            (),
        ),
        (
            {
                "x-codex-primary-used-percent": "12.5",
                "x-codex-primary-window-minutes": "300",
                "x-codex-primary-reset-after-seconds": "7200",
                "x-codex-secondary-used-percent": "3",
                "x-codex-secondary-window-minutes": "10080",
                "x-codex-secondary-reset-at": str(RESET),
                "x-codex-limit-name": "gpt-5.5 <b>",
            },
            (
                gauge("5h", 1_250, 300, resets_at=NOW + timedelta(hours=2), plan="gpt-5.5 _b_"),
                gauge("weekly", 300, 10_080, resets_at=NOW + timedelta(hours=2), plan="gpt-5.5 _b_"),
            ),
        ),
        (  # a limit of its own, of some models: named as Codex names it in its logs
            {
                "X-Codex-Spark-Primary-Used-Percent": "50",
                "x-codex-spark-primary-window-minutes": "10080",
                "x-codex-spark-limit-name": "GPT-5.3-Codex-Spark",
                "x-codex-limit-name": "another's",
            },
            (gauge("weekly_codex_spark", 5_000, 10_080, plan="GPT-5.3-Codex-Spark"),),
        ),
        (
            {
                "x-codex-primary-used-percent": "0.01",
                "x-codex-primary-window-minutes": "299",
                "x-codex-secondary-used-percent": "1001",
                "x-codex-secondary-window-minutes": "10079",
            },
            (gauge("5h", 1, 299),),
        ),
        (
            {
                "anthropic-ratelimit-unified-5h-utilization": "much",
                "anthropic-ratelimit-unified-7d-utilization": "NaN",
                "x-codex-primary-used-percent": "-1",
                "x-codex-primary-window-minutes": "300",
                "x-codex-secondary-used-percent": "1",
                "x-codex-secondary-window-minutes": "0",
            },
            (),
        ),
        (
            {
                "anthropic-ratelimit-unified-5h-utilization": "0.1",
                "anthropic-ratelimit-unified-5h-reset": "99999999999",
                "x-codex-primary-used-percent": "1",
                "x-codex-primary-window-minutes": "5",
                "x-codex-primary-reset-after-seconds": "99999999999",
            },
            (gauge("5h", 1_000, 300), gauge("primary", 100, 5)),
        ),
    ],
)
def test_gauges(headers: dict[str, str], expected: tuple[GaugeReading, ...]) -> None:
    """As the vendors' headers tell; what cannot be read tells nothing. A length may be off by minutes."""
    assert gauges_of("v", CIMultiDict(headers), {}, NOW) == expected


@pytest.mark.parametrize(
    ("answer", "asked", "account"),
    [
        ({"anthropic-organization-id": "1f2e-a"}, {}, "1f2e-a"),
        ({}, {"chatgpt-account-id": "acc_1", "Authorization": "Bearer secret", "x-api-key": "secret"}, "acc_1"),
        ({"anthropic-organization-id": "<script>"}, {}, ""),
        ({}, {"Authorization": "Bearer secret", "x-api-key": "secret"}, ""),
    ],
)
def test_whose_account_a_gauge_is(answer: dict[str, str], asked: dict[str, str], account: str) -> None:
    """By the vendor's own id; never by a key, nor by anything made from one."""
    told = CIMultiDict({"anthropic-ratelimit-unified-5h-utilization": "0.5", **answer})
    (found,) = gauges_of("v", told, CIMultiDict(asked), NOW)
    assert found.account == account
    assert "secret" not in repr(found)
