"""A running session and the server: what it hears, what may end it, more that it is allowed, and how it goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.jobs.lapse_overdrive import run as lapse_overdrive
from app.ledger.books import SessionRow
from app.ledger.session_pause import go_on, pause
from tabstop.beside.control import tell
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.journal import Journal
from tabstop.beside.pricing import Pricer
from tabstop.beside.reporting import Reporter, reporter_for
from tabstop.beside.server import Server
from tabstop.beside.session_folder import Record, SessionFolder, create
from tabstop.beside.transport import Request, Response
from tabstop.governor.facts import Released, ToolFinished
from tabstop.governor.orders import Act
from tabstop.governor.settings import settings_of
from tabstop.money import dollars
from tabstop.price_card import PriceCard
from tabstop.session import Limits, SessionOutcome
from tabstop.usage import Tokens, Usage
from tabstop.verdict import Outcome, Signal
from tabstop.wire import Allowance, OverdriveRequest, StartRequest
from tabstop.wire_json import from_json
from tests.web.conftest import Bench, json_of

POLICY = "session:\n  cost: $1\n  tokens: 150k\n  on_tokens: suspend\n  on_limit: halt\nslack:\n  channel: '#spend'\n"
ORGANIZATIONS = "approvers: [carol, 'team:leads']\nslack:\n  channel: '#spend'\n"


@pytest.fixture(autouse=True)
def approvers(bench: Bench) -> None:
    """Carol may approve, and whoever is in the team of leads."""
    bench.organization_policy(ORGANIZATIONS)
    bench.github.members["acme"] |= {"carol", "lee"}
    bench.github.teams["acme", "leads"] = {"lee"}


def row(bench: Bench, started: TestResponse) -> SessionRow:
    """The session as stored."""
    with bench.world.store.look(bench.organization.id) as books:
        session = books.session(json_of(started)["session"])
    assert session is not None
    return session


def overdrive(
    bench: Bench,
    started: TestResponse,
    *,
    login: str = "carol",
    token: str = "",
    key: str = "raise-000001",
    **body: Any,
) -> TestResponse:
    """Ask for more: a dollar and 100,000 tokens unless told otherwise."""
    wanted = {"by_how_much": {"cost": dollars("1"), "tokens": 100_000}, "why": "nearly done", **body}
    bearer = token or bench.engineer_token(login, "approve")
    return bench.client.post(
        f"/api/v1/sessions/{json_of(started)['session']}/overdrive",
        json=wanted,
        headers={"Authorization": f"Bearer {bearer}", "Idempotency-Key": key},
    )


def resume(bench: Bench, started: TestResponse) -> TestResponse:
    """Ask to go on, with the session's first token."""
    answer = json_of(started)
    url = f"/api/v1/sessions/{answer['session']}/resume"
    return bench.client.post(url, json={}, headers={"Authorization": f"Bearer {answer['token']}"})


def audit(bench: Bench, *kinds: str) -> list[Any]:
    """Audit rows of these kinds, in order."""
    bench.world.store.seal_audit(bench.organization.id, b"k")
    with bench.world.store.look(bench.organization.id) as books:
        return [sealed.row for sealed in books.audit_rows() if sealed.row.kind in kinds]


def notices(bench: Bench, about: str) -> list[Any]:
    """Payloads of the notices that wait."""
    found = []
    while (job := bench.world.store.take_job("test", bench.clock.now)) is not None:
        bench.world.store.finish_job(job, bench.clock.now)
        if job.kind == "notice" and job.payload["notice"] == about:
            found.append(job.payload)
    return found


def an_event(bench: Bench, **changes: Any) -> dict[str, Any]:
    """A runaway alert."""
    return {
        "kind": "alert",
        "signal": "runaway",
        "scope": "token_spike",
        "value": 900,
        "threshold": 500,
        "occurred_at": bench.clock.now.isoformat(),
        **changes,
    }


# What it hears.


