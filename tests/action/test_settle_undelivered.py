"""A report that does not arrive: kept, explained, and never a reason to fail somebody's job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tabstop.beside.spool import pending
from tabstop.beside.transport import NoAnswerError, Request, Response
from tabstop.verdict import Finding, Outcome, Signal, verdict_of
from tabstop.wire import Problem
from tests.action.fake_tabstop import problem, spent_tab, times
from tests.action.jobs import AWAY, SERVER, Job, from_a_fork, gated, only_session, play, spool_of
from tests.support import golden


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_a_server_that_is_away_loses_nothing(job: Job) -> None:
    """The report is kept on this machine and as an artifact, the page says so, and the job goes on."""
    gated(job)
    job.tabstop.fault = times(99, AWAY)
    assert job.run("settle") == 0
    [left] = pending(spool_of(job))
    assert left.undelivered is not None
    assert left.undelivered.session == "s1"
    assert sum(len(batch.calls) for batch in left.undelivered.batches) == 5
    assert left.path.stat().st_mode & 0o077 == 0
    assert Path(job.outputs["spool-path"]).exists()
    assert job.outputs["spool-artifact"].startswith("tabstop-spool-7001-1-")
    assert job.outputs["reported"] == "false"
    golden.expect("action/settle-away.md", job.page())


def test_with_block_a_report_that_did_not_arrive_fails_the_step(job: Job) -> None:
    """Whoever says `block` at the gate means it here too."""
    gated(job)
    job.tabstop.fault = times(99, AWAY)
    assert job.run("settle", if_unreachable="block") == 3
    assert [command.properties["title"] for command in job.said("error")] == ["Tabstop: not reported yet"]


def test_a_session_nobody_could_be_asked_about_is_reported_after_the_fact(job: Job) -> None:
    """The gate let it go on unasked; settle starts it with the time it began, and even a red budget does not hide it."""
    job.tabstop.fault = times(99, AWAY)
    job.run("gate")
    began = job.clock.at
    play(job, "plain")
    job.tabstop.fault = lambda _route: None
    job.tabstop.decide = lambda _request: spent_tab()
    assert job.run("settle") == 0
    known = only_session(job)
    assert known.start.unadmitted_since == began
    assert (known.start.run_id, known.start.run_attempt) == ("7001", "1")
    assert len(known.calls) == 5
    assert "`s1`" in job.summary


def test_an_admission_nobody_heard_of_is_found_again(job: Job) -> None:
    """The gate's question arrived and its answer was lost: the report goes to the session the server opened, not to a second."""

    def answer_is_lost(request: Request) -> Response:
        job.tabstop.answer(request)
        raise NoAnswerError("Connection reset by peer")

    job.transport.routes[SERVER] = answer_is_lost
    job.run("gate")
    assert job.outputs["verdict"] == "unknown"
    job.transport.routes[SERVER] = job.tabstop.answer
    play(job, "plain")
    job.run("settle")
    assert len(only_session(job).calls) == 5


def test_a_fork_reports_nothing_and_says_so(tmp_path: Path) -> None:
    """Without an identity nothing can be reported; the page shows what was seen, and nothing is kept for later."""
    job = Job(tmp_path, event=from_a_fork(), identity=False)
    gated(job)
    assert job.run("settle") == 0
    assert job.tabstop.sessions == {}
    assert pending(spool_of(job)) == ()
    golden.expect("action/settle-fork.md", job.page())


def test_a_report_that_is_not_accepted_is_kept_and_explained(job: Job) -> None:
    """A server's refusal of the report is shown in its own words."""
    gated(job)
    job.tabstop.fault = times(99, problem(400, Problem("The batch is not valid.", "calls[0].keys: found ()")))
    assert job.run("settle") == 0
    assert "The batch is not valid." in job.summary
    assert len(pending(spool_of(job))) == 1


def test_half_a_report_goes_on_where_it_stopped(job: Job) -> None:
    """When the server goes away between usage and end, only the rest waits."""
    gated(job)
    job.tabstop.fault = lambda route: Response(503) if route == "end" else None
    job.run("settle")
    [left] = pending(spool_of(job))
    assert left.undelivered is not None
    assert left.undelivered.batches == ()
    assert len(only_session(job).calls) == 5


def test_what_cannot_even_be_kept_is_said(job: Job) -> None:
    """A full or read-only disk: the page says that usage is lost, and the job goes on."""
    gated(job)
    (job.home / ".local").write_text("in the way")
    job.tabstop.fault = times(99, AWAY)
    assert job.run("settle") == 0
    assert "Tabstop: usage is lost" in [command.properties["title"] for command in job.said("warning")]


def test_a_fault_of_ours_does_not_fail_the_job(job: Job) -> None:
    """Something nobody thought of: the page and the log say so, and the job goes on, unless the workflow says `block`."""
    gated(job)

    def broken(_route: str) -> Response | None:
        raise ArithmeticError("nobody thought of this")

    job.tabstop.fault = broken
    assert job.run("settle") == 0
    assert "nobody thought of this" in job.log
    golden.expect("action/settle-broke.md", job.page())
    assert job.run("settle", if_unreachable="block") == 4


def test_broken_characters_from_outside_are_survived(job: Job) -> None:
    """Half a surrogate can be neither printed nor stored: such an answer is not Tabstop's, and the report waits."""
    broken = Finding(Signal.LIMIT, Outcome.WARN, "cost", sentence="half \ud800")
    job.tabstop.ends = lambda answer: replace(answer, verdict=verdict_of(broken))
    gated(job)
    assert job.run("settle") == 0
    assert "not in Tabstop's form" in job.summary
    assert len(pending(spool_of(job))) == 1
