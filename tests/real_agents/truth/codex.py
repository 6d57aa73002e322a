"""Codex's scenes: subagents, forks, resumption, compaction, branch switches, overload, a killed client."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tests.real_agents.agents import AGENTS
from tests.real_agents.cell import THINK
from tests.real_agents.truth.machine import Machine, Source
from tests.real_agents.truth.scene import Client, Scene, Stage

_OPTIONS = ("--json", "--dangerously-bypass-approvals-and-sandbox", "--dangerously-bypass-hook-trust")


def _argv(prompt: str, more: Sequence[str]) -> tuple[str, ...]:
    """more: a subcommand with a session's id, or options."""
    return ("codex", "exec", *_OPTIONS, *more, prompt)


def _session(out: str) -> str:
    for line in out.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if row.get("type") == "thread.started":
            return str(row.get("thread_id", ""))
    return ""


def _prepare(_machine: Machine, _sources: frozenset[Source]) -> None:
    """Its telemetry cannot be joined, so it is no source; see docs/otlp.md."""


CODEX = Client(
    AGENTS[1],
    _argv,
    _session,
    resume=lambda session: ("resume", session),
    fork=lambda session: ("fork", session),
    sources=frozenset({Source.LOGS, Source.HOOKS, Source.PROXY}),
    prepare=_prepare,
)

_BOTH = (frozenset[Source](), frozenset({Source.PROXY, Source.HOOKS}))
"""All sources at once; the logs alone."""
_SETS = (*_BOTH, frozenset({Source.PROXY}))
"""The same; without the proxy."""


def _run(command: str) -> list[dict[str, object]]:
    return [{"tool": "exec_command", "input": {"cmd": command}}]


_SAID = [{"text": "Done."}]


def _switched(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:talk]] Begin.")
    stage.vendor.think = THINK
    stage.run("[[script:away]] Go away.", stage.resume())
    stage.run("[[script:cx-loop]] And on.", stage.resume())
    stage.vendor.think = 0.0
    stage.switch("main")
    stage.switch("feature/one")
    stage.run("[[script:talk]] Anew.")


_AWAY = [
    _run("echo x >>one.md && git commit -qam 'One' && git rev-parse HEAD"),
    _run("git switch feature/two"),
    _run("echo x >>two.md && git commit -am 'Two'"),
    _SAID,
]


def _resumed(stage: Stage) -> None:
    stage.switch("feature/two")
    stage.run("[[script:cx-loop]] Begin.")
    stage.switch("feature/one")
    stage.run("[[script:cx-basic]] Go on.", stage.resume())
    stage.switch("feature/two")
    stage.run("[[script:talk]] And back.", stage.resume())


def _copies(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:cx-loop]] Begin.")
    stage.switch("feature/two")
    stage.run("[[script:talk]] A copy.", stage.fork())
    stage.switch("feature/one")
    stage.run("[[script:talk]] The first one again.", stage.resume(0))
    stage.switch("feature/two")
    stage.run("[[script:talk]] The copy again.", stage.resume(1))


def _compacted(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:cx-loop]] Begin.")
    stage.run("[[script:talk]] Go on.", ("-c", "model_auto_compact_token_limit=5000", *stage.resume()))
    stage.run("[[script:talk]] The end.", stage.resume())


def _subagents(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:parent]] Begin.", ("--enable", "multi_agent"))


_PARENT = [
    [
        {
            "tool": "multi_agent_v1.spawn_agent",
            "input": {"message": "[[script:child]] Count the files.", "fork_context": True},
        }
    ],
    [
        {
            "tool": "multi_agent_v1.spawn_agent",
            "input": {"message": "[[script:cx-loop]] Go on and on.", "fork_context": False},
        }
    ],
    _run("sleep 3"),
    _SAID,
]
_CHILD = [_run("ls | wc -l"), _SAID]


def _overloaded(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.vendor.overload(3)
    stage.run("[[script:cx-loop]] Begin.")
    stage.vendor.overload(2)
    stage.run("[[script:talk]] Go on.", stage.resume())


def _killed(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:talk]] Begin.")
    stage.killed("[[script:stuck]] Never answered.", stage.resume())
    stage.run("[[script:cx-loop]] Go on.", stage.resume())


_STUCK = [_run("echo one"), _run("echo two"), {"hangs": 1, "blocks": _SAID}]


def _job(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:cx-basic]] Begin.")
    stage.run("[[script:talk]] Go on.", stage.resume())
    stage.run("[[script:talk]] A copy.", stage.fork())


SCENES = (
    Scene("codex-switch", CODEX, _switched, "branches change in a run", without=_SETS, scripts={"away": _AWAY}),
    Scene("codex-resume", CODEX, _resumed, "branches change between runs", without=_SETS),
    Scene("codex-fork", CODEX, _copies, "a session is copied on another branch, and both go on", without=_BOTH),
    Scene(
        "codex-subagents",
        CODEX,
        _subagents,
        "subagents, with and without the conversation",
        without=_BOTH,
        scripts={"parent": _PARENT, "child": _CHILD},
    ),
    Scene("codex-compact", CODEX, _compacted, "compacted, and resumed", without=_BOTH),
    Scene("codex-overload", CODEX, _overloaded, "503 before answers", without=_BOTH),
    Scene(
        "codex-killed",
        CODEX,
        _killed,
        "SIGKILL in the middle of an answer, then resumed",
        without=_SETS,
        scripts={"stuck": _STUCK},
        unseen="broken off: nobody tells what it used",
    ),
    Scene(
        "codex-job",
        CODEX,
        _job,
        "in a pull request's workflow: a commit, resumed, copied",
        sources=frozenset({Source.JOB}),
    ),
)
