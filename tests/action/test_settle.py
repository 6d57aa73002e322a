"""Settle's promises: it reports this job's usage once, names how the run truly ended, and tells it on the job's page."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tabstop.session import SessionOutcome
from tabstop.usage import Billing
from tabstop.verdict import Finding, Outcome, Signal, verdict_of
from tests.action.fake_tabstop import DOLLAR, spent_tab
from tests.action.jobs import Job, gated, masked, only_session, play
from tests.support import golden
from tests.support.samples import CLAUDE_CASES


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


@pytest.mark.parametrize("name", CLAUDE_CASES)
def test_every_captured_session_is_settled(job: Job, name: str) -> None:
    """Whatever a run left behind (whole, resumed, forked, killed, half a row): its calls arrive, it ends, the job goes on."""
    case = gated(job, name)
    assert job.run("settle") == 0
    known = only_session(job)
    seen = {key for keys in known.calls for key in keys}
    missing = [line for line in case.invoice if f"anthropic:req:{line.request_id}" not in seen]
    by_totals = {"compacted": 2, "killed-half-row": 1}
    assert len(missing) == by_totals.get(name, 0)
    assert known.end is not None
    assert job.outputs["reported"] == "true"
    assert job.said("error") == []


OUTCOMES = {
    "plain": SessionOutcome.FINISHED,
    "hook-stopped": SessionOutcome.STOPPED_HOOK,
    "max-turns": SessionOutcome.STOPPED_ITERATIONS,
    "max-budget": SessionOutcome.STOPPED_COST,
    "killed": SessionOutcome.FAILED,
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_outcome_is_the_true_one(job: Job, name: str) -> None:
    """A run that a hook stopped exits 0 and is no success; limits and kills are named."""
    gated(job, name)
    job.run("settle")
    known = only_session(job)
    assert known.end is not None
    assert known.end.outcome == OUTCOMES[name]
    assert job.outputs["outcome"] == OUTCOMES[name]


@pytest.mark.parametrize("name", ["plain", "compacted", "hook-stopped", "subagent-other-model", "killed-half-row"])
def test_the_jobs_page(job: Job, name: str) -> None:
    """Cost, tokens, calls by model, how it ended, the tab's total, and what was not counted."""
    gated(job, name, purpose="review")
    job.run("settle")
    golden.expect(f"action/settle-{name}.md", masked(job.page(), job))


def test_billing_evidence_is_sent(job: Job) -> None:
    """What the client said of its key decides; the workflow's own word comes first."""
    gated(job)
    job.run("settle")
    batch = only_session(job).batches[0]
    assert batch.billing is Billing.API
    assert "apiKeySource" in batch.billing_evidence
    gated(job)
    job.run("settle", billing="credits")
    assert job.tabstop.sessions["s2"].batches[0].billing is Billing.CREDITS


@pytest.mark.parametrize(
    ("environ", "billing"),
    [
        ({"CLAUDE_CODE_USE_MANTLE": "1", "CLAUDE_CODE_OAUTH_TOKEN": "t"}, Billing.API),
        ({"CLAUDE_CODE_USE_BEDROCK": "0", "CLAUDE_CODE_OAUTH_TOKEN": "t"}, Billing.SUBSCRIPTION),
        ({"ANTHROPIC_API_KEY": "", "CLAUDE_CODE_OAUTH_TOKEN": "t"}, Billing.SUBSCRIPTION),
    ],
)
def test_the_environment_tells_where_the_client_does_not(job: Job, environ: dict[str, str], billing: Billing) -> None:
    """A killed run says nothing of its key. A secret that is not there is a variable with nothing in it: that is none."""
    job.environ |= environ
    gated(job, "killed")
    job.run("settle")
    assert only_session(job).batches[0].billing is billing


def test_a_plans_dollars_are_named_as_such(job: Job) -> None:
    """Notional dollars are never shown as a bill."""
    job.tabstop.ends = lambda answer: replace(answer, cost=0, notional=answer.cost)
    gated(job)
    job.run("settle", billing="subscription")
    golden.expect("action/settle-subscription.md", job.page())


def test_what_has_no_price_is_said_beside_the_sum(job: Job) -> None:
    """A sum that leaves something out says so, in the headline too; a limit that was passed is named."""
    passed = Finding(Signal.LIMIT, Outcome.WARN, "cost", unit="usd", cap=10 * DOLLAR, spent=9 * DOLLAR)
    job.tabstop.ends = lambda answer: replace(answer, notional=DOLLAR, unpriced=2, verdict=verdict_of(passed))
    gated(job)
    job.run("settle")
    golden.expect("action/settle-unpriced.md", job.page())


def test_settling_twice_changes_nothing(job: Job) -> None:
    """A second settle step finds nothing left to do."""
    gated(job)
    job.run("settle")
    calls = dict(only_session(job).calls)
    assert job.run("settle") == 0
    assert only_session(job).calls == calls
    assert len(only_session(job).batches) == 1
    assert job.said("warning") == []
    assert "nothing left to settle" in job.log


