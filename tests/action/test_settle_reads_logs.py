"""Settle reads the logs of Codex, Gemini CLI and OpenCode: what this job used, and no more, on whatever Python there is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from backports import zstd

from action.governed import Governed, as_governed
from action.traces import Traces
from tabstop.evidence import CommitMade
from tabstop.session import SessionOutcome
from tabstop.usage import Tokens, Usage
from tabstop.wire import ClientTotal
from tests.action.fake_tabstop import Known
from tests.action.jobs import Job, only_session
from tests.agents.opencode.database import build
from tests.support.samples import SAMPLES

GATE = datetime(2026, 11, 22, 5, 46, 0, tzinfo=UTC)
AFTER = datetime(2026, 11, 22, 5, 47, 0, tzinfo=UTC)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """One in which the captured sessions worked: their folder, and a gate just before them."""
    job = Job(tmp_path)
    job.environ["GITHUB_WORKSPACE"] = "/home/dev/widget"
    job.clock.at = GATE
    return job


def left(path: Path, content: bytes, at: datetime = AFTER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def codex(job: Job, *, packed: bool = False) -> None:
    day = job.home / ".codex" / "sessions" / "2026" / "11" / "22"
    forked = sample("codex/rollout-forked.jsonl")
    left(day / ("rollout-b.jsonl.zst" if packed else "rollout-b.jsonl"), zstd.compress(forked) if packed else forked)
    left(job.home / ".codex" / "archived_sessions" / "rollout-a.jsonl", sample("codex/rollout-branched.jsonl"))


def gemini(job: Job) -> None:
    project = job.home / ".gemini" / "tmp" / "widget"
    left(project / "chats" / "session-x.jsonl", sample("gemini/chat-auto.jsonl"))
    left(project / ".project_root", b"/home/dev/widget")


def opencode(job: Job) -> None:
    path = build(job.home / ".local" / "share" / "opencode" / "opencode.db")
    os.utime(path, (AFTER.timestamp(), AFTER.timestamp()))


def settled(job: Job, agent: str, leave: Callable[[Job], None] | None, **inputs: str) -> Known:
    job.run("gate", agent=agent)
    if leave is not None:
        leave(job)
    job.clock.at = AFTER
    assert job.run("settle", agent=agent, agent_outcome="success", **inputs) == 0
    assert job.outputs["reported"] == "true"
    return only_session(job)


@pytest.mark.parametrize(
    ("agent", "leave", "calls", "tokens"),
    [
        ("codex", codex, 8, Tokens(input=24_541, cache_read=40_540, output=1_310)),
        ("gemini-cli", gemini, 5, Tokens(input=8_420, cache_read=32_540, output=1_170)),
        ("opencode", opencode, 10, Tokens(input=112, cache_read=48_540, cache_write_5m=32_540, output=1_620)),
    ],
)
def test_what_the_real_clients_left_is_reported(
    job: Job, agent: str, leave: Callable[[Job], None], calls: int, tokens: Tokens
) -> None:
    """Forks, resumptions, archives and subagents included, each call once: to the token what the vendor's invoice had."""
    known = settled(job, agent, leave)
    assert len(known.calls) == calls
    assert known.tokens == tokens
    assert known.end is not None
    assert known.end.skipped == {}


def test_an_export_of_opencode_is_read_where_its_database_is_not(job: Job) -> None:
    """Where it ran in a container that is gone; by the same rules as any log."""
    job.clock.at = datetime(2026, 11, 21, 21, 20, tzinfo=UTC)
    path = left(job.home / "export.json", sample("opencode/export.json"))
    known = settled(job, "opencode", None, execution_file=str(path))
    assert len(known.calls) == 5
    assert known.tokens == Tokens(input=60, cache_read=37_400, cache_write_5m=11_600, output=850)
    assert known.end is not None
    assert known.end.skipped == {}


def test_an_export_of_before_the_gate_is_none_of_this_job(job: Job) -> None:
    """And is listed as not counted."""
    path = left(job.home / "export.json", sample("opencode/export.json"), GATE - timedelta(hours=1))
    known = settled(job, "opencode", None, execution_file=str(path))
    assert not known.calls
    assert known.end is not None
    assert known.end.skipped["file: not written to since the gate"] == 1


def test_where_codex_worked_goes_with_its_calls(job: Job) -> None:
    """Repository and branch of each, and the commits that were seen; the folder stays here."""
    known = settled(job, "codex", codex)
    branches = [call.branch for call in sorted(known.calls.values(), key=lambda call: call.occurred_at)]
    assert branches == ["feature/one"] * 7 + ["feature/two"]
    assert {call.repository for call in known.calls.values()} == {"acme/widget"}
    assert [made.branch for made in commits(known)] == ["feature/one", "feature/two"]


def commits(known: Known) -> list[CommitMade]:
    return [made for batch in known.batches for made in batch.commits]


def test_what_gemini_says_at_its_end_brings_in_the_router(job: Job) -> None:
    """The model that chose the model is in no chat. Where no chat is found, its totals are what there is."""

    def both(job: Job) -> None:
        gemini(job)
        said(job)

    def said(job: Job) -> None:
        left(job.home / "stdout.log", sample("gemini/result-auto.json"))

    known = settled(job, "gemini-cli", both, execution_file=str(job.home / "stdout.log"))
    assert {total.model: total.tokens.total for total in known.totals.values()} == {
        "gemini-3.1-pro-preview": 42_130,
        "gemini-3.5-flash-lite": 8_224,
    }
    assert len(known.calls) == 5


