"""Captured hook payloads (`tests/samples/hooks`), and payloads with only the detail a test is about."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.samples import SAMPLES

HOOKS = SAMPLES / "hooks"
NAMES = tuple(sorted(path.stem for path in HOOKS.glob("*.jsonl")))
SESSION = "11111111-1111-4111-8111-111111111111"


@cache
def captured(name: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    """(event, payload) of one run, in the order its hooks ran."""
    rows = [json.loads(line) for line in (HOOKS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    return tuple((row["configured_event"], row["payload"]) for row in rows)


def agent_of(name: str) -> str:
    """Which agent's hooks these are."""
    return "claude-code" if name.startswith("claude") else name


def outcome(run: str) -> dict[str, Any]:
    """What came of one reply at one event, as tried on the real client."""
    rows: list[dict[str, Any]] = json.loads((HOOKS / "outcomes.json").read_text(encoding="utf-8"))
    return next(row for row in rows if row["run"] == run)


def payload(event: str, log: Path | str = "", **fields: Any) -> dict[str, Any]:
    """A payload of this event."""
    return {"session_id": SESSION, "transcript_path": str(log), "cwd": "", "hook_event_name": event, **fields}


def tool(event: str, name: str = "Bash", **fields: Any) -> dict[str, Any]:
    """A payload of a tool's event."""
    return payload(event, tool_name=name, tool_input={"command": "ls"}, tool_use_id="toolu_1", **fields)
