"""The demo's runner does what a runner does: action.yml as it is, its files, its commands, its secrets hidden."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from app.demo.captures import SESSIONS, Capture, folder_of
from app.demo.github_events import job_event
from app.demo.workflow_job import ACTION, WorkflowJob

NAMES = sorted(path.name for path in SESSIONS.iterdir() if path.is_dir())
BEGAN = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)


def a_job(folder: Path, server: str = "http://127.0.0.1:9") -> WorkflowJob:
    return WorkflowJob(folder, 84_000_101, server, {}, job_event())


def test_the_action_is_run_as_action_yml_says(tmp_path: Path) -> None:
    """The step's own script and environment: an input that cannot be used is refused by the real action."""
    done = a_job(tmp_path, server="tabstop.example.com").run_action(command="gate", wait="soon")
    assert (done.ok, done.exit) == (False, 2)
    (annotation,) = done.annotations
    assert annotation.level == "error"
    assert "server: found 'tabstop.example.com'" in annotation.text
    assert "wait: found 'soon'" in annotation.text
    assert "cannot be used" in done.summary


def test_an_input_the_action_does_not_have_is_not_given() -> None:
    """What the story hands to the action stands in action.yml."""
    inputs = yaml.safe_load(ACTION.read_text(encoding="utf-8"))["inputs"]
    assert {"command", "server", "purpose", "model", "execution-file", "agent-outcome"} <= set(inputs)


@pytest.mark.parametrize("name", NAMES)
def test_a_capture_is_laid_out_as_if_it_began_then(name: str, tmp_path: Path) -> None:
    """Times are moved, the working directory is the job's, and no trace of the captured one is left."""
    job, capture = a_job(tmp_path), Capture.named(name)
    execution_file = job.leave_behind(capture, BEGAN)
    transcripts = sorted((job.home / ".claude" / "projects" / folder_of(str(job.workspace))).rglob("*.jsonl"))
    assert transcripts
    for path in transcripts:
        text = path.read_text(encoding="utf-8")
        rows = [json.loads(line) for line in text.splitlines()]
        times = [datetime.fromisoformat(row["timestamp"]) for row in rows if "timestamp" in row]
        assert min(times) >= BEGAN
        assert max(times) <= BEGAN + capture.lasted + timedelta(seconds=1)
        assert capture.cwd not in text
        assert {row["cwd"] for row in rows if "cwd" in row} == {str(job.workspace)}
    assert json.loads(execution_file.read_text(encoding="utf-8"))[-1]["type"] == "result"


def test_captures_are_told_apart() -> None:
    """Distinct ids: the same call sent twice would count once."""
    sessions = [path.stem for path in SESSIONS.glob("*/projects/*/*.jsonl")]
    assert len(sessions) == len(set(sessions)) == len(NAMES)