@pytest.mark.parametrize(
    ("exhaustion", "output", "order"),
    [
        ("on_tokens: suspend", 62_000, "suspend"),
        ("on_tokens: halt", 62_000, "halt"),
        ("on_tokens: summary", 62_000, "halt"),
        ("on_tokens: ask", 62_000, "wind down"),
        ("on_limit: suspend", 90_000, "suspend"),
        ("on_limit: halt", 90_000, "halt"),
        ("on_limit: halt", 10_000, "proceed"),
    ],
)
def test_its_own_limit_ends_it_as_the_policy_says(bench: Bench, exhaustion: str, output: int, order: str) -> None:
    """By the server's figures, which may be higher than the session's own."""
    bench.organization_policy(f"{ORGANIZATIONS}session:\n  cost: $1.20\n  tokens: 100k\n  {exhaustion}\n")
    started = bench.start()
    calls = [bench.a_call("r1", output=output), bench.a_call("r2", output=0)]
    if exhaustion.startswith("on_tokens"):
        calls[1]["tokens"]["input"] = 40_000  # many tokens, little money
    answer = json_of(bench.report(started, *calls))
    assert answer["orders"] == [order]
    assert (answer["limits"]["cost"], answer["limits"]["tokens"], answer["silent"]) == (dollars("1.20"), 100_000, False)


def test_its_wall_clock_is_not_the_servers_to_measure(bench: Bench) -> None:
    """It stands still while the agent does not run, which only its governor knows."""
    bench.policy("session:\n  wall_clock: 1h\n")
    started = bench.start()
    bench.clock.pass_by(hours=1, minutes=5)
    assert json_of(bench.report(started))["orders"] == ["wind down"]


RED = [
    ("tab: $2\n", "The tab's budget"),
    ("repository: $2\n", "The repository's budget"),
    ("engineer:\n  cap: $2\n", "The engineer's budget"),
]


@pytest.mark.parametrize(("red", "which"), RED)
def test_a_budget_that_turns_red_refuses_the_next_and_leaves_this_one_running(
    bench: Bench, red: str, which: str
) -> None:
    """Promises 4 and 12: another session drains the tab, the repository or the engineer; this one is told to wind down and which
    budget it is, without its figures, and may go on.
    """
    whose = bench.organization_policy if red.startswith("engineer") else bench.policy
    whose(f"{red}session:\n  cost: $1.50\nhold: $0.10\n")
    running, other = bench.start(), bench.start()
    assert (running.status_code, other.status_code) == (201, 201)
    bench.report(other, bench.a_call("greedy", output=130_000))
    bench.report(other, bench.a_call("greedier", output=100_000))
    assert bench.start().status_code == 403
    answer = json_of(bench.report(running, bench.a_call("mine", output=1_000)))
    assert answer["orders"] == ["wind down"]
    found = answer["verdict"]["findings"][0]
    assert found["sentence"] == f"{which} is spent: new sessions are refused, this one goes on."
    assert (found["outcome"], found["subject"], found["cap"], found["spent"]) == ("warn", "", None, 0)
    assert row(bench, running).ended_at is None


def test_a_breaker_that_another_session_opened_stops_nobody(bench: Bench) -> None:
    """It refuses starts; who runs goes on."""
    running, other = bench.start(), bench.start()
    trip = {"metric": "cost rate", "value": 9, "threshold": 5, "occurred_at": bench.clock.now.isoformat()}
    bench.report(other, trips=[trip])
    assert bench.start().status_code == 403
    assert json_of(bench.report(running))["orders"] == ["proceed"]


def test_an_operator_pauses_a_session_and_lets_it_go_on(bench: Bench) -> None:
    """Suspended while paused, not resumed before the pause ends; both are audited."""
    started = bench.start()
    with bench.world.store.open(bench.organization.id) as books:
        assert pause(books, row(bench, started), why="look into it", now=bench.clock.now)
    answer = json_of(bench.report(started))
    assert answer["orders"] == ["suspend"]
    assert [finding["signal"] for finding in answer["verdict"]["findings"]] == ["pause"]
    assert resume(bench, started).status_code == 403
    bench.end(started, "suspended")
    assert resume(bench, started).status_code == 403
    with bench.world.store.open(bench.organization.id) as books:
        assert not pause(books, row(bench, started), why="again", now=bench.clock.now)
        assert go_on(books, row(bench, started), why="fine", now=bench.clock.now)
    with bench.world.store.open(bench.organization.id) as books:
        assert not go_on(books, row(bench, started), why="fine", now=bench.clock.now)
    assert resume(bench, started).status_code == 200
    assert json_of(bench.report(started))["orders"] == ["proceed"]
    assert [r.body["why"] for r in audit(bench, "session.paused", "session.pause_ended")] == ["look into it", "fine"]


# What it tells.


