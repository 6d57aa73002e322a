"""The main job, end to end: a pull request goes green, amber, red; the next run is refused; an overdrive turns it green.

Everything is real but GitHub and Slack, which are emulated: the server is a process of its own, the action runs from
action.yml, sessions were captured from the real client, tokens are signed by a real issuer on loopback.
"""

from __future__ import annotations

import pytest

from tests.e2e.stage import Stage

pytestmark = [pytest.mark.node, pytest.mark.slow]

POLICY = """\
tab: $0.40
slack:
  channel: ai-spend
"""


def test_a_pull_request_lives_through_its_budget(stage: Stage) -> None:
    """Open → check; run → cost on check and comment; past the cap → red, one message, refusal; overdrive → green."""
    stage.emulators.commit("main", {".github/tabstop.yml": POLICY})
    stage.emulators.commit("main", {".github/tabstop.yml": "slack:\n  allowed: [ai-spend]\n"}, repo=".github")
    stage.install()

    pull = stage.emulators.open_pull_request("claude/first")
    stage.check_that(pull.head_sha, conclusion="success")

    for case, title in (("plain", "$0.09"), ("sonnet", "$0.16"), ("compacted", "$0.")):
        job = stage.job(pull)
        gate = job.run(command="gate", purpose="feature")
        assert gate.outcome == "success", gate.log
        assert "--max-budget-usd" in gate.outputs["claude_args"]
        execution = stage.agent_works(job, case)
        settle = job.run(command="settle", execution_file=str(execution), agent_outcome="success")
        assert settle.outcome == "success", settle.log
        stage.check_that(pull.head_sha, title=title)

    check = stage.check_that(pull.head_sha, conclusion="neutral")
    assert "compacted" not in check["output"]["summary"]
    comments = stage.emulators.comments(pull.number)
    assert len(comments) == 1
    assert comments[0]["user"]["login"] == stage.emulators.env.bot_login
