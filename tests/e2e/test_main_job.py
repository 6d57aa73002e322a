"""The main job, end to end: a pull request goes green, amber, red; the next run is refused; an overdrive turns it green.

Everything is real but GitHub and Slack, which are emulated: the server is a process of its own, the action runs from
action.yml, sessions were captured from the real client, tokens are signed by a real issuer on loopback.
"""

from __future__ import annotations

import pytest

from tests.e2e.stage import Stage
from tests.support.emulator import PullRequest

pytestmark = [pytest.mark.node, pytest.mark.slow]

POLICY = """\
tab: $0.40
slack:
  channel: ai-spend
"""


def session(stage: Stage, pull: PullRequest, case: str) -> None:
    """A gated, captured, settled session on the pull request."""
    job = stage.job(pull)
    gate = job.run(command="gate", purpose="feature")
    assert gate.outcome == "success", gate.log
    assert "--max-budget-usd" in gate.outputs["claude_args"]
    execution = stage.agent_works(job, case)
    settle = job.run(command="settle", execution_file=str(execution), agent_outcome="success")
    assert settle.outcome == "success", settle.log
    assert settle.outputs["outcome"] == "finished", settle.summary


def test_a_pull_request_lives_through_its_budget(stage: Stage) -> None:
    """Open → check; run → cost on check and comment; past the cap → red, Slack, refusal; overdrive → green; queue → answered."""
    stage.emulators.commit("main", {".github/tabstop.yml": POLICY})
    stage.emulators.commit("main", {".github/tabstop.yml": "slack:\n  allowed: [ai-spend]\n"}, repo=".github")
    stage.install()

    pull = stage.emulators.open_pull_request("claude/first")
    stage.check_that(pull.head_sha, conclusion="success")

    session(stage, pull, "plain")
    check = stage.check_that(pull.head_sha, conclusion="success", title="$0.09")
    assert "claude-opus-5-5" in check["output"]["summary"]

    session(stage, pull, "sonnet")
    stage.check_that(pull.head_sha, conclusion="success", title="$0.16")

    session(stage, pull, "compacted")
    stage.check_that(pull.head_sha, conclusion="neutral", title="$0.35")

    session(stage, pull, "subagent")
    red = stage.check_that(pull.head_sha, conclusion="failure", title="$0.47")
    assert "verrun" in red["output"]["summary"]

    refused = stage.job(pull).run(command="gate", purpose="feature")
    assert refused.outcome == "failure"
    assert "spent" in refused.errors[0]
    assert "$0.47" in refused.errors[0]
    assert "$0.40" in refused.summary

    comments = stage.emulators.comments(pull.number)
    assert len(comments) == 1
    assert comments[0]["user"]["login"] == stage.emulators.env.bot_login
    assert "$0.47 of $0.40" in comments[0]["body"]

    def told() -> list[str] | None:
        texts = [str(message["text"]) for message in stage.emulators.slack_messages()]
        return texts if len(texts) >= 3 else None

    texts = stage.eventually(told, "fewer than three Slack messages: amber, red, refused")
    assert len(texts) == len(set(texts)) == 3, texts

    granted = stage.server.command(
        "overdrive", "grant", "--organization", "acme", "--tab", f"widget#{pull.number}", "--amount", "$1", "--for", "24h",
        "--why", "release today",
    )  # fmt: skip
    assert granted.returncode == 0, granted.stdout + granted.stderr
    stage.check_that(pull.head_sha, conclusion="success")
    admitted = stage.job(pull).run(command="gate", purpose="feature")
    assert admitted.outcome == "success", admitted.log

    queued = stage.emulators.commit("gh-readonly-queue/main/pr-1", {"src/queued.py": "print('queued')\n"})
    stage.emulators.deliver("merge_group", merge_group(queued))
    stage.check_that(queued, conclusion="success")

    verified = stage.server.command("audit", "recompute")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def merge_group(sha: str) -> dict[str, object]:
    """A merge group that asks for its checks."""
    return {
        "action": "checks_requested",
        "merge_group": {
            "head_sha": sha,
            "head_ref": "refs/heads/gh-readonly-queue/main/pr-1",
            "base_ref": "refs/heads/main",
            "base_sha": "b" * 40,
        },
        "repository": {
            "id": 1,
            "full_name": "acme/widget",
            "private": True,
            "default_branch": "main",
            "owner": {"id": 1, "login": "acme", "type": "Organization"},
        },
        "organization": {"id": 1, "login": "acme"},
        "installation": {"id": 777},
        "sender": {"id": 5, "login": "carol", "type": "User"},
    }
