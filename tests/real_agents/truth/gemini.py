"""Gemini CLI's scenes: a subagent, two equal answers, resumption, compression, branch switches, overload, a killed client."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tests.real_agents.agents import AGENTS
from tests.real_agents.cell import THINK
from tests.real_agents.truth.machine import Machine, Source
from tests.real_agents.truth.scene import Client, Scene, Stage

_REPOSITORY = "vcs.repository.url.full=https://github.com/acme/widget"


def _argv(prompt: str, more: Sequence[str]) -> tuple[str, ...]:
    return ("gemini", "-p", prompt, "--skip-trust", "-y", "-m", "gemini-2.5-pro", "-o", "json", *more)


def _session(out: str) -> str:
    try:
        told = json.loads(out[out.index("{") :])
    except ValueError:
        return ""
    return str(told.get("session_id", ""))


def _prepare(machine: Machine, sources: frozenset[Source]) -> None:
    """As docs/otlp.md has it."""
    if Source.TELEMETRY not in sources:
        return
    url, token = machine.server.url, machine.server.token("telemetry")
    told = {"enabled": True, "target": "local", "otlpEndpoint": url, "otlpProtocol": "http", "logPrompts": False}
    machine.put(".gemini/settings.json", {"telemetry": told})
    machine.environ["OTEL_EXPORTER_OTLP_HEADERS"] = f"Authorization=Bearer {token}"
    machine.environ["OTEL_RESOURCE_ATTRIBUTES"] = _REPOSITORY


GEMINI = Client(
    next(one for one in AGENTS if one.key == "gemini"),
    _argv,
    _session,
    resume=lambda session: ("--resume", session),
    fork=lambda session: ("--resume", session),
    sources=frozenset(Source) - {Source.JOB},
    prepare=_prepare,
)

WITHOUT: tuple[frozenset[Source], ...] = (
    frozenset(),
    frozenset({Source.HOOKS, Source.TELEMETRY}),
    frozenset({Source.HOOKS, Source.PROXY}),
    frozenset({Source.TELEMETRY, Source.PROXY}),
    frozenset({Source.LOGS, Source.TELEMETRY}),
)
"""All sources together, and pairs that know no id in common."""


def _shell(command: str) -> dict[str, object]:
    return {"tool": "run_shell_command", "input": {"command": command}}


SCRIPTS = {
    "gm-sub": [
        [
            {
                "tool": "invoke_agent",
                "input": {"agent_name": "generalist", "prompt": "[[script:gm-subs]] Count the files."},
            }
        ],
        [{"text": "The subagent counted the files."}],
    ],
    "gm-subs": [
        [_shell("ls | wc -l")],
        [{"tool": "complete_task", "input": {"result": "There are 2 files."}}],
    ],
    "gm-commit": [
        [_shell("git switch -q feature/two && git branch --show-current")],
        [_shell("echo x >>README.md && git commit -am 'Change'")],
        [{"text": "Committed."}],
    ],
    "gm-hang": [[_shell("echo one")], {"blocks": [{"text": "This one"}], "hangs": 1}],
}


def _switched(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:gm-loop]] Begin.")
    stage.switch("feature/two")
    stage.run("[[script:talk]] Go on.", stage.resume())


def _commits(stage: Stage) -> None:
    stage.vendor.think = THINK  # git notes to the second when it switched, and nothing else does
    stage.switch("feature/one")
    stage.run("[[script:gm-commit]] Change it.")


def _sub(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:gm-sub]] Count.")


def _compressed(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:gm-loop]] Begin.")
    stage.run("/compress", stage.resume())
    stage.run("[[script:talk]] Go on.", stage.resume())


def _overloaded(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.vendor.overload(2)
    stage.run("[[script:gm-loop]] Begin.")


def _killed(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:talk]] Begin.")
    stage.killed("[[script:gm-hang]] Go on.", stage.resume())
    stage.run("[[script:talk]] And again.", stage.resume())


def _job(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:gm-basic]] Begin.")
    stage.run("[[script:talk]] Go on.", stage.resume())


SCENES = (
    Scene("gemini-switch", GEMINI, _switched, "a session that is resumed on another branch", without=WITHOUT),
    Scene("gemini-commit", GEMINI, _commits, "a branch switched and a commit made by the client", scripts=SCRIPTS),
    Scene("gemini-subagent", GEMINI, _sub, "a subagent", scripts=SCRIPTS, without=WITHOUT),
    Scene("gemini-compress", GEMINI, _compressed, "a conversation that is compressed"),
    Scene("gemini-overload", GEMINI, _overloaded, "answers 503, then tried again"),
    Scene(
        "gemini-killed",
        GEMINI,
        _killed,
        "a client that is killed while an answer comes",
        scripts=SCRIPTS,
        unseen="broken off, in no source but the proxy",
        without=WITHOUT,
    ),
    Scene(
        "gemini-job",
        GEMINI,
        _job,
        "in a pull request's workflow: a commit, resumed",
        sources=frozenset({Source.JOB, Source.TELEMETRY}),
        without=(frozenset(), frozenset({Source.TELEMETRY})),
    ),
)
