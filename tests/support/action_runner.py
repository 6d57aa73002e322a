"""Runs a composite action's steps as a GitHub runner does: expressions, conditions, shells, files and workflow commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from tests.support import expressions
from tests.support.workflow_commands import WorkflowCommand, parse_commands, parse_file_command

STEP_SECONDS = 120
Status = Literal["success", "failure", "cancelled"]
Outcome = Literal["success", "failure", "skipped"]

# As the runner starts them: docs.github.com, workflow syntax, jobs.<job_id>.steps[*].shell
_SHELLS = {
    "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"],
    "sh": ["sh", "-e"],
    "python": ["python"],
}
_FILES = ("OUTPUT", "ENV", "PATH", "STEP_SUMMARY", "STATE")


class ActionError(Exception):
    """The action cannot be run as written; GitHub would refuse it too, or this executor does not know the feature."""


@dataclass(frozen=True)
class StepRun:
    """What became of one step. `uses` steps are carried out in Python and have no exit status."""

    name: str
    id: str
    outcome: Outcome
    exit: int | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    log: str = ""
    uses: str = ""


@dataclass(frozen=True)
class ActionRun:
    """What became of the action; masks are already applied to the log, as a reader of the job's page sees it."""

    outcome: Literal["success", "failure"]
    outputs: Mapping[str, str]
    steps: tuple[StepRun, ...]
    summary: str
    commands: tuple[WorkflowCommand, ...]
    artifacts: Mapping[str, Path]
    env: Mapping[str, str]

    @property
    def log(self) -> str:
        """Everything the steps printed."""
        return "".join(step.log for step in self.steps)

    @property
    def errors(self) -> tuple[str, ...]:
        """The messages of `::error::` annotations."""
        return tuple(command.message for command in self.commands if command.name == "error")

    @property
    def masks(self) -> tuple[str, ...]:
        """The values hidden with `::add-mask::`."""
        return tuple(command.message for command in self.commands if command.name == "add-mask")

    def step(self, step_id: str) -> StepRun:
        """The step with this id."""
        return next(step for step in self.steps if step.id == step_id)


class ActionRunner:
    """One job on one runner: its workspace, its temporary folder, its artifacts. Several actions may run in it, in order."""

    def __init__(
        self, action_dir: Path, *, workspace: Path, runner_temp: Path, path_prefix: tuple[Path, ...] | None = None
    ) -> None:
        self.action_dir = action_dir.resolve()
        self.workspace = workspace
        self.runner_temp = runner_temp
        self.home = runner_temp / "_home"
        self.artifacts = runner_temp / "_artifacts"
        # A runner has a Python; ours is the one that runs the tests.
        self.path_prefix = (Path(sys.executable).parent,) if path_prefix is None else path_prefix
        self.definition: dict[str, Any] = yaml.safe_load((self.action_dir / "action.yml").read_text())

    def run(
        self,
        inputs: Mapping[str, str],
        *,
        github: Mapping[str, str] | None = None,
        event: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        job_status: Status = "success",
    ) -> ActionRun:
        """Runs the action once. `github` overrides the `github` context (see `oidc_issuer.github_context`), `env` is the job's.

        Raises `ActionError` for a missing required input, an input the action does not declare, or a `uses:` unknown here.
        """
        for folder in (self.workspace, self.runner_temp, self.home, self.artifacts):
            folder.mkdir(parents=True, exist_ok=True)
        if self.definition["runs"]["using"] != "composite":
            raise ActionError(f"not a composite action: {self.definition['runs']['using']}")
        return _Job(self, self._inputs(inputs), dict(github or {}), event or {}, dict(env or {}), job_status).run()

    def _inputs(self, given: Mapping[str, str]) -> dict[str, str]:
        declared: dict[str, Any] = self.definition.get("inputs") or {}
        unknown = sorted(set(given) - set(declared))
        if unknown:
            raise ActionError(f"unexpected inputs {unknown}; the action declares {sorted(declared)}")
        missing = [
            n for n, i in declared.items() if (i or {}).get("required") and n not in given and "default" not in i
        ]
        if missing:
            raise ActionError(f"missing required inputs {missing}")
        return {n: given.get(n, expressions.as_text((i or {}).get("default"))) for n, i in declared.items()}


