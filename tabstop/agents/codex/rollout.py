"""Codex's rollouts, `sessions/Y/M/D/rollout-*.jsonl`, followed as they grow."""

from __future__ import annotations

from pathlib import Path

from tabstop.agents.claude_code.rows import Row, RowError, ident, mapping, parse_row
from tabstop.agents.codex.rollout_rows import AGENT, RolloutRows
from tabstop.agents.dialect import Read, not_read
from tabstop.agents.growing_file import GrowingFile
from tabstop.gauge import GaugeReading
from tabstop.governor.likeness import likeness_of


class RolloutFollower:
    """The usage of one rollout, answer by answer."""

    def __init__(self, path: Path) -> None:
        """Start before the first row."""
        self._file = GrowingFile(path)
        self._rows = RolloutRows()
        self._text = ""
        self._gauges: tuple[GaugeReading, ...] = ()

    def read(self) -> list[Read]:
        """See `tabstop.agents.dialect.UsageLog`."""
        found = []
        for number, line in self._file.lines():
            if line is None:
                continue
            try:
                row = parse_row(line)
            except RowError:
                if b'"token_usage_record"' in line:
                    found.append(self._unread(number, {}))
                continue
            payload = mapping(row.get("payload"))
            try:
                usage = self._rows.take(row)
            except RowError:
                found.append(self._unread(number, payload))
                continue
            if row.get("type") == "response_item" and payload.get("role") == "assistant":
                self._text = _text(payload)
            if usage is not None:
                new = tuple(one for one in self._rows.gauges.values() if one not in self._gauges)
                self._gauges = (*self._rows.gauges.values(),)
                found.append(Read(usage, self._subagent(usage.thread), likeness_of(self._text), gauges=new))
                self._text = ""
        return found

    def has_call(self, call: str) -> bool:  # noqa: ARG002 - its usage is written with the answer, before any tool runs
        """See `UsageLog.has_call`."""
        return True

    def _subagent(self, thread: str) -> str:
        return "" if thread == self._rows.session else thread

    def _unread(self, number: int, payload: Row) -> Read:
        name = ident(payload.get("response_id"))
        key = f"openai:resp:{name}" if name else f"{AGENT}:row:{self._file.path.stem}-{number}"
        thread = ident(payload.get("thread_id"))
        usage = not_read(key, AGENT, self._rows.latest, model=self._rows.model, thread=thread)
        return Read(usage, self._subagent(thread), unread=True)


def _text(message: Row) -> str:
    content = message.get("content")
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    return "\n".join(block["text"] for block in blocks if isinstance(block.get("text"), str))
