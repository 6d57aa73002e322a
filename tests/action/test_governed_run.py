"""A whole job with a real governor: hooks put in by the gate, a scripted agent that they stop, settle's word on how it ended."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tabstop.beside.governor_call import end_session, is_running
from tabstop.price_card import ModelPrice, PriceCard, Rates, Tier
from tests.action.fake_tabstop import CENT, LIMITS, FakeTabstop, LoopbackTabstop
from tests.action.test_action_yml import Site
from tests.beside.short_folder import short_folder
from tests.support.action_runner import ActionRun
from tests.support.hooked_agent import HookedAgent
from tests.support.oidc_issuer import OidcIssuer

CARD = PriceCard(
    datetime(2026, 11, 1, tzinfo=UTC),
    {
        "claude-opus-5-5": ModelPrice(
            "claude-opus-5-5",
            "claude-opus-5-5",
            exact=True,
            tiers=(Tier(0, Rates(input=Decimal(4_000), output=Decimal(0))),),
        )
    },
)
"""Four dollars a million input tokens, and nothing else: ten thousand cost four cents."""


class Scene(Site):
    """A job whose agent obeys hooks."""

    def __init__(self, folder: Path, server: LoopbackTabstop, issuer: OidcIssuer) -> None:
        super().__init__(folder, server, issuer)
        self.folder = folder
        (folder / "work" / "widget").mkdir(parents=True)
        self.fake.allowance = replace(
            self.fake.allowance, limits=replace(LIMITS, cost=5 * CENT), price_card=CARD.to_json()
        )

    @property
    def environ(self) -> dict[str, str]:
        """What the governor's folders follow from."""
        return {"RUNNER_TEMP": str(self.runner.runner_temp), "HOME": str(self.runner.home)}

    def gate(self) -> ActionRun:
        """What it exports is there in the later steps."""
        done = self.run("gate", govern="hooks")
        self.exported = {name: value for name, value in done.env.items() if name not in self.identity}
        return done

    def agent(self) -> HookedAgent:
        environ = {"PATH": os.defpath, "CI": "true", **self.environ, **self.exported}
        return HookedAgent(environ, self.runner.workspace)

    def settle(self, agent: HookedAgent, *, stopped: bool) -> ActionRun:
        path = agent.write_execution_file(self.runner.runner_temp / "claude-execution-output.json", stopped=stopped)
        os.utime(path)
        return self.run("settle")

    @property
    def log(self) -> str:
        return (self.runner.runner_temp / "tabstop" / "hooks" / "governor.log").read_text(encoding="utf-8")

    def kill_governor(self) -> None:
        os.kill(int(self.log.split("began, process ")[-1].split()[0]), signal.SIGKILL)
        until = time.monotonic() + 60
        while is_running(self.environ):
            assert time.monotonic() < until
            time.sleep(0.02)


@pytest.fixture
def scene(oidc_issuer: OidcIssuer) -> Iterator[Scene]:
    with short_folder() as folder, LoopbackTabstop(FakeTabstop()) as server:
        scene = Scene(folder, server, oidc_issuer)
        yield scene
        end_session(scene.environ, "s1")


def said(agent: HookedAgent) -> str:
    return json.dumps(agent.said)


def test_an_agent_is_stopped_at_its_limit_and_settle_says_so(scene: Scene) -> None:
    """Its next hook stops it; the server heard of it while it ran, and of no call twice; the machine is as it was before."""
    settings = scene.runner.home / ".claude" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"model": "opus"}')
    gate = scene.gate()
    assert gate.outcome == "success", gate.log
    assert gate.outputs["enforcement"] == "one call"
    assert scene.exported == {"TABSTOP_SESSION": "s1"}
    assert "session-token-s1" not in json.dumps(gate.env) + gate.log
    agent = scene.agent()
    assert agent.run()
    assert "session s1 may use $0.05" in said(agent)
    assert "reached its cost limit" in said(agent)
    known = scene.fake.sessions["s1"]
    settle = scene.settle(agent, stopped=True)
    assert settle.outcome == "success", settle.log
    assert known.end is not None
    assert known.end.outcome == settle.outputs["outcome"] == "stopped: cost"
    assert "reached its cost limit: $0.08 of $0.05 used" in known.end.detail
    assert f"| Governor | stopped it after {agent.answers} model call" in settle.summary
    live = [batch for batch in known.batches if batch.events]
    assert [event.kind for event in live[0].events][-1] == "stop"
    assert len(known.calls) == agent.answers
    assert not is_running(scene.environ)
    assert settings.read_text() == '{"model": "opus"}'
    assert settle.env["TABSTOP_SESSION"] == ""


def test_a_killed_governor_is_started_again_and_the_session_still_bound(scene: Scene) -> None:
    """The next hook starts it from the action's own folder, with the standard library alone."""
    scene.gate()
    agent = scene.agent()
    agent.fire("SessionStart", {"source": "startup"})
    agent.answer(10_000, "t1")
    assert agent.fire("PostToolUse", {"tool_name": "Bash", "tool_input": {}, "tool_use_id": "t1"}) == {}
    scene.kill_governor()
    agent.answer(10_000, "t2")
    reply = agent.fire("PreToolUse", {"tool_name": "Bash", "tool_input": {}, "tool_use_id": "t2"})
    assert reply["continue"] is False, scene.log
    assert "site-packages" not in (scene.runner.home / ".local/share/tabstop/governor.command").read_text()
    assert (scene.runner.home / ".local/share/tabstop/governor.command").read_text().split("\n")[1:3] == ["-I", "-S"]
    assert scene.settle(agent, stopped=True).outputs["outcome"] == "stopped: cost"


def test_a_session_that_stays_within_its_limits_finishes(scene: Scene) -> None:
    """It is watched, and nothing of it changes."""
    scene.gate()
    agent = scene.agent()
    assert not agent.run(tokens=10)
    settle = scene.settle(agent, stopped=False)
    assert settle.outputs["outcome"] == "finished"
    assert f"watched {agent.answers} model call" in settle.summary
