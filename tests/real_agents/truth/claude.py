"""Claude Code's scenes: subagents, forks, resumption, compaction, branch switches, overload, a killed client."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tests.real_agents.agents import AGENTS
from tests.real_agents.cell import THINK
from tests.real_agents.truth.machine import Machine, Source
from tests.real_agents.truth.scene import Client, Scene, Stage

_REPOSITORY = "vcs.repository.url.full=https://github.com/acme/widget"


def _argv(prompt: str, more: Sequence[str]) -> tuple[str, ...]:
    return ("claude", "-p", prompt, "--model", "claude-sonnet-4-5", "--output-format", "json",
            "--permission-mode", "acceptEdits", "--allowedTools", "Bash Agent", *more)  # fmt: skip


def _session(out: str) -> str:
    try:
        told = json.loads(out)
    except ValueError:
        return ""
    last = told[-1] if isinstance(told, list) and told else told
    return str(last.get("session_id", "")) if isinstance(last, dict) else ""


def _prepare(machine: Machine, sources: frozenset[Source]) -> None:
    """As docs/otlp.md has it: nothing of the content, and the repository's own line."""
    if Source.TELEMETRY not in sources:
        return
    token = machine.server.token("telemetry")
    told = {
        "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"{machine.server.url}/otlp",
        "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer {token}",
        "OTEL_RESOURCE_ATTRIBUTES": _REPOSITORY,
    }
    machine.put(".claude/settings.json", {"env": told})


CLAUDE = Client(
    AGENTS[0],
    _argv,
    _session,
    resume=lambda session: ("--resume", session),
    fork=lambda session: ("--resume", session, "--fork-session"),
    sources=frozenset(Source),
    prepare=_prepare,
    pause=0.0,  # it notes the branch with every call
)


_ALONE = frozenset(Source) - {Source.LOGS}
_BOTH = (frozenset[Source](), _ALONE)
"""All sources at once; the logs alone."""
_SETS = (*_BOTH, frozenset({Source.PROXY}), frozenset({Source.TELEMETRY}))
"""The same; without the proxy; without telemetry."""


def _bash(command: str) -> list[dict[str, object]]:
    return [{"tool": "Bash", "input": {"command": command, "description": "One more step"}}]


_SAID = [{"text": "Done."}]


def _switched(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:talk]] Begin.")
    stage.switch("feature/two")
    stage.run("[[script:loop]] Go on.", stage.resume())
    stage.vendor.think = THINK  # it looks at the branch now and then, and real answers take longer than that
    stage.run("[[script:back]] Go back.", stage.resume())
    stage.vendor.think = 0.0
    stage.run("[[script:talk]] And here.", stage.resume())


_BACK = [
    _bash("echo x >>two.md && git commit -qam 'Two' && git rev-parse HEAD"),
    _bash("git switch feature/one"),
    _bash("echo x >>one.md && git commit -am 'One'"),
    _SAID,
]


def _subagents(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:cc-sub-commit]] In the foreground.")
    stage.run("[[script:cc-sub]] In the background.", stage.resume())
    stage.switch("feature/two")
    stage.run("[[script:two-at-once]] Both.", stage.resume())


def _agent(words: str, script: str, *, background: bool) -> dict[str, object]:
    given = {"description": words, "prompt": f"[[script:{script}]] {words}", "subagent_type": "general-purpose"}
    return {"tool": "Agent", "input": {**given, "run_in_background": background}}


_TWO = [
    [_agent("Count files.", "sub", background=False), _agent("Talk.", "loop", background=True)],
    _bash("echo both"),
    _SAID,
]


def _copies(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:loop]] Begin.")
    stage.switch("feature/two")
    stage.run("[[script:talk]] A copy.", stage.fork())
    stage.switch("feature/one")
    stage.run("[[script:talk]] The first one again.", stage.resume(0))
    stage.run("[[script:talk]] The copy again.", stage.resume(1))


