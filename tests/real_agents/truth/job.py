"""A job: the client runs on a runner of a pull request's workflow, between the action's gate and settle steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real_agents.installed import ROOT
from tests.real_agents.truth.checkout import PULLS
from tests.real_agents.truth.machine import DidNotHappenError, Machine
from tests.support.action_runner import ActionRun, ActionRunner
from tests.support.oidc_issuer import github_claims, github_context
from tests.web.conftest import AUDIENCE

BRANCH = "feature/one"
"""Of the pull request whose run it is."""

NAMES = {"claude": "claude-code", "codex": "codex", "gemini": "gemini-cli", "opencode": "opencode"}
"""How the action calls the clients."""


@contextmanager
def in_a_job(machine: Machine, model: str = "") -> Iterator[None]:
    """Gate, then what the block does, then settle, which is shown what the last run printed. Raises `DidNotHappenError`."""
    runner = ActionRunner(ROOT, workspace=machine.folder, runner_temp=machine.home / "runner")
    runner.home = machine.home
    who = machine.server.alice
    claims = github_claims(
        event_name="pull_request",
        pull_request=PULLS[BRANCH],
        branch=BRANCH,
        run_id="7001",
        actor=who[0],
        actor_id=who[1],
    )
    identity = machine.server.bench.issuer.begin_job(claims)
    given = {"server": machine.server.url, "audience": AUDIENCE, "agent": NAMES[machine.agent.key], "model": model}

    def step(environ: dict[str, str], **more: str) -> ActionRun:
        inputs = {**given, **{name.replace("_", "-"): value for name, value in more.items()}}
        done = runner.run(inputs, github=github_context(claims), env=environ)
        if done.outcome != "success":
            raise DidNotHappenError(f"{more['command']} ended badly: {done.log[-2_000:]}")
        return done

    gate = step(identity, command="gate")
    seen = {"CI": "true", "GITHUB_ACTIONS": "true", "RUNNER_TEMP": str(runner.runner_temp)}
    exported = {name: value for name, value in gate.env.items() if name not in identity}
    machine.environ.update(seen | exported)
    yield
    settled = step(
        identity | exported, command="settle", execution_file=_last_output(machine.home), agent_outcome="success"
    )
    if settled.outputs["reported"] != "true":
        raise DidNotHappenError(f"settle did not report: {settled.log[-2_000:]}")


def _last_output(home: Path) -> str:
    return str(max(home.glob("run-*.out"), key=lambda path: int(path.stem.partition("-")[2])))
