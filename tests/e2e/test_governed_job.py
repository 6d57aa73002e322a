"""A governed job, end to end: the policy's limit reaches hooks on the runner, stops the agent there, and the check says so."""

from __future__ import annotations

import os

import pytest

from tests.beside.short_folder import short_folder
from tests.e2e.stage import Stage
from tests.support.hooked_agent import HookedAgent

pytestmark = [pytest.mark.node, pytest.mark.slow]

POLICY = """\
tab: $5
session:
  cost: $0.05
"""


@pytest.mark.parametrize("stage", ["sqlite"], indirect=True)
def test_a_session_is_stopped_inside_the_agent(stage: Stage) -> None:
    """Gate → hooks → the agent reaches its limit → its next hook says stop → settle and the check: stopped, cost."""
    stage.emulators.commit("main", {".github/tabstop.yml": POLICY})
    stage.install()
    pull = stage.emulators.open_pull_request("claude/governed")
    stage.check_that(pull.head_sha, conclusion="success")
    job = stage.job(pull)
    with short_folder() as temp:
        job.runner.runner_temp = temp  # the path of a governor's socket has to be short
        gate = job.run(command="gate", govern="hooks")
        assert gate.outcome == "success", gate.log
        assert gate.outputs["enforcement"] == "one call", gate.log
        environ = {"PATH": os.defpath, "HOME": str(job.runner.home), "RUNNER_TEMP": str(temp), **job.exported}
        agent = HookedAgent(environ, job.runner.workspace)
        assert agent.run(tokens=20_000), agent.said
        execution = agent.write_execution_file(temp / "claude-execution-output.json", stopped=True)
        settle = job.run(command="settle", execution_file=str(execution), agent_outcome="success")
        assert settle.outcome == "success", settle.log
    assert settle.outputs["outcome"] == "stopped: cost", settle.summary
    assert "reached its cost limit" in settle.summary
    check = stage.check_that(pull.head_sha, summary="stopped: cost")
    assert "claude-opus-5-5" in check["output"]["summary"]
    verified = stage.server.command("audit", "recompute")
    assert verified.returncode == 0, verified.stdout + verified.stderr
