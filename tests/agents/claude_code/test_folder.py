"""Which transcripts belong to a job, and that nothing in the folder can stop the reading."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tabstop.agents.claude_code.folder import SessionsFound, SkippedFile, read_folder
from tests.agents.claude_code.jobs import KEY, Job
from tests.support.samples import claude_case


def test_subagents_are_read_with_their_session(tmp_path: Path) -> None:
    """Three of five calls lie in `subagents/`, under the agent's own thread."""
    (session,) = Job(claude_case("subagent"), tmp_path).read().sessions
    threads = [one.thread for one in session.usages]
    assert threads.count(session.session) == 2
    assert len(threads) == 5
    assert len(set(threads)) == 2


def test_a_session_says_where_it_worked(tmp_path: Path) -> None:
    """Branch, working directory, client's version, and the pull request it opened."""
    job = Job(claude_case("pull-request"), tmp_path)
    (session,) = job.read().sessions
    assert session.cwd == str(job.workspace)
    assert session.branch == "feature/rename-heading"
    assert session.version == "2.1.330"
    (link,) = session.pull_requests
    assert (link.repository, link.number, link.branch) == ("acme/widget", 42, "feature/rename-heading")
    (commit,) = session.commits
    assert (commit.sha, commit.branch) == ("9d5f0cd", "feature/rename-heading")
    assert {usage.evidence.branch for usage in session.usages} == {"feature/rename-heading"}


def test_a_session_in_another_workspace_is_left_out(tmp_path: Path) -> None:
    """A shared machine: another job's session, beside this one's."""
    job = Job(claude_case("plain"), tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    claude_case("sonnet").lay_out(tmp_path / ".claude", workspace=other)
    found = job.read()
    assert [session.session for session in found.sessions] == list(job.case.sessions)
    assert [one.reason for one in found.skipped_files] == ["another workspace"]


def test_a_folder_below_the_workspace_is_the_workspace(tmp_path: Path) -> None:
    """An agent started in a part of the checkout."""
    job = Job(claude_case("plain"), tmp_path)
    found = read_folder(job.projects, begun_after=job.gate, workspace=tmp_path)
    assert len(found.sessions) == 1


def test_a_name_that_begins_alike_is_another_workspace(tmp_path: Path) -> None:
    """`~/widget-2` is not in `~/widget`."""
    job = Job(claude_case("plain"), tmp_path)
    found = read_folder(job.projects, begun_after=job.gate, workspace=Path(f"{job.workspace}"[:-1]))
    assert found.skipped == {"file: another workspace": 1}


def test_a_workspace_reached_by_a_link_is_the_same(tmp_path: Path) -> None:
    """Runners mount their workspace in odd ways."""
    job = Job(claude_case("plain"), tmp_path)
    link = tmp_path / "link"
    link.symlink_to(job.workspace)
    assert len(read_folder(job.projects, begun_after=job.gate, workspace=link).sessions) == 1


def test_what_was_not_written_since_the_gate_is_not_even_opened(tmp_path: Path) -> None:
    """A developer's machine holds thousands of old transcripts."""
    job = Job(claude_case("plain"), tmp_path)
    gate = job.case.runs[-1].ended + timedelta(seconds=10)
    found = read_folder(job.projects, begun_after=gate, workspace=job.workspace)
    assert found.skipped == {"file: not written to since the gate": 1}


def test_what_only_looks_new_is_left_out_by_its_rows(tmp_path: Path) -> None:
    """A cache restored by the job gives every file a new time; the rows keep theirs."""
    job = Job(claude_case("plain"), tmp_path)
    gate = job.case.runs[-1].ended + timedelta(seconds=10)
    for path in job.projects.rglob("*.jsonl"):
        os.utime(path, (gate.timestamp() + 60,) * 2)
    found = read_folder(job.projects, begun_after=gate, workspace=job.workspace)
    assert found.skipped == {"file: nothing in it since the gate": 1}


@pytest.mark.parametrize(("first_run", "calls"), [(1, 13), (2, 8), (3, 7)])
def test_a_session_resumed_after_the_gate_counts_from_there(first_run: int, calls: int, tmp_path: Path) -> None:
    """The file is one; what was before belongs to whoever paid for it then."""
    found = Job(claude_case("resumed"), tmp_path, first_run).read()
    assert len(found.usages) == calls


def test_a_forks_copies_are_its_parents_calls(tmp_path: Path) -> None:
    """Both files in one job: seven calls, each in the thread that made it."""
    job = Job(claude_case("forked"), tmp_path)
    found = job.read()
    parent, fork = job.case.sessions
    assert len(found.usages) == 7
    assert sum(one.thread == fork for one in found.usages) == 1
    assert sum(one.thread == parent for one in found.usages) == 6


def test_a_fork_whose_parent_is_gone_still_counts_only_itself(tmp_path: Path) -> None:
    """Its first total includes the parent's; what it copied tells how much that is."""
    job = Job(claude_case("forked"), tmp_path, first_run=2)
    parent, fork = job.case.sessions
    next(job.projects.rglob(f"{parent}.jsonl")).unlink()
    (session,) = job.read().sessions
    assert session.session == fork
    assert session.counts is not None
    (count,) = session.counts.values()
    assert [count.tokens] == [one.tokens for one in session.usages]


def test_a_subagents_folder_without_its_session(tmp_path: Path) -> None:
    """The main file was never written or is gone: the calls are still paid for."""
    job = Job(claude_case("subagent"), tmp_path)
    (main,) = job.projects.glob("*/*.jsonl")
    main.unlink()
    (session,) = job.read().sessions
    assert session.session == main.stem
    assert len(session.usages) == 3
    assert session.counts is None


def test_a_half_written_row_is_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    """A killed client leaves its last row cut."""
    found = Job(claude_case("killed-half-row"), tmp_path).read()
    assert len(found.usages) == 9
    assert found.skipped == {"half-written": 1}


def test_no_folder_is_no_session(tmp_path: Path) -> None:
    """The agent never ran, or kept its transcripts elsewhere."""
    job = Job(claude_case("plain"), tmp_path)
    assert read_folder(tmp_path / "missing", begun_after=job.gate, workspace=tmp_path) == SessionsFound()


def test_odd_things_in_the_folder(tmp_path: Path) -> None:
    """Links, pipes and folders in place of files: none is followed, opened or waited for."""
    job = Job(claude_case("plain"), tmp_path)
    (folder,) = [path for path in job.projects.iterdir() if path.is_dir()]
    (folder / "link.jsonl").symlink_to("/etc/hostname")
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "folder.jsonl").mkdir()
    (folder / "empty.jsonl").touch()
    (folder / "notes.txt").write_text("not a transcript")
    (job.projects / "file").touch()
    (job.projects / "elsewhere").symlink_to(folder)
    found = job.read()
    assert len(found.sessions) == 1
    assert sorted(found.skipped_files, key=lambda one: one.path) == [
        SkippedFile(f"{folder.name}/empty.jsonl", "names no working directory"),
        SkippedFile(f"{folder.name}/link.jsonl", "not a plain file"),
        SkippedFile(f"{folder.name}/pipe.jsonl", "not a plain file"),
    ]


