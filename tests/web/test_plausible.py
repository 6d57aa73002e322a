"""Calls that cannot have been: too many tokens for a model are left out, times outside of a session are moved into it, and neither silently."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.otlp import a_body, a_call
from tests.web.conftest import Bench, json_of
from tests.web.live_session import audit, resume
from tests.web.test_otlp import post, usages


@pytest.mark.parametrize(
    ("tokens", "why"),
    [
        ({"output": 1_000_001}, "an answer of more than 1,000,000 tokens"),
        ({"input": 1_500_000, "cache_read": 500_001}, "a prompt of more than 2,000,000 tokens"),
    ],
)
def test_more_than_a_model_can_have(bench: Bench, tokens: dict[str, int], why: str) -> None:
    """However it is spread over kinds, the call is left out; the others count, and the audit log says so, once."""
    started = bench.start()
    calls = [bench.a_call("r1", tokens=tokens), bench.a_call("r2")]
    answers = [bench.report(started, *calls) for _ in range(2)]
    assert [json_of(answer)["new"] for answer in answers] == [1, 0]
    for answer in answers:  # whoever sends it again is told again
        said = [{"keys": ["anthropic:req:r1"], "why": f"It has {why}. It is not counted."}]
        assert json_of(answer)["doubted"] == said
    (row,) = audit(bench, "usage.implausible")
    assert row.body == {"calls": 1, "first": [{"keys": ["anthropic:req:r1"], "why": why}]}


def test_a_batch_of_nothing_else(bench: Bench) -> None:
    """Is noted too; a total over many calls may have as many."""
    started = bench.start()
    call = bench.a_call("r1", tokens={"output": 2_000_000})
    assert json_of(bench.report(started, call))["new"] == 0
    assert len(audit(bench, "usage.implausible")) == 1
    assert json_of(bench.report(started, call | {"grain": "aggregate"}))["new"] == 1


@pytest.mark.parametrize(
    ("model", "prompt"),
    [("claude-opus-5-5", 10_000_000), ("nobodys-model", 20_000_000), ("claude-opus-4-5", 2_000_000)],
)
def test_as_many_as_a_model_can_have(bench: Bench, model: str, prompt: int) -> None:
    """By the window that the price book knows, and far more where it knows none."""
    started = bench.start()
    for tokens, new in ((prompt, 1), (prompt + 1, 0)):
        call = bench.a_call(f"r{new}", model=model, tokens={"cache_read": tokens})
        assert json_of(bench.report(started, call))["new"] == new


def test_telemetry_is_no_exception(bench: Bench) -> None:
    """Such a record is rejected, with how many and why; the others count."""
    now = bench.clock.now
    body = a_body(
        a_call(now), a_call(now, "req_2", output_tokens=1_000_001), a_call(now, "req_3", input_tokens=2_000_001)
    )
    told = json_of(post(bench, body))["partialSuccess"]
    assert int(told["rejectedLogRecords"]) == 2
    assert (
        told["errorMessage"]
        == "a prompt of more than 2,000,000 tokens (1); an answer of more than 1,000,000 tokens (1)"
    )
    assert len(usages(bench)) == 1


def times(bench: Bench, started: Any) -> list[Any]:
    with bench.world.store.look(bench.organization.id) as books:
        return sorted(row.occurred_at for row in books.usages_of(json_of(started)["session"]))


def doubts(answer: Any) -> list[tuple[str, str]]:
    """Key and reason of each call that the answer says was not taken as told."""
    return [(one["keys"][0].rpartition(":")[2], one["why"]) for one in json_of(answer)["doubted"]]


def test_a_time_before_its_session(bench: Bench) -> None:
    """Counts from when the session began; the reporter hears it each time, the audit log once. Ten minutes may be two clocks."""
    started, now = bench.start(), bench.clock.now
    calls = [
        bench.a_call(key, occurred_at=(now - timedelta(minutes=minutes)).isoformat())
        for key, minutes in (("r1", 9), ("r2", 11), ("r3", 60 * 24 * 20))
    ]
    why = f"It was made before its session began. It counts at {now:%Y-%m-%d %H:%M} UTC."
    for _ in range(2):
        assert doubts(bench.report(started, calls=calls)) == [("r2", why), ("r3", why)]
    assert times(bench, started) == [now - timedelta(minutes=9), now, now]
    (row,) = audit(bench, "usage.before_session")
    assert row.body == {
        "calls": 2,
        "earliest": (now - timedelta(days=20)).isoformat(),
        "latest": (now - timedelta(minutes=11)).isoformat(),
        "counted_at": now.isoformat(),
    }


def test_a_time_after_its_session(bench: Bench) -> None:
    """A subagent in the background may outlive it by a day. What is later counts at its end; the others of the batch as they were told."""
    started = bench.start()
    bench.end(started)
    ended = bench.clock.now
    bench.clock.pass_by(days=3)
    calls = [
        bench.a_call(key, occurred_at=(ended + timedelta(hours=hours)).isoformat())
        for key, hours in (("r1", -0.1), ("r2", 24), ("r3", 25))
    ]
    why = f"It was made more than a day after its session ended. It counts at {ended:%Y-%m-%d %H:%M} UTC."
    for _ in range(2):
        assert doubts(bench.report(started, calls=calls)) == [("r3", why)]
    assert times(bench, started) == [ended - timedelta(hours=0.1), ended, ended + timedelta(hours=24)]
    (row,) = audit(bench, "usage.after_session")
    assert (row.body["calls"], row.body["counted_at"]) == (1, ended.isoformat())


@pytest.mark.parametrize("how", ["resumed", "silent"])
def test_a_session_that_goes_on_has_no_end(bench: Bench, how: str) -> None:
    """One that was resumed is open again; of one that only fell silent nobody knows when it ended."""
    started = bench.start()
    bench.end(started, "finished" if how == "resumed" else "silent")
    bench.clock.pass_by(days=2)
    if how == "resumed":
        assert resume(bench, started).status_code == 200
    answer = bench.report(started, bench.a_call("r1"))
    assert (doubts(answer), times(bench, started)) == ([], [bench.clock.now])


def test_a_time_in_the_future(bench: Bench) -> None:
    """Counts from now on, by the server's clock; ten minutes may be two clocks."""
    started, now = bench.start(), bench.clock.now
    calls = [
        bench.a_call(key, occurred_at=(now + timedelta(minutes=minutes)).isoformat())
        for key, minutes in (("r1", 9), ("r2", 11))
    ]
    why = f"It was made in the future, by the server's clock. It counts at {now:%Y-%m-%d %H:%M} UTC."
    assert doubts(bench.report(started, calls=calls)) == [("r2", why)]
    assert times(bench, started) == [now, now]
    assert len(audit(bench, "usage.ahead_of_time")) == 1


