"""What a run could not report and another brings in: it is charged to the one that spent it, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.github_api.protocol import GitHubError, RemotePullRequest, RemoteRun
from app.ledger.books import Place, SessionRow
from app.registry import PullRequest
from tabstop.budget import Scope
from tests.web.conftest import WIDGET, Bench, json_of

RUN = RemoteRun(7001, "pull_request", "head", "claude/fix", "completed", "success", 3, "alice", 1, WIDGET, WIDGET)
PULL = RemotePullRequest(
    7, "Fix", "open", False, "head", "claude/fix", WIDGET, "acme", "main", 3, "alice", False,
    datetime(2026, 11, 21, tzinfo=UTC),
)  # fmt: skip
REPORT = {"repository": "acme/widget", "branch": "claude/fix", "pull_request": 7, "run_id": "7001", "run_attempt": "1"}


def settle_of_bob(bench: Bench) -> str:
    """The settle of bob's run on #8."""
    return bench.token(run_id="7002", pull_request=8, branch="claude/two", actor="bob", actor_id="4")


def schedule_of_carol(bench: Bench) -> str:
    """A scheduled run, which is carol's because she wrote the workflow."""
    return bench.token(run_id="7003", event_name="schedule", branch="main", actor="carol", actor_id="5")


def brought_in(bench: Bench, token: str, key: str = "key-of-the-gate", **changes: Any) -> SessionRow:
    """The session that a report with one call of 1.5 cents becomes."""
    since = bench.clock.now.isoformat()
    started = bench.start(token=token, key=key, unadmitted_since=since, **{**REPORT, **changes})
    assert started.status_code == 201, started.text
    bench.report(started, bench.a_call("late"))
    bench.end(started)
    with bench.world.store.look(bench.organization.id) as books:
        session = books.session(json_of(started)["session"])
    assert session is not None
    return session


def seen(bench: Bench, session: SessionRow) -> tuple[str, str, Place]:
    """(login, branch, place) of a session; empty for none."""
    with bench.world.store.look(bench.organization.id) as books:
        engineer = books.engineer(session.engineer_id) if session.engineer_id is not None else None
        tab = books.tab(session.tab_id) if session.tab_id is not None else None
        [place] = books.places([session.place_id]).values()
    return engineer.login if engineer else "", tab.branch if tab else "", place


def spent(bench: Bench, scope: Scope, subject: int) -> int:
    with bench.world.store.look(bench.organization.id) as books:
        budget = books.budget_in_window(scope, subject, bench.clock.now)
    return budget.spent.nano if budget else 0


@pytest.mark.parametrize("token", [settle_of_bob, schedule_of_carol])
def test_it_is_charged_to_who_ran_it_and_where(bench: Bench, token: Any) -> None:
    """Alice's report on #7, brought in by bob's settle on #8 or by the schedule, is alice's and #7's, as a claim."""
    bench.github.runs["acme/widget", 7001] = RUN
    bench.github.put("acme/widget", PULL)
    session = brought_in(bench, token(bench))
    login, branch, place = seen(bench, session)
    assert (login, branch, place.confidence) == ("alice", "claude/fix", "claimed")
    assert (session.pull_request, session.run_id, session.run_attempt, session.job_id) == (7, "7001", "1", "")
    assert session.engineer_id is not None
    assert spent(bench, Scope.ENGINEER, session.engineer_id) == session.spent.nano == 15_000_000


@pytest.mark.parametrize("token", [settle_of_bob, schedule_of_carol])
@pytest.mark.parametrize("why", ["an old report", "an unknown run", "GitHub is away"])
def test_what_cannot_be_told_is_charged_to_nobody_s_budget(bench: Bench, token: Any, why: str) -> None:
    """The repository's only, on its guests' budget; never the one's who brings it."""
    changes = {"run_id": "", "run_attempt": ""} if why == "an old report" else {}
    if why == "GitHub is away":
        bench.github.runs["acme/widget", 7001] = RUN
        bench.github.refusals.append(GitHubError("busy", status=503))
    session = brought_in(bench, token(bench), **changes)
    login, branch, place = seen(bench, session)
    assert (login, branch, place.confidence) == ("", "", "repository only")
    assert place.reason.startswith("reported later by run 700")
    assert (session.pull_request, session.run_id) == (None, "")
    assert spent(bench, Scope.GUEST, bench.repository.id) == session.spent.nano == 15_000_000


def test_copies_brought_by_different_people_are_one_session(bench: Bench) -> None:
    """The first copy decides; the second finds it, also when GitHub has an answer by then."""
    first = brought_in(bench, settle_of_bob(bench))
    bench.github.runs["acme/widget", 7001] = RUN
    again = brought_in(bench, schedule_of_carol(bench))
    assert (again.id, again.spent, again.engineer_id) == (first.id, first.spent, first.engineer_id)


def test_a_pull_request_merged_meanwhile_keeps_its_tab(bench: Bench) -> None:
    """A late report of its run goes to the tab it had, not to the branch's next one."""
    bench.github.runs["acme/widget", 7001] = RUN
    bench.github.put("acme/widget", replace(PULL, state="merged"))
    with bench.world.store.open(bench.organization.id) as books:
        tab = books.open_tab(bench.repository.id, "claude/fix", bench.clock.now)
        books.save_pull_request(
            PullRequest(
                0,
                bench.repository.id,
                7,
                tab.id,
                "head",
                "claude/fix",
                "main",
                3,
                "Fix",
                "merged",
                False,
                bench.clock.now,
            )
        )
        books.end_tab(tab.id, bench.clock.now)
        books.open_tab(bench.repository.id, "claude/fix", bench.clock.now)
    assert brought_in(bench, settle_of_bob(bench)).tab_id == tab.id


def test_the_same_run_s_own_late_report_is_proven(bench: Bench) -> None:
    """The server came back between gate and settle: the token proves what the report says."""
    session = brought_in(bench, bench.token())
    login, branch, place = seen(bench, session)
    assert (login, branch, place.confidence) == ("alice", "claude/fix", "proven")
    assert (session.pull_request, session.run_id, session.job_id) == (7, "7001", "9001")


def test_a_run_s_number_is_no_book(bench: Bench) -> None:
    """Longer than any text of a start: refused with its name."""
    answer = bench.start(unadmitted_since=bench.clock.now.isoformat(), run_id="7" * 300)
    assert answer.status_code == 400
    assert "run_id: 300 characters" in json_of(answer)["detail"]
