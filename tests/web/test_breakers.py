"""A breaker through the API: a trip told with usage refuses the next start, which says why; bad trips are refused."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.web.conftest import Bench, json_of


def a_trip(bench: Bench, **changes: Any) -> dict[str, Any]:
    """A tool that has only failed."""
    return {
        "metric": "tool failures",
        "subject": "Bash",
        "value": 100,
        "threshold": 60,
        "occurred_at": bench.clock.now.isoformat(),
        **changes,
    }


def verdict(bench: Bench) -> Any:
    headers = {"Authorization": f"Bearer {bench.token()}"}
    return json_of(bench.client.get("/api/v1/verdict?agent=claude-code", headers=headers))["verdict"]


def test_a_trip_refuses_the_next_start_until_a_probe_ends_well(bench: Bench) -> None:
    """Open, half-open, closed; the dry question says the same as a start."""
    started = bench.start()
    assert bench.report(started, trips=[a_trip(bench)]).status_code == 200
    assert bench.report(started, bench.a_call("r1"), trips=[a_trip(bench)]).status_code == 200
    bench.end(started, "stopped: breaker")
    refused = bench.start()
    assert refused.status_code == 403
    stop = json_of(refused)["verdict"]["findings"][0]
    assert (stop["signal"], stop["outcome"]) == ("breaker", "stop")
    assert "breaker clear acme/widget claude-code --why" in stop["sentence"]
    assert verdict(bench)["findings"][0]["sentence"] == stop["sentence"]

    bench.clock.pass_by(minutes=15)
    assert verdict(bench)["findings"][0]["outcome"] == "warn"
    probe = bench.start()
    assert probe.status_code == 201
    assert bench.start().status_code == 403
    bench.end(probe)
    assert bench.start().status_code == 201
    assert bench.start().status_code == 201


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metric": "bad mood"}, "trips[0].metric"),
        ({"subject": "rm -rf /"}, "trips[0].subject: found 'rm -rf /'"),
        ({"subject": "x" * 101}, "trips[0].subject"),
        ({"value": 101}, "expected value and threshold from 0 to 100 for tool failures"),
        ({"threshold": -1}, "trips[0]: found 100 over -1"),
        ({"metric": "cost rate", "value": 10**15 + 1}, "for cost rate"),
        ({"value": 1.5}, "trips[0].value"),
        ({"occurred_at": "yesterday"}, "trips[0].occurred_at"),
        ({"occurred_at": None}, "trips[0].occurred_at"),
    ],
)
def test_a_trip_that_is_none_is_refused(bench: Bench, change: dict[str, Any], said: str) -> None:
    """400 with the path, what was found and what is expected; nothing of the batch is stored."""
    started = bench.start()
    refused = bench.report(started, bench.a_call("r1"), trips=[a_trip(bench, **change)])
    assert refused.status_code == 400
    assert said in json_of(refused)["detail"]
    assert json_of(bench.report(started))["cost"] == 0
    assert bench.start().status_code == 201


def test_a_batch_holds_so_many_trips(bench: Bench) -> None:
    """A session trips once; a batch of many is a mistake."""
    refused = bench.report(bench.start(), trips=[a_trip(bench)] * 21)
    assert (refused.status_code, "at most 20" in json_of(refused)["detail"]) == (400, True)


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_an_absurd_time_is_brought_near(bench: Bench, year: str) -> None:
    """A time is a claim: no earlier than the session's start, no later than now."""
    started = bench.start()
    assert bench.report(started, trips=[a_trip(bench, occurred_at=f"{year}-06-01T00:00:00Z")]).status_code == 200
    assert bench.start().status_code == 403
    bench.clock.pass_by(minutes=15)
    assert bench.start().status_code == 201


def resumed(bench: Bench, started: TestResponse, **body: Any) -> TestResponse:
    """Ask to go on."""
    answer = json_of(started)
    headers = {"Authorization": f"Bearer {answer['token']}"}
    return bench.client.post(f"/api/v1/sessions/{answer['session']}/resume", json=body, headers=headers)


def a_release(bench: Bench) -> dict[str, Any]:
    """As a governor tells of it."""
    return {"kind": "release", "occurred_at": bench.clock.now.isoformat()}


def audited(bench: Bench) -> list[tuple[str, Any]]:
    """What the log says of the breaker: kind, and what a probe was admitted by."""
    bench.world.store.seal_audit(bench.organization.id, b"k")
    with bench.world.store.look(bench.organization.id) as books:
        rows = [sealed.row for sealed in books.audit_rows() if sealed.row.kind.startswith("breaker.")]
        return [(row.kind, row.body.get("released")) for row in rows]


def tripped_and_suspended(bench: Bench) -> TestResponse:
    """A session whose trip opened the breaker, a minute ago."""
    started = bench.start()
    bench.report(started, trips=[a_trip(bench)])
    bench.end(started, "suspended")
    bench.clock.pass_by(minutes=1)
    return started


@pytest.mark.parametrize("told", ["as an event", "as it goes on"])
def test_a_released_session_is_the_probe_of_the_breaker_it_tripped(bench: Bench, told: str) -> None:
    """It need not wait for the cooldown; everybody else does, until it ends well. The log says who was let through and why."""
    started = tripped_and_suspended(bench)
    assert resumed(bench, started).status_code == 403
    if told == "as an event":
        assert bench.report(started, events=[a_release(bench)]).status_code == 200
    body = {"released_at": bench.clock.now.isoformat()} if told == "as it goes on" else {}
    answer = resumed(bench, started, **body)
    assert answer.status_code == 200
    (said,) = [one for one in json_of(answer)["verdict"]["findings"] if one["signal"] == "breaker"]
    assert said["outcome"] == "warn"
    assert "is open, but this session was released and is its probe." in said["sentence"]
    assert bench.start().status_code == 403
    bench.end(started)
    assert bench.start().status_code == 201
    assert audited(bench) == [("breaker.tripped", None), ("breaker.probe_admitted", True), ("breaker.closed", None)]


def test_a_release_lets_only_the_session_go_on_that_tripped(bench: Bench) -> None:
    """Not another one; not after it tripped once more; not where another session tripped it since."""
    bystander = bench.start()
    bench.end(bystander, "suspended")
    started = tripped_and_suspended(bench)
    now = bench.clock.now.isoformat()
    assert resumed(bench, bystander, released_at=now).status_code == 403
    assert resumed(bench, started, released_at=now).status_code == 200
    bench.clock.pass_by(minutes=1)
    bench.report(started, trips=[a_trip(bench)])
    bench.end(started, "suspended")
    assert resumed(bench, started).status_code == 403
    assert resumed(bench, started, released_at=bench.clock.now.isoformat()).status_code == 200
    bench.end(started, "suspended")
    bench.clock.pass_by(minutes=1)
    bench.report(bystander, trips=[a_trip(bench)])
    bench.clock.pass_by(minutes=1)
    assert resumed(bench, started, released_at=bench.clock.now.isoformat()).status_code == 403
