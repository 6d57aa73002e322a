"""The tools of a Codex session, from its rollout: what was called and whether it failed, for when no hook tells."""

from __future__ import annotations

import re
from pathlib import Path

from tabstop.agents.claude_code.rows import RowError, ident, mapping, parse_row
from tabstop.agents.dialect import digest
from tabstop.agents.growing_file import GrowingFile
from tabstop.usage import ToolCall

_CALLS = frozenset({"function_call", "custom_tool_call"})
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})
_EXIT_CODE = re.compile(r"^(?:Exit code:|Process exited with code) (\d+)", re.MULTILINE)
_HEAD = 400
"""Characters of a tool's output; its exit code stands in its first lines."""


class RolloutTools:
    """Follows one rollout. Holds names and digests of calls that run, never arguments or output."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Start before the first row. key: for the arguments' digests."""
        self._file = GrowingFile(path)
        self._key = key
        self._running: dict[str, ToolCall] = {}
        self._finished: list[ToolCall] = []

    def read(self) -> None:
        """Take in what is new."""
        for _, line in self._file.lines():
            try:
                row = parse_row(line or b"{}")
            except RowError:
                continue
            payload = mapping(row.get("payload"))
            kind, call = ident(payload.get("type")), ident(payload.get("call_id"))
            if kind in _CALLS and call:
                asked = payload.get("arguments", payload.get("input"))
                self._running[call] = ToolCall(ident(payload.get("name")) or "tool", digest(self._key, asked))
            elif kind in _OUTPUTS and call in self._running:
                one = self._running.pop(call)
                self._finished.append(ToolCall(one.name, one.arguments_hmac, _failed(payload.get("output"))))

    def take(self) -> tuple[ToolCall, ...]:
        """The calls that have finished since the last time."""
        finished, self._finished = tuple(self._finished), []
        return finished


def _failed(output: object) -> bool:
    found = _EXIT_CODE.search(output[:_HEAD]) if isinstance(output, str) else None
    return found is not None and int(found[1]) != 0