class _Job:
    """The state of one run of an action: contexts and environment as they grow from step to step."""

    def __init__(
        self,
        runner: ActionRunner,
        inputs: dict[str, str],
        github: dict[str, str],
        event: Mapping[str, Any],
        env: dict[str, str],
        job_status: Status,
    ) -> None:
        self.runner, self.job_status = runner, job_status
        self.env = env
        self.path = [str(path) for path in runner.path_prefix]
        self.failed = False
        self.summary = ""
        self.commands: list[WorkflowCommand] = []
        self.steps: dict[str, dict[str, Any]] = {}
        event_file = runner.runner_temp / "event.json"
        event_file.write_text(json.dumps(event))
        self.github: dict[str, Any] = {
            **_GITHUB,
            **github,
            "event": event,
            "event_path": str(event_file),
            "workspace": str(runner.workspace),
            "action_path": str(runner.action_dir),
        }
        self.contexts: dict[str, Any] = {
            "inputs": inputs,
            "github": self.github,
            "steps": self.steps,
            "runner": {"temp": str(runner.runner_temp), "os": "Linux", "arch": "X64", "name": "test", "debug": ""},
            "job": {"status": job_status},
            "env": self.env,
        }
        # The inputs' defaults may be expressions (`default: ${{ github.token }}`).
        for name, value in inputs.items():
            inputs[name] = expressions.fill(value, self.contexts) if "${{" in value else value
        self.functions: dict[str, Callable[..., Any]] = {
            "always": lambda: True,
            "success": lambda: not self.failed and job_status != "cancelled",
            "failure": lambda: self.failed,
            "cancelled": lambda: job_status == "cancelled",
        }

    def run(self) -> ActionRun:
        ran = [self._step(number, step) for number, step in enumerate(self.runner.definition["runs"]["steps"])]
        declared: dict[str, Any] = self.runner.definition.get("outputs") or {}
        return ActionRun(
            outcome="failure" if self.failed else "success",
            outputs={name: self._fill(str(output["value"])) for name, output in declared.items()},
            steps=tuple(ran),
            summary=self.summary,
            commands=tuple(self.commands),
            artifacts={path.name: path for path in sorted(self.runner.artifacts.iterdir())},
            env=dict(self.env),
        )

    def _step(self, number: int, step: Mapping[str, Any]) -> StepRun:
        step_id = str(step.get("id", f"__step_{number}"))
        name = self._fill(str(step.get("name") or step.get("uses") or str(step["run"]).splitlines()[0]))
        own_env = {key: self._fill(expressions.as_text(value)) for key, value in (step.get("env") or {}).items()}
        self.contexts["env"] = {**self.env, **own_env}
        if not expressions.condition(expressions.as_text(step.get("if", "success()")), self.contexts, self.functions):
            done = StepRun(name, step_id, "skipped")
        elif "uses" in step:
            done = self._uses(name, step_id, step)
        else:
            done = self._shell(name, step_id, step, own_env)
        forgiven = step.get("continue-on-error") in (True, "true")
        self.failed = self.failed or (done.outcome == "failure" and not forgiven)
        conclusion = "success" if forgiven and done.outcome == "failure" else done.outcome
        self.steps[step_id] = {"outputs": done.outputs, "outcome": done.outcome, "conclusion": conclusion}
        return done

    def _shell(self, name: str, step_id: str, step: Mapping[str, Any], own_env: dict[str, str]) -> StepRun:
        if step.get("shell") not in _SHELLS:
            raise ActionError(f"step {name!r} needs `shell:` with one of {sorted(_SHELLS)}")
        folder = self.runner.runner_temp / "_commands" / f"{len(self.steps)}-{step_id}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        script = folder / "script"
        script.write_text(self._fill(str(step["run"])))
        files = {f"GITHUB_{kind}": str(folder / kind) for kind in _FILES}
        for path in files.values():
            Path(path).touch()
        done = subprocess.run(
            [*_SHELLS[str(step["shell"])], str(script)],
            cwd=self.runner.workspace / self._fill(str(step.get("working-directory", "."))),
            env={**self._environment(), **self.env, **own_env, **files},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=STEP_SECONDS,
            check=False,
        )
        self._read_files(folder)
        outputs = parse_file_command((folder / "OUTPUT").read_text())
        return StepRun(
            name, step_id, "failure" if done.returncode else "success", done.returncode, outputs, self._log(done.stdout)
        )

    def _uses(self, name: str, step_id: str, step: Mapping[str, Any]) -> StepRun:
        action = str(step["uses"]).partition("@")[0]
        given = {key: self._fill(expressions.as_text(value)) for key, value in (step.get("with") or {}).items()}
        carry_out = _ACTIONS.get(action)
        if not carry_out:
            raise ActionError(f"step {name!r} uses {action}, which this executor does not know")
        outcome, log = carry_out(self.runner, given)
        return StepRun(name, step_id, outcome, None, given, self._log(log), uses=str(step["uses"]))

    def _read_files(self, folder: Path) -> None:
        self.env.update(parse_file_command((folder / "ENV").read_text()))
        self.path = [*reversed((folder / "PATH").read_text().splitlines()), *self.path]
        self.summary += (folder / "STEP_SUMMARY").read_text()

    def _environment(self) -> dict[str, str]:
        """What a job sees of its machine: nothing of ours but the search path."""
        upper = {
            f"GITHUB_{key.upper()}": str(value) for key, value in self.github.items() if key not in ("event", "token")
        }
        return {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "HOME": str(self.runner.home),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join([*self.path, os.environ.get("PATH", os.defpath)]),
            "RUNNER_TEMP": str(self.runner.runner_temp),
            "RUNNER_OS": "Linux",
            "RUNNER_ARCH": "X64",
            **upper,
        }

    def _fill(self, text: str) -> str:
        return expressions.fill(text, self.contexts, self.functions)

    def _log(self, printed: str) -> str:
        self.commands += parse_commands(printed)
        hidden = [command.message for command in self.commands if command.name == "add-mask" and command.message]
        lines = [line for line in printed.splitlines(keepends=True) if not line.startswith("::add-mask::")]
        log = "".join(lines)
        for secret in sorted(hidden, key=len, reverse=True):
            log = log.replace(secret, "***")
        return log