def test_what_its_governor_did_is_kept_audited_and_told_once(bench: Bench) -> None:
    """However often a batch is sent: stored once, one audit row, one notice for a signal."""
    started = bench.start()
    spike, later = an_event(bench), an_event(bench, occurred_at=(bench.clock.now - timedelta(seconds=1)).isoformat())
    stop = an_event(bench, kind="suspend", signal="limit", scope="cost", unit="usd")
    step = an_event(bench, kind="degrade", signal="degradation", scope="cheaper_model")
    release = {"kind": "release", "occurred_at": bench.clock.now.isoformat()}
    for _ in range(2):
        assert bench.report(started, events=[spike, later, stop, step, release]).status_code == 200
    with bench.world.store.look(bench.organization.id) as books:
        assert len(books.events_of(json_of(started)["session"])) == 5
    assert [r.kind for r in audit(bench, "session.suspended", "session.degraded", "session.released")] == [
        "session.degraded",
        "session.released",
        "session.suspended",
    ]
    assert [(n["event"]["kind"], n["event"]["scope"]) for n in notices(bench, "session")] == [
        ("alert", "token_spike"),
        ("suspend", "cost"),
    ]


@pytest.mark.parametrize("lifted", ["raise", "release"])
def test_a_stop_after_it_was_let_go_on_is_told_again(bench: Bench, lifted: str) -> None:
    """A raise or a release makes the next stop another one; without it, and for an alert, once is enough."""
    started = bench.start()

    def tell(kind: str, **more: Any) -> None:
        bench.clock.pass_by(minutes=1)
        of = {"signal": "limit", "scope": "tokens", "unit": "tokens"} if kind == "suspend" else {}
        assert bench.report(started, events=[an_event(bench, kind=kind, **of, **more)]).status_code == 200

    tell("alert")
    tell("suspend")
    tell("suspend")
    assert [n["event"]["kind"] for n in notices(bench, "session")] == ["alert", "suspend"]
    tell(lifted, signal=None, scope="")
    tell("alert")
    tell("suspend")
    tell("suspend")
    tell(lifted, signal=None, scope="")
    tell("suspend")
    assert [n["event"]["kind"] for n in notices(bench, "session")] == ["suspend", "suspend"]


def test_a_stop_by_a_breaker_is_told_as_its_trip(bench: Bench) -> None:
    """One message, not two; and what only the log has is not told at all."""
    started = bench.start()
    bench.report(
        started,
        events=[
            an_event(bench, kind="stop", signal="breaker", scope="cost_rate"),
            an_event(bench, kind="stop", signal="runaway"),
            an_event(bench, kind="alert", signal="silence", scope="server"),
            an_event(bench, kind="alert", signal="limit", scope="defaults"),
            an_event(bench, kind="throttle", signal="rate", scope="calls_per_minute"),
        ],
    )
    assert notices(bench, "session") == []


def test_nobody_floods_log_or_channel(bench: Bench) -> None:
    """200 events of a session are kept, 12 told."""
    started = bench.start()
    for part in range(3):
        told = [an_event(bench, kind="stop", signal="limit", scope=f"limit_{part}_{n}") for n in range(100)]
        assert bench.report(started, events=told).status_code == 200
    with bench.world.store.look(bench.organization.id) as books:
        assert len(books.events_of(json_of(started)["session"])) == 200
    assert len(notices(bench, "session")) == 12


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "mood"}, "events[0].kind"),
        ({"signal": "boredom"}, "events[0].signal"),
        ({"scope": "rm -rf /"}, "events[0].scope: found 'rm -rf /'"),
        ({"subject": "x" * 101}, "events[0].subject"),
        ({"unit": "bananas"}, "events[0].unit: found 'bananas'"),
        ({"value": -1}, "events[0]: numbers must be"),
        ({"threshold": 10**16}, "events[0]: numbers must be"),
        ({"asked": 10**16}, "events[0]: numbers must be"),
        ({"occurred_at": "yesterday"}, "events[0].occurred_at"),
    ],
)
def test_an_event_that_is_none_is_refused(bench: Bench, change: dict[str, Any], said: str) -> None:
    """400 with the path; nothing of the batch is stored."""
    started = bench.start()
    refused = bench.report(started, bench.a_call("r1"), events=[an_event(bench, **change)])
    assert refused.status_code == 400
    assert said in json_of(refused)["detail"]
    assert json_of(bench.report(started))["cost"] == 0


