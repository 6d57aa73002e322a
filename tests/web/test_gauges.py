"""Gauges over the wire: a session tells, its engineer reads, nobody else does."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.web.conftest import Bench, json_of


def a_reading(bench: Bench, **changes: Any) -> dict[str, Any]:
    """Two fifths of the 5 hours."""
    return {
        "vendor": "anthropic",
        "account": "org-1",
        "window": "5h",
        "used": 4_000,
        "observed_at": bench.clock.now.isoformat(),
        "source": "header",
        **changes,
    }


def read(bench: Bench, bearer: str) -> Any:
    """Ask with a token."""
    return bench.client.get("/api/v1/gauges", headers={"Authorization": f"Bearer {bearer}"})


def test_an_engineer_reads_their_own(bench: Bench) -> None:
    """The newest of each window, from whichever session told it; sent again it changes nothing."""
    alice, bob = bench.engineer_token("alice", "start", "read"), bench.engineer_token("bob", "read")
    first = bench.start(token=alice, repository="acme/widget", branch="a")
    second = bench.start(token=alice, repository="acme/widget", branch="b")
    early = a_reading(bench)
    bench.clock.pass_by(minutes=5)
    late = a_reading(bench, used=5_000, plan="max", status="allowed_warning", minutes=300)
    for started, gauges in ((second, [late]), (first, [early]), (second, [late]), (first, [early, early])):
        assert bench.report(started, gauges=gauges).status_code == 200
    answer = json_of(read(bench, alice))
    assert [(one["used"], one["plan"], one["resets_at"]) for one in answer["gauges"]] == [(5_000, "max", None)]
    assert json_of(read(bench, bob))["gauges"] == []


def test_what_is_to_be_expected_of_it(bench: Bench) -> None:
    """Burn rate, when it is full, when it begins anew: on average at first, of the recent past once there is one."""
    alice = bench.engineer_token("alice", "start", "read")
    started = bench.start(token=alice, repository="acme/widget", branch="a")
    resets = (bench.clock.now + timedelta(hours=3)).isoformat()
    window = {"minutes": 300, "resets_at": resets}
    bench.report(started, gauges=[a_reading(bench, **window)])
    [seen] = json_of(read(bench, alice))["gauges"]
    assert (seen["used_now"], seen["an_hour"], seen["average"]) == (4_000, 2_000, True)
    assert seen["full_at"] is None
    bench.clock.pass_by(minutes=30)
    bench.report(started, gauges=[a_reading(bench, used=6_500, **window)])
    [seen] = json_of(read(bench, alice))["gauges"]
    assert (seen["used_now"], seen["an_hour"], seen["average"]) == (6_500, 5_000, False)
    full_at = datetime.fromisoformat(seen["full_at"])
    assert full_at == bench.clock.now + timedelta(minutes=42)
    assert full_at < datetime.fromisoformat(seen["resets_at"])


def test_who_may_not_read(bench: Bench) -> None:
    """A runner, a session, and a token without the scope."""
    started = bench.start()
    assert read(bench, bench.token()).status_code == 401
    assert read(bench, json_of(started)["token"]).status_code == 401
    assert read(bench, bench.engineer_token("alice", "start")).status_code == 403


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"used": -1}, "gauges[0].used: found -1, expected ten-thousandths of the window, 0 to 100,000"),
        ({"used": 100_001}, "gauges[0].used"),
        ({"vendor": ""}, "gauges[0].vendor"),
        ({"account": "Bearer x"}, "gauges[0].account"),
        ({"window": "w" * 101}, "gauges[0].window"),
        ({"plan": "<b>"}, "gauges[0].plan"),
        ({"status": "a\nb"}, "gauges[0].status"),
        ({"minutes": 90_000}, "gauges[0].minutes"),
        ({"resets_at": "2030-01-01T00:00:00Z"}, "gauges[0].resets_at"),
        ({"source": "a guess"}, "gauges[0].source"),
        ({"observed_at": "today"}, "gauges[0].observed_at"),
    ],
)
def test_what_no_window_can_be_is_refused(bench: Bench, changes: dict[str, Any], said: str) -> None:
    """With the whole batch, and in words."""
    started = bench.start()
    answer = bench.report(started, bench.a_call("r1"), gauges=[a_reading(bench, **changes)])
    assert answer.status_code == 400
    assert said in json_of(answer)["detail"]
    assert json_of(bench.report(started, bench.a_call("r1")))["new"] == 1


def test_a_batch_has_few(bench: Bench) -> None:
    """Fifty windows are more than anybody has."""
    answer = bench.report(bench.start(), gauges=[a_reading(bench)] * 51)
    assert "51 gauges in one batch; at most 50" in json_of(answer)["detail"]


def test_a_clock_that_is_wrong_costs_no_usage(bench: Bench) -> None:
    """The calls are taken; the reading is not."""
    alice = bench.engineer_token("alice", "start", "read")
    started = bench.start(token=alice, repository="acme/widget", branch="a")
    ahead = a_reading(bench)
    bench.clock.pass_by(minutes=-30)
    assert json_of(bench.report(started, bench.a_call("r1"), gauges=[ahead]))["new"] == 1
    assert json_of(read(bench, alice))["gauges"] == []
