"""The stage of the end-to-end tests: what people and runners do, and what can be seen of it afterwards."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from tests.support.action_runner import ActionRun, ActionRunner
from tests.support.emulator import Emulators, PullRequest
from tests.support.oidc_issuer import OidcIssuer, github_claims, github_context
from tests.support.samples import claude_case
from tests.support.server import ROOT, ServerProcess

T = TypeVar("T")

PATIENCE_SECONDS = 30
CHECK = "tabstop / budget"


@dataclass
class Job:
    """One workflow job: its runner, and the identity it runs under. exported: what its steps set for later ones."""

    runner: ActionRunner
    environ: dict[str, str]
    github: dict[str, Any]
    event: dict[str, Any]
    server: str
    exported: dict[str, str] = field(default_factory=dict)

    def run(self, **inputs: str) -> ActionRun:
        """Run the action with these inputs (`_` for `-`)."""
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        known = {"server": self.server, "govern": "off", **given}
        done = self.runner.run(known, github=self.github, event=self.event, env={**self.environ, **self.exported})
        self.exported = {name: value for name, value in done.env.items() if name not in self.environ}
        return done


@dataclass
class Stage:
    """Everything that runs, and shorthands for what the stories need."""

    server: ServerProcess
    emulators: Emulators
    issuer: OidcIssuer
    folder: Path
    _runs: int = field(default=7000)

    def install(self) -> None:
        """GitHub tells us that the organization installed the App."""
        env = self.emulators.env
        self.emulators.deliver(
            "installation",
            {
                "action": "created",
                "installation": {
                    "id": env.installation_id,
                    "account": {"id": 1, "login": env.org, "type": "Organization"},
                },
                "repositories": [],
                "sender": {"id": 5, "login": "carol", "type": "User"},
            },
        )

    def job(self, pull: PullRequest, *, actor: str = "alice", actor_id: str = "3") -> Job:
        """A job of a `pull_request` run on this pull request, on a fresh runner."""
        self._runs += 1
        claims = github_claims(
            event_name="pull_request",
            pull_request=pull.number,
            branch=pull.branch,
            actor=actor,
            actor_id=actor_id,
            run_id=str(self._runs),
        )
        home = self.folder / f"runner-{self._runs}"
        workspace = home / "work"
        workspace.mkdir(parents=True)
        runner = ActionRunner(ROOT, workspace=workspace, runner_temp=home / "temp")
        event = {"pull_request": {"number": pull.number, "head": {"ref": pull.branch, "sha": pull.head_sha}}}
        return Job(runner, self.issuer.begin_job(claims), github_context(claims), event, self.server.url)

    def agent_works(self, job: Job, case: str) -> Path | None:
        """A captured session happens on the job's runner, now; answers its execution file."""
        captured = claude_case(case)
        captured.lay_out(Path(job.runner.home) / ".claude", workspace=job.runner.workspace, began=datetime.now(UTC))
        if captured.execution_file is None:
            return None
        return captured.write_execution_file(job.runner.runner_temp / "claude-execution-output.json")

    def eventually(self, what: Callable[[], T | None], because: str) -> T:
        """Wait until `what` answers something true; fails with the reason and the server's log."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            found = what()
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"{because}\nThe server said:\n{self.server.log[-6000:]}")

    def check(self, sha: str) -> dict[str, Any] | None:
        """Our check on a commit."""
        runs = self.emulators.check_runs(sha, name=CHECK)
        return runs[-1] if runs else None

    def check_that(self, sha: str, **wanted: str) -> dict[str, Any]:
        """Wait for our check on a commit to have these values (`summary` and `title` by containing them)."""

        def found() -> dict[str, Any] | None:
            check = self.check(sha)
            return check if check and all(_has(check, name, value) for name, value in wanted.items()) else None

        return self.eventually(found, f"no check with {wanted} on {sha}; the last is {json.dumps(self.check(sha))}")

    def guid(self) -> str:
        """A delivery id."""
        return str(uuid.uuid4())


def _has(check: dict[str, Any], name: str, value: str) -> bool:
    output = check.get("output") or {}
    return value in (output.get(name) or "") if name in {"title", "summary", "text"} else check.get(name) == value
