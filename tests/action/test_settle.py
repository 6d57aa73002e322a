"""Settle's promises: it reports this job's usage once, names how the run truly ended, loses nothing, and fails nobody's job."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from action.session_file import find
from tabstop.beside.spool import pending
from tabstop.beside.transport import NoAnswerError, Request, Response
from tabstop.session import SessionOutcome
from tabstop.usage import Billing
from tabstop.verdict import Finding, Outcome, Signal, verdict_of
from tabstop.wire import Problem
from tests.action.fake_tabstop import DOLLAR, Known, problem, spent_tab, times
from tests.action.jobs import SERVER, Job, from_a_fork
from tests.support import golden
from tests.support.samples import CLAUDE_CASES, ClaudeCase, claude_case

AWAY = NoAnswerError("Connection refused")


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def play(job: Job, name: str, *, after_run: int | None = None, execution: bool = True) -> ClaudeCase:
    """Let a captured session have run in this job, begun a minute after the gate."""
    case = claude_case(name)
    began = job.clock.at + timedelta(minutes=1)
    case.lay_out(job.home / ".claude", after_run=after_run, workspace=job.workspace, began=began)
    job.clock.at += timedelta(minutes=1) + (case.runs[-1].ended - case.runs[0].began) + timedelta(seconds=30)
    if execution and case.execution_file is not None:
        path = case.write_execution_file(job.temp / "claude-execution-output.json", after_run)
        os.utime(path, (job.clock.at.timestamp(),) * 2)
    return case


def gated(job: Job, name: str = "plain", **inputs: str) -> ClaudeCase:
    """A job whose gate let a captured session run."""
    assert job.run("gate", **inputs) == 0
    return play(job, name)


def only_session(job: Job) -> Known:
    [known] = job.tabstop.sessions.values()
    return known


def masked(text: str, job: Job) -> str:
    """Without what differs from folder to folder."""
    return text.replace(str(job.temp.parent), "")


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


def test_arguments_leave_as_hmacs_under_a_key_of_this_machine(job: Job) -> None:
    """Tools are named; of their arguments only keyed digests leave, and two sessions' digests never match."""
    gated(job)
    kept = find(job.temp / "tabstop")
    assert kept is not None
    job.run("settle")
    calls = only_session(job).calls.values()
    digests = [tool.arguments_hmac for call in calls for tool in call.tool_calls]
    assert digests
    assert all(len(digest) == 64 for digest in digests)
    sent = b"".join(request.body or b"" for request in job.transport.sent)
    assert kept.session.hmac_key.encode() not in sent
    gated(job)
    job.run("settle")
    others = [tool.arguments_hmac for call in job.tabstop.sessions["s2"].calls.values() for tool in call.tool_calls]
    assert not set(digests) & set(others)


def test_nothing_of_the_conversation_leaves(job: Job) -> None:
    """No prompt, no path, no output of a tool is in anything that is sent."""
    case = gated(job)
    job.run("settle")
    sent = b"".join(request.body or b"" for request in job.transport.sent).decode()
    assert case.runs[0].prompt not in sent
    assert str(job.workspace) not in sent
    assert "command" not in sent


def test_what_is_not_this_jobs_is_counted_as_skipped(job: Job) -> None:
    """Older sessions and those of another workspace stay out, and the page and the server say so."""
    earlier = claude_case("sonnet")
    earlier.lay_out(job.home / ".claude", workspace=job.workspace, began=job.clock.at - timedelta(days=1))
    job.run("gate")
    play(job, "plain")
    claude_case("resumed").lay_out(job.home / ".claude", workspace=Path("/elsewhere"), began=job.clock.at)
    job.clock.at += timedelta(minutes=5)
    job.run("settle")
    known = only_session(job)
    assert len(known.calls) == 5
    assert known.end is not None
    assert known.end.skipped == {"file: another workspace": 1, "file: not written to since the gate": 1}
    assert "another workspace" in job.summary


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