def test_tools_leave_names_and_digests_only(tmp_path: Path) -> None:
    """Under a per-session key: equal arguments are equal, and cannot be told from outside."""
    job = Job(claude_case("resumed"), tmp_path)
    tools = [tool for one in job.read().usages for tool in one.tool_calls]
    assert {tool.name for tool in tools} == {"Bash", "Edit", "Read"}
    assert all(len(tool.arguments_hmac) == 64 for tool in tools)
    other = read_folder(job.projects, begun_after=job.gate, workspace=job.workspace, hmac_key=KEY + b"!")
    digests = {tool.arguments_hmac for one in other.usages for tool in one.tool_calls}
    assert not digests & {tool.arguments_hmac for tool in tools}


def write(path: Path, *rows: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def row(session: str, request: str, second: int, **more: object) -> dict[str, object]:
    message = {"model": "opus", "usage": {"input_tokens": 10}, "content": []}
    at = f"2026-11-21T12:00:{second:02d}.000Z"
    place = {"sessionId": session, "cwd": "/w"}
    return {"type": "assistant", "requestId": request, "timestamp": at, "message": message, **place, **more}


def total(tokens: int) -> dict[str, object]:
    return {"type": "cost-state", "modelUsage": {"opus": {"inputTokens": tokens}}}


def counted(projects: Path, second: int, session: str) -> int | None:
    """Input tokens the client counted since the gate at this second; None when it told no total."""
    gate = datetime(2026, 11, 21, 12, 0, second, tzinfo=UTC)
    found = read_folder(projects, begun_after=gate, workspace=Path("/w"))
    counts = {one.session: one.counts for one in found.sessions}[session]
    return None if counts is None else sum(one.tokens.input for one in counts.values())


def test_a_fork_begins_with_what_its_parent_had_then(tmp_path: Path) -> None:
    """The parent's total at the fork, compaction included; not the one it reached afterwards."""
    write(tmp_path / "w/p.jsonl", row("p", "r1", 1), total(17), row("p", "r9", 9), total(44))
    write(tmp_path / "w/f.jsonl", row("f", "r1", 1, requestSessionId="p"), row("f", "r5", 5), total(27))
    assert counted(tmp_path, 3, "f") == 10
    assert counted(tmp_path, 3, "p") == 27


def test_a_fork_of_a_killed_parent_begins_with_nothing(tmp_path: Path) -> None:
    """The client keeps its count in its own file: what was never written cannot be gone on from."""
    write(tmp_path / "w/p.jsonl", row("p", "r1", 1))
    write(tmp_path / "w/f.jsonl", row("f", "r1", 1, requestSessionId="p"), row("f", "r5", 5), total(12))
    assert counted(tmp_path, 3, "f") == 12


def test_a_run_after_its_session_was_killed(tmp_path: Path) -> None:
    """The client goes on from its last total, and so do we."""
    write(tmp_path / "w/p.jsonl", row("p", "r1", 1), total(12), row("p", "r2", 2), row("p", "r5", 5), total(22))
    assert counted(tmp_path, 4, "p") == 10
    assert counted(tmp_path, 0, "p") == 22


def test_a_session_without_a_total_tells_none(tmp_path: Path) -> None:
    """Killed in its first run: its calls are all there is."""
    write(tmp_path / "w/p.jsonl", row("p", "r1", 1))
    assert counted(tmp_path, 0, "p") is None


def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    """Another user's, say; the rest of the folder is read."""
    job = Job(claude_case("plain"), tmp_path)
    (folder,) = job.projects.iterdir()
    (folder / ("n" * 255)).mkdir()
    (folder / ("n" * 255) / "subagents").mkdir()
    (folder / ("n" * 255) / "subagents" / "a.jsonl").touch()
    found = job.read()
    assert len(found.sessions) == 1
    reasons = {one.reason for one in found.skipped_files}
    assert reasons == {"cannot be read (OSError)", "names no working directory"}
