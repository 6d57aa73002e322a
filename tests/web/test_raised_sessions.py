"""More than a session's limits: who may grant it, when, how much, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from app.jobs.lapse_overdrive import run as lapse_overdrive
from tabstop.money import dollars
from tests.web.conftest import ORGANIZATIONS, Bench, json_of
from tests.web.live_session import POLICY, audit, notices, overdrive, resume, row

pytestmark = pytest.mark.usefixtures("approvers")


def test_a_suspended_session_is_raised_and_goes_on_with_its_totals(bench: Bench) -> None:
    """It ended and held nothing; the overdrive gives it a hold again, under its old token and id."""
    bench.policy(POLICY)
    started = bench.start()
    assert json_of(bench.report(started, bench.a_call("r1", output=100_000)))["orders"] == ["halt"]
    assert json_of(bench.end(started, "suspended"))["cost"] == dollars("1.50")
    assert row(bench, started).held.nano == 0
    refused = resume(bench, started)
    assert refused.status_code == 403
    assert json_of(refused)["verdict"]["findings"][0]["signal"] == "limit"

    token = bench.engineer_token("carol", "approve")
    ended = row(bench, started).ended_at
    bench.clock.pass_by(hours=3)
    answer = json_of(overdrive(bench, started, token=token))
    assert (answer["live"], answer["limits"]["cost"], answer["limits"]["tokens"]) == (True, dollars("2"), 250_000)
    session = row(bench, started)
    assert (session.ended_at, session.outcome) == (None, None)
    assert ended is not None
    assert session.stood_seconds == (bench.clock.now - ended).total_seconds()
    assert session.held.nano == dollars("0.50")
    assert resume(bench, started).status_code == 200

    answer = json_of(bench.report(started, bench.a_call("r2", output=20_000)))
    assert (answer["cost"], answer["orders"]) == (dollars("1.80"), ["proceed"])
    assert json_of(bench.end(started))["cost"] == dollars("1.80")
    assert [r.kind for r in audit(bench, "session.overdrive_granted", "session.resumed")] == [
        "session.overdrive_granted",
        "session.resumed",
    ]
    (told,) = notices(bench, "raised")
    assert told["by_how_much"] == {"cost": dollars("1"), "tokens": 100_000}


def test_a_raise_is_granted_once(bench: Bench) -> None:
    """The answer was lost and the request sent again: the same raise; another key is another one."""
    bench.policy(POLICY)
    started = bench.start()
    first, again = json_of(overdrive(bench, started)), json_of(overdrive(bench, started))
    assert (first["overdrive"], again["limits"]["cost"]) == (again["overdrive"], dollars("2"))
    assert json_of(overdrive(bench, started, key="raise-000002"))["limits"]["cost"] == dollars("3")


def test_a_red_tab_refuses_the_overdrive_of_an_ended_session(bench: Bench) -> None:
    """It would need a hold that its tab has no room for: refused in words, and nothing is raised."""
    bench.policy("tab: $2\nsession:\n  cost: $1\nhold: $0.50\n")
    started = bench.start()
    bench.report(started, bench.a_call("r1", output=70_000))
    bench.end(started, "suspended")
    other = bench.start()
    bench.report(other, bench.a_call("r2", output=70_000))
    bench.end(other)
    refused = overdrive(bench, started, by_how_much={"cost": dollars("5")})
    assert refused.status_code == 403
    stop = json_of(refused)["verdict"]["findings"][0]
    assert (stop["signal"], stop["scope"], stop["outcome"]) == ("budget", "tab", "stop")
    assert "overdrive" in stop["remedy"]
    assert row(bench, started).limits["cost"] == dollars("1")
    assert notices(bench, "raised") == []


@pytest.mark.parametrize(
    ("login", "status"),
    [("carol", 200), ("Carol", 200), ("lee", 200), ("alice", 403), ("mallory", 403)],
)
def test_who_may_approve_is_the_organizations_to_say(bench: Bench, login: str, status: int) -> None:
    """By login or team; members only. Everybody else is told whom to ask."""
    bench.policy(POLICY)
    answer = overdrive(bench, bench.start(), login=login)
    assert answer.status_code == status
    if status == 403:
        assert "`carol` or the team `leads`" in json_of(answer)["remedy"]


def test_without_approvers_only_an_operator_can(bench: Bench) -> None:
    """The policy names nobody: the answer says so."""
    bench.policy(POLICY)
    bench.organization_policy("approvers: []\n")
    answer = json_of(overdrive(bench, bench.start()))
    assert "overdrive grant --session" in answer["remedy"]


def test_a_token_that_starts_sessions_cannot_raise_them(bench: Bench) -> None:
    """What an agent finds on a laptop: the engineer's token for starts, and its session's own."""
    bench.policy(POLICY)
    started = bench.start()
    usual = overdrive(bench, started, token=bench.engineer_token("carol", "start", "read"))
    assert (usual.status_code, json_of(usual)["title"]) == (403, "This engineer token is not good for `approve`.")
    assert overdrive(bench, started, token=json_of(started)["token"]).status_code == 401
    assert overdrive(bench, started, token=bench.token()).status_code == 401


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"by_how_much": {}}, "names no limit"),
        ({"by_how_much": {"cost": 0}}, "names no limit"),
        ({"by_how_much": {"cost": -5}}, "by_how_much.cost: found -5"),
        ({"by_how_much": {"cost": 10**16}}, "by_how_much.cost"),
        ({"why": " "}, "why: expected 1 to 500"),
        ({"lasts_seconds": 5}, "lasts_seconds: found 5"),
        ({"lasts_seconds": 10**9}, "lasts_seconds"),
        ({"by_how_much": {"iterations": 5}}, "It is bound by"),
    ],
)
def test_a_raise_that_means_nothing_is_refused(bench: Bench, body: dict[str, Any], said: str) -> None:
    """400 in words; nothing is raised."""
    bench.organization_policy(f"{ORGANIZATIONS}session:\n  cost: $1\n  iterations: unlimited\n")
    started = bench.start()
    refused = overdrive(bench, started, **body)
    assert refused.status_code == 400
    assert said in json_of(refused)["detail"]
    assert row(bench, started).limits["cost"] == dollars("1")


def test_a_raise_runs_out(bench: Bench) -> None:
    """What was spent of it stays; the session stands at its limit again. Twice is once."""
    bench.policy(POLICY)
    started = bench.start()
    granted = json_of(overdrive(bench, started, lasts_seconds=3_600))
    payload = {"session": json_of(started)["session"], "overdrive": granted["overdrive"]}
    bench.report(started, bench.a_call("r1", output=90_000))
    bench.clock.pass_by(hours=1)
    for _ in range(2):
        lapse_overdrive(bench.world, bench.organization.id, payload)
    assert row(bench, started).limits["cost"] == dollars("1")
    assert json_of(bench.report(started))["orders"] == ["halt"]
    assert len(audit(bench, "session.overdrive_ended")) == 1


def test_an_unknown_session_is_not_raised(bench: Bench) -> None:
    """404; another organization's is unknown too."""
    url = "/api/v1/sessions/ses_nobody/overdrive"
    headers = {"Authorization": f"Bearer {bench.engineer_token('carol', 'approve')}", "Idempotency-Key": "raise-000001"}
    body = {"by_how_much": {"cost": 1}, "why": "x"}
    assert bench.client.post(url, json=body, headers=headers).status_code == 404


def test_a_session_nobody_admitted_is_not_raised_or_resumed(bench: Bench) -> None:
    """It was told of after the fact: nothing bounds it here."""
    started = bench.start(run_id="7001", unadmitted_since=bench.clock.now.isoformat())
    assert overdrive(bench, started).status_code == 409
    assert resume(bench, started).status_code == 409


# How it goes on.
