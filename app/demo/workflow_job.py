"""A workflow job on a runner: runs this repository's action as its action.yml says, each time in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from app.demo import cast
from app.demo.captures import Capture
from app.demo.ending import Ending

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / "action.yml"
STEP_SECONDS = 120

_EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")
_COMMAND = re.compile(r"^::([\w-]+)(?: (.*?))?::(.*)$")
_BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")  # docs.github.com, workflow syntax, steps[*].shell


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a step puts beside the job. level: `error`, `warning` or `notice`."""

    level: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class StepRun:
    """What became of a step. log: as a reader of the job's page sees it, secrets hidden. summary: Markdown."""

    ok: bool
    exit: int
    outputs: Mapping[str, str]
    log: str
    annotations: tuple[Annotation, ...]
    summary: str


@dataclass
class WorkflowJob:
    """One job on the pull request, on a fresh runner below `folder`. identity: the two variables of its OIDC endpoint."""

    folder: Path
    run_id: int
    server: str
    identity: Mapping[str, str] = field(repr=False)
    event: Mapping[str, Any]
    ending: Ending = field(default_factory=Ending)

    def __post_init__(self) -> None:
        """Make the runner's folders."""
        for path in (self.workspace, self.temp, self.home):
            path.mkdir(parents=True, exist_ok=True)

    @property
    def workspace(self) -> Path:
        """Where the repository is checked out."""
        return self.folder / "work" / "widget"

    @property
    def temp(self) -> Path:
        """The runner's temporary folder."""
        return self.folder / "temp"

    @property
    def home(self) -> Path:
        """The runner's home."""
        return self.folder / "home"

    def run_action(self, **inputs: str) -> StepRun:
        """Run the action with these inputs (`_` for `-`), as `uses:` with `with:` would."""
        given = {"server": self.server, **{name.replace("_", "-"): value for name, value in inputs.items()}}
        step = _step()
        files = {
            name: self.temp / f"_{name.lower()}" for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV")
        }
        for path in files.values():
            path.write_text("", encoding="utf-8")
        script = self.temp / "_step.sh"
        script.write_text(self._fill(str(step["run"]), given), encoding="utf-8")
        own = {name: self._fill(str(value), given) for name, value in step["env"].items()}
        environ = {**self._environment(), **own, **{name: str(path) for name, path in files.items()}}
        command = [*_BASH, str(script)]
        done = self.ending.run(command, self.workspace, environ, STEP_SECONDS, stderr=subprocess.STDOUT)
        log, annotations = _read_log(done.stdout)
        return StepRun(
            ok=done.returncode == 0,
            exit=done.returncode,
            outputs=_read_outputs(files["GITHUB_OUTPUT"].read_text(encoding="utf-8")),
            log=log,
            annotations=annotations,
            summary=files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8"),
        )

    def leave_behind(self, capture: Capture, began: Any) -> Path:
        """What the agent leaves on this runner; answers its execution file."""
        capture.lay_out(self.home / ".claude", self.workspace, began)
        return capture.write_execution_file(self.temp / "claude-execution-output.json", self.workspace, began)

    def _environment(self) -> dict[str, str]:
        """What a step sees of its machine: nothing of this one but the way to its programs."""
        event = self.temp / "event.json"
        event.write_text(json.dumps(self.event), encoding="utf-8")
        return {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_ACTOR": cast.ALICE.login,
            "GITHUB_ACTOR_ID": str(cast.ALICE.github_id),
            "GITHUB_BASE_REF": "main",
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_HEAD_REF": cast.BRANCH,
            "GITHUB_JOB": "agent",
            "GITHUB_REF": f"refs/pull/{cast.NUMBER}/merge",
            "GITHUB_REF_NAME": f"{cast.NUMBER}/merge",
            "GITHUB_REPOSITORY": cast.REPOSITORY,
            "GITHUB_REPOSITORY_ID": str(cast.REPOSITORY_ID),
            "GITHUB_REPOSITORY_OWNER": cast.ORGANIZATION,
            "GITHUB_REPOSITORY_OWNER_ID": str(cast.ORGANIZATION_ID),
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": str(self.run_id),
            "GITHUB_RUN_NUMBER": str(self.run_id % 1000),
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_SHA": cast.TEST_MERGE,
            "GITHUB_WORKFLOW": "agent",
            "GITHUB_WORKSPACE": str(self.workspace),
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            # The step calls `python3`; a runner has a new one, this machine has the one that runs the demo.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "RUNNER_ARCH": "X64",
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": str(self.temp),
            **self.identity,
        }

    def _fill(self, text: str, given: Mapping[str, str]) -> str:
        known = {
            "job.status": "success",
            "github.action_path": str(ROOT),
            "github.action_repository || github.repository": "tabstop/tabstop",
            "github.token": "",  # only for a server that is away, and for bringing in what was left then
        }
        for name, about in _inputs().items():
            known[f"inputs.{name}"] = given.get(name, _filled(str(about.get("default", "")), known))
        return _filled(text, known)


def _filled(text: str, known: Mapping[str, str]) -> str:
    return _EXPRESSION.sub(lambda found: known[found[1]], text)


@cache
def _definition() -> dict[str, Any]:
    definition: dict[str, Any] = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    return definition


def _inputs() -> dict[str, dict[str, Any]]:
    inputs: dict[str, dict[str, Any]] = _definition()["inputs"]
    return inputs


def _step() -> dict[str, Any]:
    """The step that runs our code; the other keeps an artifact when the server is away, which it is not here."""
    (step,) = [step for step in _definition()["runs"]["steps"] if "run" in step]
    found: dict[str, Any] = step
    return found


def _read_log(printed: str) -> tuple[str, tuple[Annotation, ...]]:
    """The log without commands and secrets, and the annotations (docs.github.com, workflow commands)."""
    lines, hidden, annotations = [], [], []
    for line in printed.splitlines():
        found = _COMMAND.match(line)
        if found is None:
            lines.append(line)
        elif found[1] == "add-mask":
            hidden.append(_unescaped(found[3]))
        elif found[1] in {"error", "warning", "notice"}:
            title = re.search(r"(?:^|,)title=([^,]*)", found[2] or "")
            text = _unescaped(found[3])
            annotations.append(Annotation(found[1], _unescaped(title[1]) if title else "", text))
            lines.append(f"{found[1].capitalize()}: {text}")
    log = "\n".join(lines)
    for secret in sorted(hidden, key=len, reverse=True):
        log = log.replace(secret, "***")
    return log, tuple(annotations)


def _unescaped(text: str) -> str:
    for escaped, plain in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escaped, plain)
    return text


def _read_outputs(text: str) -> dict[str, str]:
    """A GITHUB_OUTPUT file: the action writes `name<<END` blocks only."""
    values = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, _, end = line.partition("<<")
        block = []
        for inner in lines:
            if inner == end:
                break
            block.append(inner)
        values[name] = "\n".join(block)
    return values
