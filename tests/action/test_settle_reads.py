"""What settle takes from the files an agent left, however broken, and what of it leaves the machine."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from action.session_file import find
from tabstop.session import SessionOutcome
from tests.action.jobs import Job, gated, only_session, play
from tests.support.samples import claude_case


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


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


def test_a_plans_windows_are_told(job: Job) -> None:
    """What the client's output says of them goes with its usage."""
    gated(job)
    path = job.temp / "claude-execution-output.json"
    info = {"status": "allowed_warning", "rateLimitType": "five_hour", "utilization": 0.82}
    path.write_text(json.dumps([*json.loads(path.read_text()), {"type": "rate_limit_event", "rate_limit_info": info}]))
    os.utime(path, (job.clock.at.timestamp(),) * 2)
    job.run("settle")
    told = only_session(job).batches[-1].gauges
    assert [(one.window, one.used, one.observed_at) for one in told] == [("5h", 8_200, job.clock.at)]


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