def test_two_sessions_of_a_job_are_settled_each(job: Job) -> None:
    """Gate, agent, settle, and again: each settle takes the newest that is open, or the one it is told."""
    gated(job)
    job.run("settle")
    job.clock.at += timedelta(minutes=1)
    gated(job, "sonnet")
    job.run("settle", session="s2")
    assert len(job.tabstop.sessions["s1"].calls) == 5
    assert {call.model for call in job.tabstop.sessions["s2"].calls.values()} == {"claude-sonnet-4-5"}
    assert job.run("settle", session="s9") == 0
    assert "s9" in job.said("warning")[0].message


def test_calls_that_count_otherwise_are_said(job: Job) -> None:
    """With the server's reason, and how many: whoever compares the page with the log finds the difference explained."""
    job.tabstop.doubts = "It was made before its session began. It counts at 2026-11-02 12:00 UTC."
    gated(job)
    job.run("settle")
    assert f"Not counted as told:\n\n- 5 calls: {job.tabstop.doubts}\n" in job.page()


def test_an_agent_that_never_ran_is_not_started(job: Job) -> None:
    """No trace, no cost: the hold is given back under the right name."""
    job.run("gate")
    assert job.run("settle", agent_outcome="skipped") == 0
    known = only_session(job)
    assert known.end is not None
    assert known.end.outcome == SessionOutcome.NOT_STARTED
    assert known.batches == []
    golden.expect("action/settle-not-started.md", job.page())


def test_a_cancelled_job_is_cancelled(job: Job) -> None:
    """Only the transcript is left; its calls count all the same."""
    gated(job, "killed")
    job.environ["TABSTOP_JOB_STATUS"] = "cancelled"
    job.run("settle")
    known = only_session(job)
    assert known.end is not None
    assert known.end.outcome == SessionOutcome.CANCELLED
    assert known.calls


def test_after_a_refusal_there_is_nothing_to_settle(job: Job) -> None:
    """`if: always()` runs settle after a refused gate too; it says so in the log and is quiet otherwise."""
    job.tabstop.decide = lambda _request: spent_tab()
    job.run("gate")
    assert job.run("settle") == 0
    assert "nothing to settle" in job.log
    assert job.said("warning") == []
    assert job.summary == ""


def test_without_a_gate_settle_says_what_is_missing(job: Job) -> None:
    """A workflow without the first step gets a sentence, not a crash."""
    assert job.run("settle") == 0
    golden.expect("action/settle-without-gate.md", job.page())


def test_a_branch_the_agent_made_is_told_at_the_end(tmp_path: Path) -> None:
    """An agent that answers an issue makes its own branch and pull request: the start could not know, the end says."""
    job = Job(tmp_path, event={"issue": {"number": 8}, "repository": {"private": True}})
    gated(job, "pull-request")
    job.run("settle")
    known = only_session(job)
    assert known.end is not None
    assert known.start.branch == ""
    assert known.end.branch.startswith("feature/")
    assert known.end.pull_request == 42


@pytest.mark.parametrize("agent", ["codex", "gemini-cli", "opencode"])
def test_an_agent_that_left_no_log_is_unknown_never_free(job: Job, agent: str) -> None:
    """Its session ends, its cost is said to be unknown, on the page and to the server."""
    job.run("gate", agent=agent)
    job.clock.at += timedelta(minutes=4)
    assert job.run("settle", agent_outcome="success") == 0
    known = only_session(job)
    assert known.end is not None
    assert known.end.outcome == SessionOutcome.FINISHED
    assert known.end.skipped == {"logs of this agent: none that was written in this job": 1}
    assert "$0" not in job.page()
    if agent == "codex":
        golden.expect("action/settle-not-read.md", job.page())


@pytest.mark.parametrize(
    ("step", "status", "outcome"),
    [
        ("success", "failure", SessionOutcome.FINISHED),
        ("failure", "success", SessionOutcome.FAILED),
        ("cancelled", "cancelled", SessionOutcome.CANCELLED),
        ("", "success", SessionOutcome.FINISHED),
        ("", "failure", SessionOutcome.FAILED),
        ("", "cancelled", SessionOutcome.CANCELLED),
    ],
)
def test_an_unread_agents_outcome_is_its_steps(job: Job, step: str, status: str, outcome: SessionOutcome) -> None:
    """The step's outcome where the workflow gives it, else the job's."""
    job.run("gate", agent="gemini-cli")
    job.environ["TABSTOP_JOB_STATUS"] = status
    job.run("settle", agent_outcome=step)
    known = only_session(job)
    assert known.end is not None
    assert known.end.outcome == outcome


def test_the_time_it_took_is_told(job: Job) -> None:
    """From the gate to settle, in whole seconds."""
    job.run("gate")
    gate: datetime = job.clock.at
    play(job, "plain")
    job.run("settle")
    known = only_session(job)
    assert known.end is not None
    assert known.end.duration_seconds == round((job.clock.at - gate).total_seconds())
