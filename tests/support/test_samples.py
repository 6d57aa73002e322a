"""The captured sessions are whole: transcripts, streams and the API's invoice agree where they should, and differ only where documented."""

import contextlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.samples import CLAUDE_CASES, SAMPLES, claude_case

# What a case's transcripts lack of its invoice, in calls: compaction, and the row cut by hand.
MISSING = {"compacted": 2, "killed-half-row": 1}


def rows(project: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(project.rglob("*.jsonl")):
        for line in path.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):  # the half row
                yield json.loads(line)


def requests_in(project: Path) -> set[str]:
    return {row["requestId"] for row in rows(project) if row["type"] == "assistant" and "requestId" in row}


@pytest.mark.parametrize("name", CLAUDE_CASES)
def test_transcripts_hold_the_calls_on_the_invoice(name: str) -> None:
    """Every answer of the API is in a transcript, but for the documented cases; no transcript invents one."""
    case = claude_case(name)
    billed = {line.request_id for line in case.invoice}
    written = requests_in(case.folder / "projects")
    assert written <= billed
    assert len(billed - written) == MISSING.get(name, 0)
    assert len(case.invoice) == sum(run.calls for run in case.runs)


@pytest.mark.parametrize("name", CLAUDE_CASES)
def test_the_clients_totals_are_the_invoice(name: str) -> None:
    """The last result's tokens per model are the invoice's, summed over the runs its totals include."""
    case = claude_case(name)
    result = case.result()
    assert (case.execution_file is None) == (result is None) == name.startswith("killed")
    if result is None:
        return
    assert json.loads(case.execution_file.read_text() if case.execution_file else "[]") == case.events()
    other = {line.request_id for line in case.invoice if name == "forked" and line.run == 2}  # the fork's own call
    for model, usage in result["modelUsage"].items():
        lines = [line for line in case.invoice if line.model == model and line.request_id not in other]
        billed = (sum(x.input for x in lines), sum(x.output for x in lines), sum(x.cache_read for x in lines))
        assert (usage["inputTokens"], usage["outputTokens"], usage["cacheReadInputTokens"]) == billed


def test_a_case_lies_as_it_stood_after_each_run(tmp_path: Path) -> None:
    """After run N the transcripts hold the calls of runs 1 to N and no more; a fork's file appears with its run."""
    case = claude_case("forked")
    for run in case.runs:
        project = case.lay_out(tmp_path / str(run.number), after_run=run.number)
        billed = {line.request_id for line in case.invoice if line.run <= run.number}
        assert requests_in(project) == billed
        assert len(list(project.glob("*.jsonl"))) == (1 if run.number == 1 else 2)
    assert len(case.sessions) == 2


def test_subagents_lie_beside_their_session(tmp_path: Path) -> None:
    """Subagent transcripts and their meta files are laid out too."""
    case = claude_case("subagent")
    project = case.lay_out(tmp_path)
    [session] = case.sessions
    names = sorted(path.name for path in (project / session / "subagents").iterdir())
    assert [re.sub(r"[0-9a-f]{10,}", "ID", name) for name in names] == ["agent-ID.jsonl", "agent-ID.meta.json"]


def test_workspace_and_times_can_be_chosen(tmp_path: Path) -> None:
    """Rows, folder and file times follow the chosen workspace and beginning; nothing of the captured ones is left."""
    began = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
    project = claude_case("plain").lay_out(tmp_path, workspace=Path("/ws/some_repo"), began=began)
    assert project == tmp_path / "projects" / "-ws-some-repo"
    [transcript] = project.glob("*.jsonl")
    assert "/home/dev/widget" not in transcript.read_text()
    times = [row["timestamp"] for row in rows(project) if "timestamp" in row]
    assert all(time.startswith("2027-03-01T12:00:0") for time in times)
    assert datetime.fromtimestamp(transcript.stat().st_mtime, UTC) >= datetime.fromisoformat(max(times))


def test_the_killed_run_has_no_result_and_its_half_row_is_half(tmp_path: Path) -> None:
    """SIGKILL leaves calls without a total; the half row does not parse."""
    killed, half = claude_case("killed"), claude_case("killed-half-row")
    assert killed.result(1) is not None
    assert (killed.runs[1].exit, killed.result()) == (137, None)
    [path] = half.lay_out(tmp_path).glob("*.jsonl")
    with pytest.raises(json.JSONDecodeError):
        json.loads(path.read_text().splitlines()[-1])


def test_an_execution_file_ends_with_its_result(tmp_path: Path) -> None:
    """Any run's stream can be written as claude-code-action writes it."""
    path = claude_case("resumed").write_execution_file(tmp_path / "execution.json", run=1)
    events = json.loads(path.read_text())
    assert (events[0]["type"], events[-1]["type"]) == ("system", "result")


def test_samples_stay_small_and_name_no_machine() -> None:
    """Under 3 MB together, and no home directory but the sandbox's."""
    files = [path for path in SAMPLES.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 3_000_000
    homes = {
        match
        for path in files
        for match in re.findall(r"/(?:home|root|Users)/[a-z]*", path.read_text(errors="replace"))
    }
    assert homes <= {"/home/dev"}
