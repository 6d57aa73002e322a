"""What all dialects share: whether a tool's command says that it waits."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tabstop.agents.dialect import AGENTS, dialect_of, waits
from tabstop.governor.facts import ToolFinished, ToolStarted

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"command": "sleep 30; gh run view 4711"}, True),
        ({"command": ["bash", "-lc", "sleep 30 && make status"]}, True),
        ({"cmd": "gh run watch 4711"}, True),
        ({"command": "make build"}, False),
        ({"command": ["sleep", 5]}, False),
        ({"command": 5}, False),
        ({"file_path": "sleep 30"}, False),
        (None, False),
    ],
)
def test_waiting_is_seen_in_the_command(arguments: object, expected: bool) -> None:
    """Only in what runs; anything malformed waits for nothing."""
    assert waits(arguments) is expected


@pytest.mark.parametrize("agent", AGENTS)
def test_every_dialect_tells_it(agent: str) -> None:
    """At the start of a tool and at its end; the command itself is told nowhere."""
    dialect = dialect_of(agent)
    before, after = ("BeforeTool", "AfterTool") if agent == "gemini" else ("PreToolUse", "PostToolUse")
    payload = {"session_id": "s", "tool_name": "Bash", "tool_input": {"command": "sleep 30; gh run view"}}
    (begun,) = dialect.read(before, payload, NOW, b"key").facts
    (ended,) = dialect.read(after, payload, NOW, b"key").facts
    assert isinstance(begun, ToolStarted)
    assert isinstance(ended, ToolFinished)
    assert (begun.waits, ended.waits) == (True, True)
    assert "sleep" not in repr((begun, ended))