def test_a_pipe_is_no_file_to_wait_for(job: Job) -> None:
    """An agent can leave one where its stream is looked for; settle reads on without it."""
    pipe = job.home / "codex.jsonl"
    known = settled(job, "codex", lambda _: os.mkfifo(pipe), execution_file=str(pipe), model="gpt-5.5")
    assert (known.calls, known.totals) == ({}, {})


def test_codex_in_a_container_leaves_what_it_printed(job: Job) -> None:
    """Without a rollout the thread's count stands in, for the model that the workflow names."""
    printed = job.home / "codex.jsonl"

    def prints(_: Job) -> None:
        left(printed, sample("codex/stream.jsonl"))

    known = settled(job, "codex", prints, execution_file=str(printed), model="gpt-5.5")
    assert [(total.model, total.tokens.total) for total in known.totals.values()] == [("gpt-5.5", 49_910)]


@pytest.mark.parametrize("agent", ["codex", "gemini-cli", "opencode"])
def test_what_was_before_the_gate_or_elsewhere_is_not_this_jobs(job: Job, agent: str) -> None:
    """A machine that lives on keeps the logs of other jobs, and of people."""
    leave = {"codex": codex, "gemini-cli": gemini, "opencode": opencode}[agent]
    job.environ["GITHUB_WORKSPACE"] = "/home/dev/other"
    known = settled(job, agent, leave)
    assert known.calls == {}
    assert known.end is not None
    assert known.end.skipped["session: in another folder"] >= 1
    assert known.end.skipped["logs of this agent: none that was written in this job"] == 1
    assert "cost unknown" in job.summary


def test_files_that_were_not_written_to_since_the_gate_stay_closed(job: Job) -> None:
    """Thousands may lie there; of one that goes on, what was made before the gate does not count."""

    def older(job: Job) -> None:
        day = job.home / ".codex" / "sessions" / "2026" / "11" / "21"
        left(day / "rollout-old.jsonl", sample("codex/rollout.jsonl"), GATE.replace(hour=4))
        left(day / "rollout-again.jsonl", sample("codex/rollout-resumed.jsonl"))
        codex(job)

    known = settled(job, "codex", older)
    assert len(known.calls) == 8
    assert known.end is not None
    assert known.end.skipped == {"file: not written to since the gate": 1}


def test_another_home_is_named_by_the_workflow(job: Job) -> None:
    """`agent-home`, as for Claude Code."""

    def elsewhere(job: Job) -> None:
        codex(job)
        shutil.move(job.home / ".codex", job.home / "elsewhere")

    assert len(settled(job, "codex", elsewhere, agent_home=str(job.home / "elsewhere")).calls) == 8


def test_without_packages_only_what_is_packed_is_left_out(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, with its reason, and the rest counts."""
    monkeypatch.setattr("tabstop.agents.codex.packed.ZSTD", ())
    known = settled(job, "codex", lambda job: codex(job, packed=True))
    assert len(known.calls) == 7
    assert known.end is not None
    assert known.end.skipped == {"packed with zstd, which needs Python 3.14 or the package backports.zstd": 1}


def test_reading_logs_needs_the_standard_library_alone() -> None:
    """Settle runs on the runner's own Python."""
    code = "import sys; sys.path.insert(0, '.'); import action.logs_left, tabstop.agents.codex.logs, tabstop.agents.gemini.logs, tabstop.agents.opencode.logs"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


def test_what_geminis_hooks_told_is_told_by_its_chats_too() -> None:
    """Hooks do not know what was cached; the server finds which call is which. Without logs, what the governor counted is told."""
    at = datetime(2026, 11, 22, 5, 46, 30, tzinfo=UTC)
    hooked = Usage(("google:hook:s/main/1",), "gemini-2.5-pro", Tokens(input=7), at)
    total = ClientTotal("s", "gemini-2.5-pro", Tokens(input=9))
    by_chats = Traces(
        SessionOutcome.FINISHED, "", usages=(replace(hooked, keys=("google:chat:s/1",)),), totals=(total,)
    )
    governed = Governed(heard=True, answers=1, usages=(hooked,))
    assert as_governed(by_chats, governed) == by_chats
    assert as_governed(replace(by_chats, readable=False), governed).usages == (hooked,)


def test_a_database_that_is_damaged(job: Job) -> None:
    """Is told as not counted, with the reason."""

    def damaged(job: Job) -> None:
        left(job.home / ".local" / "share" / "opencode" / "opencode.db", b"SQLite format 3\0" + bytes(3_000))

    known = settled(job, "opencode", damaged)
    assert known.end is not None
    assert known.end.skipped["file: a damaged database"] == 1


def test_files_that_cannot_be_opened_and_a_python_without_sqlite(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reasons, no errors."""

    def refuse(file: object) -> object:
        raise PermissionError

    monkeypatch.setattr("action.logs_left.read", refuse)
    known = settled(job, "codex", codex)
    assert known.end is not None
    assert known.end.skipped["file: cannot be read (PermissionError)"] == 2

    def lacking(*_: object) -> object:
        raise ImportError("No module named '_sqlite3'")

    monkeypatch.setattr("action.logs_left.discover", lacking)
    job.run("gate", agent="opencode")
    job.run("settle", agent="opencode", agent_outcome="success", execution_file=str(job.home / "nothing"))
    assert "No module named" in job.summary