def test_two_gates_side_by_side_tell_a_total_once(job: Job) -> None:
    """Each settle finds both agents' files. Calls are known by their keys; a client's total has none, so it goes out once."""
    job.run("gate", purpose="review")
    job.clock.at += timedelta(seconds=1)
    job.run("gate", purpose="fix")
    play(job, "compacted")
    job.run("settle", session="s1")
    job.clock.at += timedelta(seconds=1)
    job.run("settle", session="s2")
    assert job.tabstop.sessions["s1"].totals
    assert job.tabstop.sessions["s2"].totals == {}
    assert "told by an earlier settle step" in job.summary


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
def test_an_agent_that_is_not_read_yet_is_unknown_never_free(job: Job, agent: str) -> None:
    """Its session ends, its cost is said to be unknown, on the page and to the server."""
    job.run("gate", agent=agent)
    job.clock.at += timedelta(minutes=4)
    assert job.run("settle", agent_outcome="success") == 0
    known = only_session(job)
    assert known.end is not None
    assert known.end.outcome == SessionOutcome.FINISHED
    assert known.end.skipped == {"usage of this agent, which is not read yet": 1}
    assert "$0" not in job.page()
    if agent == "codex":
        golden.expect("action/settle-not-read.md", job.page())


@pytest.mark.parametrize("broken", ["", "{", '[{"type": "result", "num_turns": ', "\x00\xff", "null"])
def test_a_broken_execution_file_is_survived(job: Job, broken: str) -> None:
    """Missing, cut or foreign: the transcripts count, and the page says what could not be read."""
    gated(job)
    path = job.temp / "elsewhere.json"
    path.write_text(broken)
    os.utime(path, (job.clock.at.timestamp(),) * 2)
    assert job.run("settle", execution_file=str(path)) == 0
    known = only_session(job)
    assert len(known.calls) == 5
    assert known.end is not None
    assert any(reason.startswith("execution file") for reason in known.end.skipped)


def test_an_old_execution_file_is_not_this_runs(job: Job) -> None:
    """A machine that lives on may still have the last run's file."""
    case = claude_case("max-turns")
    path = case.write_execution_file(job.temp / "claude-execution-output.json")
    os.utime(path, ((job.clock.at - timedelta(hours=1)).timestamp(),) * 2)
    job.run("gate")
    play(job, "plain", execution=False)
    job.run("settle")
    known = only_session(job)
    assert known.end is not None
    assert known.end.skipped["execution file: older than the gate"] == 1
    assert known.end.outcome == SessionOutcome.FAILED


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


def test_the_agents_folder_may_be_elsewhere(job: Job, tmp_path: Path) -> None:
    """`CLAUDE_CONFIG_DIR` moves it, and the input does where that is set for the agent's step only."""
    job.run("gate")
    play(job, "plain")
    (job.home / ".claude").rename(tmp_path / "elsewhere")
    job.run("settle", agent_home=str(tmp_path / "elsewhere"))
    assert len(only_session(job).calls) == 5


def test_a_cut_execution_file_is_mentioned(job: Job) -> None:
    """What could be read of it counts; that something is missing is said."""
    gated(job)
    path = job.temp / "claude-execution-output.json"
    path.write_text(path.read_text()[:-40])
    os.utime(path, (job.clock.at.timestamp(),) * 2)
    job.run("settle")
    known = only_session(job)
    assert known.end is not None
    assert known.end.skipped == {"execution file: cut off or partly unreadable": 1}


def test_a_named_file_that_is_missing_is_mentioned(job: Job) -> None:
    """The workflow named it, so its absence is worth a line; the usual place's is not."""
    gated(job)
    job.run("settle", execution_file=str(job.temp / "none.json"))
    known = only_session(job)
    assert known.end is not None
    assert known.end.skipped == {"execution file: not there": 1}


def spool_of(job: Job) -> Path:
    return job.home / ".local" / "state" / "tabstop" / "spool"


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


def test_the_next_settle_on_this_machine_brings_it_in(job: Job) -> None:
    """What was kept arrives later, once, under its own session."""
    gated(job)
    job.tabstop.fault = times(99, AWAY)
    job.run("settle")
    assert only_session(job).end is None
    job.tabstop.fault = lambda _route: None
    job.run("gate")
    play(job, "sonnet")
    assert job.run("settle") == 0
    assert job.tabstop.sessions["s1"].end is not None
    assert len(job.tabstop.sessions["s1"].calls) == 5
    assert job.outputs["spool-left"] == "0"
    assert pending(spool_of(job)) == ()
    assert "1 earlier report" in job.log


