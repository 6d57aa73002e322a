"""Following a session of Claude Code while it runs: its transcript and its subagents', as they grow."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from tabstop.agents.claude_code.rows import Row, RowError, ident, mapping, moment, parse_row
from tabstop.agents.claude_code.transcript import AGENT, TranscriptReader
from tabstop.agents.dialect import Read, not_read
from tabstop.agents.growing_file import GrowingFile
from tabstop.governor.likeness import likeness_of
from tabstop.usage import Usage

T = TypeVar("T")

_ANSWER = b'"assistant"'
"""In a row that is no JSON, the sign that it was to be an answer."""

_TEXTS_KEPT = 64
_CALLS_KEPT = 256


class SessionFollower:
    """The usage of one session. Each answer is told when it is new, and again when it turned out larger."""

    def __init__(self, transcript: Path, key: bytes) -> None:
        """transcript: `<session>.jsonl`; subagents are found in `<session>/subagents`."""
        self._main = _FileFollower(transcript, key)
        self._folder = transcript.with_suffix("") / "subagents"
        self._subagents: dict[Path, _FileFollower] = {}
        self._key = key

    def read(self) -> list[Read]:
        """See `tabstop.agents.dialect.UsageLog`."""
        found = self._main.new()
        for path in _transcripts(self._folder):
            follower = self._subagents.get(path)
            if follower is None:
                follower = self._subagents[path] = _FileFollower(path, self._key)
            found += [replace(one, thread=one.usage.thread or path.stem) for one in follower.new()]
        return found

    def has_call(self, call: str) -> bool:
        """See `UsageLog.has_call`."""
        return any(call in one.calls for one in (self._main, *self._subagents.values()))


class _FileFollower:
    def __init__(self, path: Path, key: bytes) -> None:
        self._file = GrowingFile(path)
        self._reader = TranscriptReader(key)
        self._told: dict[tuple[str, ...], Usage] = {}
        self._texts: dict[str, str] = {}
        self.calls: dict[str, None] = {}

    def new(self) -> list[Read]:
        """Answers not told yet, or not with these counts, as of the main thread; and those whose usage cannot be read."""
        answered, found = False, []
        for number, line in self._file.lines():
            if line is None or not line.strip():
                continue
            try:
                row = parse_row(line)
            except RowError:
                if _ANSWER in line:
                    found.append(self._unread(number, {}))
                continue
            read = self._reader.take(number, row)
            if row.get("type") == "assistant":
                answered = True
                self._note(mapping(row.get("message")))
                if not read:
                    found.append(self._unread(number, row))
        for usage in self._reader.part().usages if answered else ():
            before = self._told.get(usage.keys)
            if before is None or before.tokens != usage.tokens:
                self._told[usage.keys] = usage
                found.append(Read(usage, "", self._likeness(usage)))
        return found

    def _unread(self, number: int, row: Row) -> Read:
        """An answer is written in several rows; they have its id in common."""
        message = mapping(row.get("message"))
        name, at = ident(message.get("id")), moment(row.get("timestamp"))
        key = f"anthropic:msg:{name}" if name else f"{AGENT}:row:{self._file.path.stem}-{number}"
        usage = not_read(key, AGENT, at, model=ident(message.get("model")), thread=ident(row.get("agentId")))
        return Read(usage, unread=True)

    def _note(self, message: Row) -> None:
        """Keep the text of the latest answers, one row a block, until they are told, and the ids of the calls they asked for."""
        content, name = message.get("content"), ident(message.get("id"))
        for block in content if isinstance(content, list) else ():
            if not isinstance(block, dict):
                continue
            if block.get("type") == "tool_use":
                _add(self.calls, ident(block.get("id")), None, _CALLS_KEPT)
            elif isinstance(block.get("text"), str):
                _add(self._texts, name, self._texts.get(name, "") + block["text"], _TEXTS_KEPT)

    def _likeness(self, usage: Usage) -> int | None:
        for key in usage.keys:
            text = self._texts.pop(key.rpartition(":")[2], "")
            if text:
                return likeness_of(text)
        return None


def _transcripts(folder: Path) -> list[Path]:
    """In folders below it too: those of a workflow's subagents lie there. Links are not followed."""
    return sorted(Path(where, name) for where, _, names in os.walk(folder) for name in names if name.endswith(".jsonl"))


def _add(kept: dict[str, T], name: str, value: T, most: int) -> None:
    kept[name] = value
    if len(kept) > most:
        del kept[next(iter(kept))]