def test_times_of_telemetry(bench: Bench) -> None:
    """Hold for the session that hooks announced too; one that is opened for them begins when they say."""
    token, now = bench.engineer_token("alice", "start"), bench.clock.now
    admitted = bench.start(token=token, repository="acme/widget", branch="fix", thread="s-1")
    early = now - timedelta(hours=2)
    for _ in range(2):
        post(bench, a_body(a_call(early), a_call(early, "req_2", session__id="s-2")), token=token)
    assert times(bench, admitted) == [now]
    assert sorted(row.occurred_at for row, *_ in usages(bench)) == [early, now]
    (row,) = audit(bench, "usage.before_session")
    assert row.subject == json_of(admitted)["session"]


def test_what_nobody_was_asked_for_began_when_its_calls_say(bench: Bench) -> None:
    """An upload's older logs may be found last."""
    token, now = bench.engineer_token("alice", "start"), bench.clock.now
    since = now - timedelta(hours=1)
    late = bench.start(token=token, repository="acme/widget", branch="fix", unadmitted_since=since.isoformat())
    call = bench.a_call("r1", occurred_at=(now - timedelta(hours=5)).isoformat())
    assert bench.report(late, calls=[call]).status_code == 200
    assert times(bench, late) == [now - timedelta(hours=5)]
    assert audit(bench, "usage.before_session") == []
