"""A session's live conversation with its server: what it hears, and what it tells."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from app.ledger.session_pause import go_on, pause
from tabstop.money import dollars
from tests.web.conftest import ORGANIZATIONS, Bench, json_of
from tests.web.live_session import an_event, audit, notices, resume, row

pytestmark = pytest.mark.usefixtures("approvers")


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
