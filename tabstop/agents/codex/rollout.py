"""Codex's rollouts: `sessions/Y/M/D/rollout-*.jsonl`, followed as they grow. Shapes as written by Codex 0.169."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from tabstop.agents.claude_code.rows import Row, RowError, count, ident, mapping, moment, parse_row
from tabstop.agents.dialect import Read
from tabstop.agents.growing_file import GrowingFile
from tabstop.governor.likeness import likeness_of
from tabstop.usage import Tokens, Usage

AGENT = "codex"


class RolloutFollower:
    """The usage of one rollout.

    Each API response has a `token_usage_record` with its id. Versions before it wrote only `token_count`, whose running total
    tells one response from the next; that is read until the first record is seen.
    """

    def __init__(self, path: Path) -> None:
        """Start before the first row."""
        self._file = GrowingFile(path)
        self._session = self._model = self._text = ""
        self._latest: datetime | None = None
        self._has_records = False

    def read(self) -> list[Read]:
        """See `tabstop.agents.dialect.UsageLog`."""
        found = []
        for _, line in self._file.lines():
            if line is None:
                continue
            try:
                row = parse_row(line)
                usage = self._row(row)
            except RowError:
                continue
            if usage is not None:
                thread = "" if usage.thread == self._session else usage.thread
                found.append(Read(usage, thread, likeness_of(self._text)))
                self._text = ""
        return found

    def has_call(self, call: str) -> bool:  # noqa: ARG002 - its usage is written with the answer, before any tool runs
        """See `UsageLog.has_call`."""
        return True

    def _row(self, row: Row) -> Usage | None:
        self._latest = moment(row.get("timestamp")) or self._latest
        payload = mapping(row.get("payload"))
        kind = row.get("type")
        if kind == "session_meta":
            self._session = ident(payload.get("session_id")) or ident(payload.get("id"))
        elif kind == "turn_context":
            self._model = ident(payload.get("model")) or self._model
        elif kind == "token_usage_record":
            self._has_records = True
            return self._usage(f"openai:resp:{ident(payload.get('response_id'))}", payload, payload.get("usage"))
        elif kind == "response_item" and payload.get("type") == "message" and payload.get("role") == "assistant":
            self._text = _text(payload)
        elif kind == "event_msg" and payload.get("type") == "token_count" and not self._has_records:
            info = mapping(payload.get("info"))
            total = count(mapping(info.get("total_token_usage")), "total_tokens")
            return self._usage(f"openai:codex:{self._session}-{total}", payload, info.get("last_token_usage"))
        return None

    def _usage(self, key: str, payload: Row, used: object) -> Usage | None:
        if self._latest is None or key.endswith(":") or not isinstance(used, dict):
            return None
        return Usage(
            keys=(key,),
            model=self._model,
            tokens=read_tokens(used),
            occurred_at=self._latest,
            agent=AGENT,
            thread=ident(payload.get("thread_id")) or self._session,
            cache_split_known=not count(used, "cache_write_input_tokens"),
        )


def read_tokens(used: Row) -> Tokens:
    """OpenAI's `input_tokens` holds what was read from and written to the cache; its output holds the reasoning. Raises `RowError`."""
    cached, written = count(used, "cached_input_tokens"), count(used, "cache_write_input_tokens")
    return Tokens(
        input=max(0, count(used, "input_tokens") - cached - written),
        cache_read=cached,
        cache_write_5m=written,
        output=count(used, "output_tokens"),
    )


def _text(message: Row) -> str:
    content = message.get("content")
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    return "\n".join(block["text"] for block in blocks if isinstance(block.get("text"), str))