def test_a_spool_can_be_brought_in_by_itself(job: Job, tmp_path: Path) -> None:
    """A scheduled job unpacks artifacts into a folder and settles that, without a gate of its own."""
    gated(job)
    job.tabstop.fault = times(99, AWAY)
    job.run("settle")
    artifact = tmp_path / "artifacts" / job.outputs["spool-artifact"]
    artifact.mkdir(parents=True)
    Path(job.outputs["spool-path"]).rename(artifact / "report.json")
    collector = Job(tmp_path / "collector", event={})
    collector.tabstop = job.tabstop
    collector.tabstop.fault = lambda _route: None
    collector.transport.routes = {**collector.transport.routes, "https://tabstop": job.tabstop.answer}
    del collector.transport.routes["https://tabstop.acme.example"]
    assert collector.run("settle", spool=str(tmp_path / "artifacts")) == 0
    assert only_session(job).end is not None
    assert list(artifact.iterdir()) == []


def test_where_strangers_read_artifacts_the_token_stays_out(tmp_path: Path) -> None:
    """An artifact of a public repository can be read by anybody; it needs the identity of who brings it in, and is no second session."""
    event = from_a_fork()
    event["pull_request"]["head"]["repo"]["full_name"] = "acme/widget"
    job = Job(tmp_path, event=event)
    gated(job)
    job.tabstop.fault = times(99, AWAY)
    job.run("settle")
    artifact = Path(job.outputs["spool-path"])
    assert "session-token" not in artifact.read_text()
    folder = tmp_path / "artifact"
    folder.mkdir()
    artifact.rename(folder / "report.json")
    job.tabstop.fault = lambda _route: None
    assert job.run("settle", spool=str(folder)) == 0
    assert job.tabstop.asked[-1].request.unadmitted_since is not None
    known = only_session(job)
    assert known.start.branch == "claude/fix"
    assert len(known.calls) == 5


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


def test_reports_for_elsewhere_and_broken_files_wait(job: Job) -> None:
    """Another server's report, another repository's without a token, and what cannot be read are left alone and named."""
    gated(job)
    job.tabstop.fault = times(99, AWAY)
    job.run("settle")
    [left] = pending(spool_of(job))
    data = json.loads(left.path.read_text())
    other = {**data, "server": "https://other.example", "session": "s7"}
    foreign = {**data, "token": "", "start": {**data["start"], "repository": "acme/other"}}
    (spool_of(job) / "1.json").write_text(json.dumps(other))
    (spool_of(job) / "2.json").write_text(json.dumps(foreign))
    (spool_of(job) / "3.json").write_text('{"server"')
    (spool_of(job) / "4.json").symlink_to(left.path)
    job.tabstop.fault = lambda _route: None
    job.run("gate")
    job.run("settle")
    assert job.outputs["spool-left"] == "4"
    assert job.tabstop.sessions["s1"].end is not None
    assert sum("left alone" in line for line in job.lines) == 2
    [waiting] = [one for one in job.said("warning") if "waiting" in one.properties["title"]]
    golden.expect("action/settle-backlog.txt", waiting.message + "\n")


def three_waiting(job: Job) -> None:
    """Three earlier jobs whose reports did not arrive."""
    job.tabstop.fault = lambda route: None if route == "start" else Response(503)
    for name in ("plain", "sonnet", "subagent"):
        gated(job, name)
        job.run("settle")
        job.clock.at += timedelta(minutes=10)
    assert len(pending(spool_of(job))) == 3


def test_a_server_that_goes_away_again_stops_the_backlog(job: Job) -> None:
    """What arrived is gone from the spool, what arrived in part goes on from there, and nobody waits for each of the rest."""
    three_waiting(job)
    ends = [0]

    def fault(route: str) -> Response | None:
        ends[0] += route == "end"
        return Response(503) if ends[0] > 2 else None

    job.tabstop.fault = fault
    job.run("gate")
    job.run("settle", agent_outcome="skipped")
    left = pending(spool_of(job))
    assert [len(one.undelivered.batches) for one in left if one.undelivered] == [0, 1]
    assert job.outputs["spool-left"] == "2"
    assert len(job.tabstop.sessions["s2"].calls) == 5
    assert job.tabstop.sessions["s3"].calls == {}
    job.tabstop.fault = lambda _route: None
    job.run("settle", spool=str(spool_of(job)))
    assert all(known.end is not None for known in job.tabstop.sessions.values())
    assert pending(spool_of(job)) == ()


