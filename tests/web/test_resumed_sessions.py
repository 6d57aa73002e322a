"""How a session goes on: asked about like a start, charged where it then is; the whole conversation, with the real reporter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tabstop.beside.control import tell
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.journal import Journal
from tabstop.beside.reporting import Reporter, reporter_for
from tabstop.beside.server import Server
from tabstop.governor.facts import Released, ToolFinished
from tabstop.governor.orders import Act
from tabstop.money import dollars
from tabstop.session import Limits, SessionOutcome
from tabstop.usage import Tokens, Usage
from tabstop.verdict import Outcome, Signal
from tabstop.wire import OverdriveRequest
from tests.web.conftest import ORGANIZATIONS, Bench, json_of
from tests.web.live_session import POLICY, OverTheBench, beside, resume, row

pytestmark = pytest.mark.usefixtures("approvers")


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