def _compacted(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:loop]] Begin.")
    stage.run("/compact", stage.resume())
    stage.run("[[script:cc-sub-commit]] Go on.", stage.resume())
    stage.run("/compact", stage.resume())
    stage.run("[[script:talk]] The end.", stage.resume())


def _overloaded(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.vendor.overload(3)
    stage.run("[[script:talk]] Begin.")
    stage.run("[[script:tired]] Go on.", stage.resume())
    stage.switch("feature/two")
    stage.vendor.overload(1)
    stage.run("[[script:cc-sub-sync]] With a subagent.", stage.resume())


_TIRED = [
    _bash("echo one"),
    {"error": 529, "type": "overloaded_error", "then": _bash("echo two")},
    {"error": 500, "type": "api_error", "then": _SAID},
]


def _killed(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:talk]] Begin.")
    stage.killed("[[script:stuck]] Never answered.", stage.resume())
    stage.switch("feature/two")
    stage.run("[[script:loop]] Go on.", stage.resume())


_STUCK = [_bash("echo one"), _bash("echo two"), {"hangs": 1, "blocks": _SAID}]


def _led(stage: Stage) -> None:
    stage.vendor.think = THINK
    stage.run("[[script:talk]] Where do we begin?")
    stage.run("[[script:opened]] Do it.", stage.resume())


def _spoken_of(stage: Stage) -> None:
    stage.checkout.git("switch", "-q", "-c", "feature/four", "main")
    stage.run("[[script:talk]] Begin.")
    stage.run("[[script:word]] Say a word on the other one.", stage.resume())


_WORD = [_bash("gh pr comment 1 --body Hello"), _SAID]


def _job(stage: Stage) -> None:
    stage.switch("feature/one")
    stage.run("[[script:cc-sub-commit]] Begin.", _TOLD)
    stage.run("/compact", (*_TOLD, *stage.resume()))
    stage.run("[[script:cc-sub]] Go on.", (*_TOLD, *stage.resume()))
    stage.run("[[script:talk]] A copy.", (*_TOLD, *stage.fork()))


_TOLD = ("--verbose",)
"""Every event, as claude-code-action keeps them."""


_OPENED = [
    _bash("git switch -c feature/three"),
    _bash("echo x >three.md && git add . && git commit -m 'Three'"),
    _bash("git push -u origin feature/three; gh pr create --title Three --body Text"),
    _SAID,
]


SCENES = (
    Scene(
        "claude-switch",
        CLAUDE,
        _switched,
        "branches change between runs, and in one",
        without=_BOTH,
        scripts={"back": _BACK},
    ),
    Scene(
        "claude-subagents",
        CLAUDE,
        _subagents,
        "subagents, in the background too",
        without=_SETS,
        scripts={"two-at-once": _TWO},
    ),
    Scene("claude-fork", CLAUDE, _copies, "a session is copied on another branch, and both go on", without=_BOTH),
    Scene("claude-compact", CLAUDE, _compacted, "compacted twice, and resumed", without=_SETS),
    Scene(
        "claude-overload", CLAUDE, _overloaded, "529 and 500 before answers", without=_BOTH, scripts={"tired": _TIRED}
    ),
    Scene(
        "claude-killed",
        CLAUDE,
        _killed,
        "SIGKILL in the middle of an answer, then resumed",
        without=_SETS,
        scripts={"stuck": _STUCK},
        unseen="broken off, in no log",
    ),
    Scene(
        "claude-opened",
        CLAUDE,
        _led,
        "work on main that led to a branch and its pull request",
        leads={"main": "feature/three"},
        without=_BOTH,
        scripts={"opened": _OPENED},
    ),
    Scene(
        "claude-word",
        CLAUDE,
        _spoken_of,
        "a comment on another branch's pull request, from a branch without one",
        without=_BOTH,
        scripts={"word": _WORD},
    ),
    Scene(
        "claude-job",
        CLAUDE,
        _job,
        "in a pull request's workflow: a subagent, a commit, compacted, copied",
        sources=frozenset({Source.JOB, Source.TELEMETRY}),
        without=(frozenset(), frozenset({Source.TELEMETRY})),
    ),
)