def test_a_late_session_that_broke_off_keeps_its_new_name(job: Job) -> None:
    """Started after the fact and cut off: the file now names that session, and the old file is gone."""
    gated(job)
    job.tabstop.fault = lambda route: None if route == "start" else Response(503)
    job.run("settle")
    job.tabstop.sessions.clear()
    job.tabstop.fault = lambda route: Response(503) if route == "end" else None
    job.run("settle", spool=str(spool_of(job)))
    [left] = pending(spool_of(job))
    assert left.undelivered is not None
    assert left.undelivered.token == only_session(job).token
    assert len(only_session(job).calls) == 5


def test_what_cannot_even_be_kept_is_said(job: Job) -> None:
    """A full or read-only disk: the page says that usage is lost, and the job goes on."""
    gated(job)
    (job.home / ".local").write_text("in the way")
    job.tabstop.fault = times(99, AWAY)
    assert job.run("settle") == 0
    assert "Tabstop: usage is lost" in [command.properties["title"] for command in job.said("warning")]


def test_a_touched_session_file_is_survived(job: Job) -> None:
    """The agent runs as the same user and could write into the folder; what is no session does not count."""
    gated(job)
    folder = job.temp / "tabstop"
    (folder / "99999999T000000.json").write_text('{"admission": "admitted"}')
    (folder / "99999998T000000.json").write_bytes(b"\xff")
    [good] = [path for path in folder.iterdir() if path.name.startswith("2026")]
    data = json.loads(good.read_text())
    good.write_text(json.dumps({**data, "hmac_key": "not hex"}))
    assert job.run("settle") == 0
    assert len(only_session(job).calls) == 5


def test_large_sessions_go_in_batches(job: Job) -> None:
    """Calls are cut into batches; the client's totals go with the last, so that they meet all calls."""
    job.run("gate")
    case = play(job, "plain")
    [transcript] = (job.home / ".claude" / "projects").rglob("*.jsonl")
    rows = [json.loads(line) for line in transcript.read_text().splitlines()]
    row = next(row for row in rows if row["type"] == "assistant")
    more = []
    for number in range(450):
        row["requestId"], row["message"]["id"] = f"req_{number}", f"msg_{number}"
        more.append(json.dumps(row))
    transcript.write_text("\n".join(more) + "\n" + transcript.read_text())
    os.utime(transcript, (job.clock.at.timestamp(),) * 2)
    job.run("settle")
    batches = only_session(job).batches
    assert [len(batch.calls) for batch in batches] == [200, 200, 50 + len(case.invoice)]
    assert [bool(batch.client_totals) for batch in batches] == [False, False, True]


def test_the_time_it_took_is_told(job: Job) -> None:
    """From the gate to settle, in whole seconds."""
    job.run("gate")
    gate: datetime = job.clock.at
    play(job, "plain")
    job.run("settle")
    known = only_session(job)
    assert known.end is not None
    assert known.end.duration_seconds == round((job.clock.at - gate).total_seconds())


def test_a_fault_of_ours_does_not_fail_the_job(job: Job) -> None:
    """Something nobody thought of: the page and the log say so, and the job goes on, unless the workflow says `block`."""
    gated(job)

    def broken(_route: str) -> Response | None:
        raise ArithmeticError("nobody thought of this")

    job.tabstop.fault = broken
    assert job.run("settle") == 0
    assert "nobody thought of this" in job.log
    golden.expect("action/settle-broke.md", job.page())
    assert job.run("settle", if_unreachable="block") == 3


def test_broken_characters_from_outside_are_survived(job: Job) -> None:
    """Half a surrogate can be neither printed nor stored: such an answer is not Tabstop's, and the report waits."""
    broken = Finding(Signal.LIMIT, Outcome.WARN, "cost", sentence="half \ud800")
    job.tabstop.ends = lambda answer: replace(answer, verdict=verdict_of(broken))
    gated(job)
    assert job.run("settle") == 0
    assert "not in Tabstop's form" in job.summary
    assert len(pending(spool_of(job))) == 1