def test_a_batch_holds_so_many_events(bench: Bench) -> None:
    """More than a session can have are a mistake."""
    refused = bench.report(bench.start(), events=[an_event(bench)] * 201)
    assert (refused.status_code, "at most 200" in json_of(refused)["detail"]) == (400, True)


# More than its limits.


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


def test_a_session_that_fell_silent_resumes(bench: Bench) -> None:
    """Its lease ran out while a laptop slept; its report hears so, and a hold is taken again."""
    bench.policy("session:\n  wall_clock: 1h\n")
    started = bench.start()
    bench.end(started, "silent")
    assert json_of(bench.report(started))["silent"]
    bench.clock.pass_by(days=20)
    answer = json_of(resume(bench, started))
    assert answer["token"]
    assert not json_of(bench.report(started))["silent"]
    assert row(bench, started).held.nano > 0


def test_going_on_is_asked_about_like_a_start(bench: Bench) -> None:
    """A paused organization, an open breaker, a repository that is gone: each refuses, in words."""
    started, other = bench.start(), bench.start()
    bench.end(started, "suspended")
    with bench.world.store.open(bench.organization.id) as books:
        books.save_organization(replace(books.organization(), paused=True))
    assert json_of(resume(bench, started))["verdict"]["findings"][0]["signal"] == "pause"
    with bench.world.store.open(bench.organization.id) as books:
        books.save_organization(replace(books.organization(), paused=False))
    trip = {"metric": "cost rate", "value": 9, "threshold": 5, "occurred_at": bench.clock.now.isoformat()}
    bench.report(other, trips=[trip])
    assert json_of(resume(bench, started))["verdict"]["findings"][0]["signal"] == "breaker"
    bench.clock.pass_by(hours=1)
    assert resume(bench, started).status_code == 200  # as the probe of the half-open breaker
    bench.end(started, "suspended")
    with bench.world.store.open(bench.organization.id) as books:
        books.save_repository(replace(bench.repository, active=False))
    assert json_of(resume(bench, started))["title"] == "Tabstop no longer covers this session's repository."


def test_a_session_that_goes_on_next_month_is_charged_there(bench: Bench) -> None:
    """Its hold lies in the windows of now; what it used before stays where it was."""
    bench.organization_policy(f"{ORGANIZATIONS}repository:\n  cap: $5\n  window: day\nsession:\n  cost: $4\n")
    started = bench.start()
    bench.report(started, bench.a_call("r1", output=200_000))
    bench.end(started, "suspended")
    before = row(bench, started).place_id
    bench.clock.pass_by(days=2)
    assert resume(bench, started).status_code == 200
    bench.report(started, bench.a_call("r2", output=50_000))
    session = row(bench, started)
    assert session.earlier_places == (before,)
    assert session.spent.nano == dollars("3.75")


# The price card.


@pytest.mark.parametrize(
    ("agent", "has", "has_not"),
    [
        ("claude-code", "claude-haiku-4-5", "gpt-5.5"),
        ("codex", "gpt-6-luna", "claude-haiku-4-5"),
        ("gemini-cli", "gemini-2.5-flash-lite", "gpt-5.5"),
        ("opencode", "gpt-5.5", "claude-2"),
    ],
)
def test_the_card_prices_what_the_agent_meets_beside_its_model(
    bench: Bench, agent: str, has: str, has_not: str
) -> None:
    """Subagents, small models and the ladder for degradation; modest in size."""
    answer = json_of(bench.start(agent=agent, model="my-model"))
    prices = answer["allowance"]["price_card"]["prices"]
    assert has in prices
    assert has_not not in prices
    assert prices[has]["context_window"]
    assert len(json.dumps(answer["allowance"]["price_card"])) < 40_000


# The whole conversation, with the real reporter.


class OverTheBench:
    """The reporter's transport, to the server in this process."""

    def __init__(self, bench: Bench) -> None:
        """To this one."""
        self.bench = bench

    def send(self, request: Request, timeout: float) -> Response:
        """See `tabstop.beside.transport.Transport`."""
        path = request.url.removeprefix("http://localhost")
        answer = self.bench.client.open(path, method=request.method, data=request.body, headers=dict(request.headers))
        return Response(answer.status_code, answer.get_data())