def _upload(runner: ActionRunner, given: Mapping[str, str]) -> tuple[Outcome, str]:
    target = runner.artifacts / given.get("name", "artifact")
    wanted = [line.strip() for line in given["path"].splitlines() if line.strip()]
    found = [hit for pattern in wanted for hit in _matching(runner.workspace, pattern)]
    if not found:
        level = given.get("if-no-files-found", "warn")
        said = f"No files were found with the provided path: {given['path']}. No artifacts will be uploaded.\n"
        return ("failure" if level == "error" else "success"), ("" if level == "ignore" else said)
    if target.exists() and given.get("overwrite") != "true":
        return "failure", f"an artifact with this name already exists: {target.name}\n"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for path in found:
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        else:
            shutil.copy(path, target)
    return "success", f"Artifact {target.name} has been successfully uploaded!\n"


def _matching(workspace: Path, pattern: str) -> list[Path]:
    path = workspace / pattern  # an absolute pattern stands for itself
    return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))


def _download(runner: ActionRunner, given: Mapping[str, str]) -> tuple[Outcome, str]:
    source = runner.artifacts / given.get("name", "artifact")
    if not source.exists():
        return "failure", f"Artifact not found for name: {source.name}\n"
    shutil.copytree(source, runner.workspace / given.get("path", "."), dirs_exist_ok=True)
    return "success", ""


def _already_there(_runner: ActionRunner, given: Mapping[str, str]) -> tuple[Outcome, str]:
    return "success", f"already on this runner: {dict(given)}\n"


_ACTIONS: dict[str, Callable[[ActionRunner, Mapping[str, str]], tuple[Outcome, str]]] = {
    "actions/upload-artifact": _upload,
    "actions/download-artifact": _download,
    "actions/setup-python": _already_there,
}

_GITHUB = {
    "actor": "alice",
    "actor_id": "3",
    "api_url": "https://api.github.com",
    "base_ref": "",
    "event_name": "push",
    "graphql_url": "https://api.github.com/graphql",
    "head_ref": "",
    "job": "agent",
    "ref": "refs/heads/main",
    "ref_name": "main",
    "ref_type": "branch",
    "repository": "acme/widget",
    "repository_id": "1",
    "repository_owner": "acme",
    "repository_owner_id": "1",
    "run_attempt": "1",
    "run_id": "7001",
    "run_number": "12",
    "server_url": "https://github.com",
    "sha": "a" * 40,
    "token": "ghs_test",
    "triggering_actor": "alice",
    "workflow": "agent",
    "workflow_ref": "acme/widget/.github/workflows/agent.yml@refs/heads/main",
}
