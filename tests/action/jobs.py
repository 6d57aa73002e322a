"""A job for tests of the action's commands: folders, environment, clock and servers, without a process or a socket."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from action.inputs import Inputs
from action.main import run
from action.world import World
from tabstop.beside.transport import NoAnswerError, Request, Response
from tests.action.fake_tabstop import FakeClock, FakeTabstop, InProcess, Known
from tests.support.samples import ClaudeCase, claude_case
from tests.support.workflow_commands import WorkflowCommand, parse_commands, parse_file_command

SERVER = "https://tabstop.acme.example"
ISSUER = "https://pipelines.example/idtoken"
AWAY = NoAnswerError("Connection refused")

PULL_REQUEST: dict[str, Any] = {
    "pull_request": {
        "number": 42,
        "head": {"ref": "claude/fix", "sha": "b" * 40, "repo": {"full_name": "acme/widget"}},
    },
    "repository": {"full_name": "acme/widget", "private": True},
}


def from_a_fork() -> dict[str, Any]:
    """The event of a fork's pull request to a public repository."""
    event: dict[str, Any] = json.loads(json.dumps(PULL_REQUEST))
    event["pull_request"]["head"]["repo"]["full_name"] = "mallory/widget"
    event["repository"]["private"] = False
    return event


class Job:
    """One job on one runner. `run` runs a command of the action in it and remembers what was said and given."""

    def __init__(self, folder: Path, *, event: Mapping[str, Any] = PULL_REQUEST, identity: bool = True) -> None:
        self.tabstop = FakeTabstop()
        self.clock = FakeClock()
        self.temp, self.workspace, self.home = folder / "temp", folder / "work" / "widget", folder / "home"
        for path in (self.temp, self.workspace, self.home):
            path.mkdir(parents=True)
        (self.temp / "event.json").write_text(json.dumps(event))
        self.tokens_given = 0
        self.transport = InProcess({SERVER: self.tabstop.answer, ISSUER: self._identify})
        self.environ = {
            "GITHUB_ACTOR": "alice",
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(self.temp / "event.json"),
            "GITHUB_ENV": str(self.temp / "env"),
            "GITHUB_OUTPUT": str(self.temp / "output"),
            "GITHUB_REF": "refs/pull/42/merge",
            "GITHUB_REPOSITORY": "acme/widget",
            "GITHUB_RUN_ID": "7001",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_SHA": "a" * 40,
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary"),
            "GITHUB_WORKSPACE": str(self.workspace),
            "HOME": str(self.home),
            "RUNNER_TEMP": str(self.temp),
            "TABSTOP_ACTION_REPOSITORY": "acme/tabstop",
            "TABSTOP_JOB_STATUS": "success",
        }
        if identity:
            self.environ["ACTIONS_ID_TOKEN_REQUEST_URL"] = f"{ISSUER}?api-version=2.0"
            self.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "bearer-of-this-job"
        self.governors: list[dict[str, str]] = []
        self.governor_starts = True
        self.ended: list[str] = []
        self.lines: list[str] = []
        self.outputs: dict[str, str] = {}
        self.summary = ""
        self._random = 0

    def run(self, command: str, **inputs: str) -> int:
        """Run a command; outputs, summary and printed lines are those of this run alone."""
        for name in ("output", "summary", "env"):
            (self.temp / name).write_text("")
        self.lines.clear()
        given = {f"TABSTOP_INPUT_{name.upper()}": value for name, value in inputs.items()}
        needed = {
            "TABSTOP_INPUT_COMMAND": command,
            "TABSTOP_INPUT_GOVERN": "off",  # tests of hooks switch them on
            "TABSTOP_INPUT_SERVER": SERVER,
        }
        code = run(self.world({**self.environ, **needed, **given}))
        self.outputs = parse_file_command((self.temp / "output").read_text())
        self.summary = (self.temp / "summary").read_text()
        self.environ.update(parse_file_command((self.temp / "env").read_text()))
        return code

    def world(self, environ: Mapping[str, str]) -> World:
        """This job as the action sees it."""
        return World(
            environ,
            self.clock.now,
            self.clock.sleep,
            self.transport,
            self._bytes,
            self.lines.append,
            self._start_governor,
            self._end_session,
        )

    @property
    def log(self) -> str:
        return "\n".join(self.lines)

    @property
    def commands(self) -> list[WorkflowCommand]:
        return parse_commands(self.log)

    def said(self, level: str) -> list[WorkflowCommand]:
        """The annotations of one level."""
        return [command for command in self.commands if command.name == level]

    def page(self) -> str:
        """What people see of this run: annotations, then the summary; for golden files."""
        notes = [
            f"[{c.name}] {c.properties['title']}\n{c.message}\n"
            for c in self.commands
            if c.name in {"error", "warning", "notice"}
        ]
        return "\n".join([*notes, "--- job summary ---", self.summary])

    def _identify(self, request: Request) -> Response:
        self.tokens_given += 1
        assert request.headers["Authorization"] == "Bearer bearer-of-this-job"
        return Response(200, json.dumps({"value": f"oidc-{self.tokens_given}"}).encode())

    def _start_governor(self, environ: Mapping[str, str]) -> bool:
        self.governors.append(dict(environ))
        return self.governor_starts

    def _end_session(self, _environ: Mapping[str, str], name: str) -> bool:
        self.ended.append(name)
        return True

    def _bytes(self, count: int) -> bytes:
        """Different every time, the same in every run."""
        self._random += 1
        return self._random.to_bytes(count, "big")


def some_inputs(**changed: Any) -> Inputs:
    """Inputs of a gate, unless told otherwise."""
    return replace(Inputs(command="gate", server=SERVER), **changed)


def in_minutes(clock: FakeClock, minutes: float) -> datetime:
    """A moment from now."""
    return datetime.fromtimestamp(clock.at.timestamp() + minutes * 60, clock.at.tzinfo)


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
    """The one session the server knows."""
    [known] = job.tabstop.sessions.values()
    return known


def masked(text: str, job: Job) -> str:
    """Without what differs from folder to folder."""
    return text.replace(str(job.temp.parent), "")


def spool_of(job: Job) -> Path:
    """Where undelivered reports wait on this machine."""
    return job.home / ".local" / "state" / "tabstop" / "spool"
