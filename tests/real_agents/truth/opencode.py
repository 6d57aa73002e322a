"""OpenCode's scenes: a subagent, forks, resumption, compaction, branch switches, overload, a killed client."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Sequence

from tests.real_agents.agents import AGENTS
from tests.real_agents.cell import THINK
from tests.real_agents.truth.machine import LONGEST, Machine, Source, eventually
from tests.real_agents.truth.scene import Client, Scene, Stage


def _argv(prompt: str, more: Sequence[str]) -> tuple[str, ...]:
    return ("opencode", "run", "--format", "json", "--auto", *more, prompt)


def _session(out: str) -> str:
    for line in out.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict) and "sessionID" in told:
            return str(told["sessionID"])
    return ""


def _prepare(machine: Machine, sources: frozenset[Source]) -> None:
    """It has neither hooks nor telemetry of its own. Led by its configuration, or by the proxy's word in its environment."""


OPENCODE = Client(
    next(one for one in AGENTS if one.key == "opencode"),
    _argv,
    _session,
    resume=lambda session: ("--session", session),
    fork=lambda session: ("--session", session, "--fork"),
    sources=frozenset({Source.LOGS, Source.PROXY}),
    prepare=_prepare,
)


def _bash(command: str) -> dict[str, object]:
    return {"tool": "bash", "input": {"command": command, "description": "A step"}}


SCRIPTS = {
    "oc-loop": [[_bash("echo one")], [_bash("echo two")], [{"text": "Both steps done."}]],
    "oc-sub": [
        [
            {
                "tool": "task",
                "input": {"description": "Count", "prompt": "[[script:oc-subs]] Count.", "subagent_type": "general"},
            }
        ],
        [{"text": "The subagent counted the files."}],
    ],
    "oc-subs": [[_bash("ls | wc -l")], [{"text": "There are 2 files."}]],
    "oc-commit": [
        [_bash("git switch feature/two")],
        [_bash("echo x >>README.md && git commit -am 'Change'")],
        [{"text": "Committed."}],
    ],
    "oc-hang": [[_bash("echo one")], {"blocks": [{"text": "This one"}], "hangs": 3}],
}


def _switched(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:oc-loop]] Begin.")
    stage.switch("feature/two")
    stage.run("[[script:talk]] Go on.", stage.resume())


def _forked(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:oc-loop]] Begin.")
    stage.run("[[script:talk]] Go on.", stage.fork())
    stage.run("[[script:oc-loop]] And here.", stage.resume(0))


def _commits(stage: Stage) -> None:
    stage.vendor.think = THINK  # git notes to the second when it switched, and nothing else does
    stage.switch("feature/one")
    stage.run("[[script:oc-commit]] Change it.")


def _sub(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:oc-sub]] Count.")


def _compacted(stage: Stage) -> None:
    """As `/compact` in its terminal asks its own server."""
    stage.switch("feature/one")
    stage.run("[[script:oc-loop]] Begin.")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    serves = stage.machine.start(("opencode", "serve", "--port", str(port)), "serve")
    try:
        out = stage.machine.home / "serve.out"
        eventually(lambda: serves.poll() is not None or "listening" in out.read_text(), "its server did not begin")
        body = json.dumps({"providerID": "anthropic", "modelID": "claude-sonnet-4-5"}).encode()
        url = f"http://127.0.0.1:{port}/session/{stage.sessions[-1]}/summarize"
        asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=LONGEST) as answer:
            answer.read()
    finally:
        serves.terminate()
        serves.wait()
    stage.run("[[script:talk]] Go on.", stage.resume())


def _overloaded(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.vendor.overload(2)
    stage.run("[[script:oc-loop]] Begin.")


def _killed(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:talk]] Begin.")
    stage.killed("[[script:oc-hang]] Go on.", stage.resume())
    stage.run("[[script:talk]] And again.", stage.resume())


SCENES = (
    Scene("opencode-switch", OPENCODE, _switched, "a session that is resumed on another branch", scripts=SCRIPTS),
    Scene("opencode-fork", OPENCODE, _forked, "a copy of a session, and the first one gone on with", scripts=SCRIPTS),
    Scene("opencode-commit", OPENCODE, _commits, "a branch switched and a commit made by the client", scripts=SCRIPTS),
    Scene("opencode-subagent", OPENCODE, _sub, "a subagent", scripts=SCRIPTS),
    Scene("opencode-compact", OPENCODE, _compacted, "compacted, and resumed", scripts=SCRIPTS),
    Scene("opencode-overload", OPENCODE, _overloaded, "answers 529, then tried again", scripts=SCRIPTS),
    Scene("opencode-killed", OPENCODE, _killed, "a client that is killed while an answer comes", scripts=SCRIPTS,
          unseen="broken off: in no source but the proxy"),
)  # fmt: skip