def beside(bench: Bench, tmp_path: Path, started: Any) -> tuple[SessionFolder, Pricer]:
    """The folder of a started session on the machine where it runs, and its prices."""
    allowance = from_json(Allowance, started["allowance"])
    settings = settings_of(allowance.governor, allowance.limits, "s1", ci=False, can_summarize=False)
    record = Record(
        "s1",
        bench.clock.now,
        StartRequest("claude-code"),
        settings,
        allowance.price_card,
        server="http://localhost",
        server_session=started["session"],
        token=started["token"],
    )
    return create(tmp_path, record), Pricer(PriceCard.from_json(allowance.price_card))


def test_suspended_raised_and_resumed_from_beside_the_agent(bench: Bench, tmp_path: Path) -> None:
    """The governor suspends at its limit, an approver raises it, the next run goes on with its totals and its limits."""
    bench.policy(POLICY)
    started = json_of(bench.start())
    folder, pricer = beside(bench, tmp_path, started)
    record = folder.record()
    settings = record.settings
    transport, environ = OverTheBench(bench), {"TABSTOP_STATE": str(tmp_path)}

    def used(key: str, output: int) -> Usage:
        return Usage((f"anthropic:req:{key}",), "claude-sonnet-4-5", Tokens(output=output), bench.clock.now)

    with Journal(folder.journal) as journal:
        session = GovernedSession(settings, pricer, bench.clock, journal=journal)
        reporter = reporter_for(record, session, folder, environ, transport=transport)
        assert reporter is not None
        reporter.begin()
        assert session.answered(used("r1", 70_000)).act is Act.HALT
        assert reporter.close(SessionOutcome.SUSPENDED, session.order().sentence)

    asked = OverdriveRequest(Limits(cost=dollars("1")), "nearly done")
    server = Server("http://localhost", transport, lambda _seconds: None)
    token = bench.engineer_token("carol", "approve")
    raised = server.overdrive(started["session"], asked, token=token, key="raise-000001")
    assert raised.live

    with Journal(folder.journal) as journal:
        session = GovernedSession(settings, pricer, bench.clock, journal=journal)
        assert session.order().act is Act.HALT
        reporter = reporter_for(folder.record(), session, folder, environ, transport=transport)
        assert reporter is not None
        assert reporter.begin().outcome is not Outcome.STOP
        assert session.order().act is Act.PROCEED
        assert session.answered(used("r2", 40_000)).act is not Act.HALT
        assert session.answered(used("r3", 40_000)).act is Act.HALT
        assert reporter.close(SessionOutcome.STOPPED_COST)
    with bench.world.store.look(bench.organization.id) as books:
        ended = books.session(started["session"])
    assert ended is not None
    assert (ended.outcome, ended.spent.nano) == (SessionOutcome.STOPPED_COST, dollars("2.25"))


def test_one_release_clears_the_brake_and_the_breaker(bench: Bench, tmp_path: Path) -> None:
    """A tool that only failed trips the breaker and uses up its retries. `tabstop release`, told to nobody, is enough to go on."""
    started = json_of(bench.start())
    folder, pricer = beside(bench, tmp_path, started)
    transport, environ = OverTheBench(bench), {"TABSTOP_STATE": str(tmp_path)}

    def taken_up(journal: Journal) -> tuple[GovernedSession, Reporter]:
        session = GovernedSession(folder.record().settings, pricer, bench.clock, journal=journal)
        reporter = reporter_for(folder.record(), session, folder, environ, transport=transport)
        assert reporter is not None
        return session, reporter

    with Journal(folder.journal) as journal:
        session, reporter = taken_up(journal)
        reporter.begin()
        for _ in range(3):
            bench.clock.pass_by(seconds=9)
            order = session.tell(ToolFinished(bench.clock.now, "fetch", "a" * 16, failed=True))
        assert order.ends_as is SessionOutcome.SUSPENDED
        assert reporter.close(order.ends_as, order.sentence)
    assert bench.start().status_code == 403

    bench.clock.pass_by(seconds=60)
    with Journal(folder.journal) as journal:
        _, reporter = taken_up(journal)
        assert reporter.begin().findings[0].signal is Signal.BREAKER  # not released yet
        reporter.close(None)
    tell(folder, Released(bench.clock.now, "kim"), bench.clock)
    bench.clock.pass_by(seconds=60)
    with Journal(folder.journal) as journal:
        session, reporter = taken_up(journal)
        assert reporter.begin().outcome is not Outcome.STOP
        assert session.order().act is Act.PROCEED
        assert reporter.close(SessionOutcome.FINISHED)
    assert bench.start().status_code == 201
