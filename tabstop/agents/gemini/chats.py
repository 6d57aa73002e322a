"""Gemini CLI's chat files: `~/.gemini/tmp/<project>/chats/session-*.jsonl`, found and followed. Shapes as written by 0.61."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from tabstop.agents.claude_code.rows import Row, RowError, ident, mapping, moment, parse_row
from tabstop.agents.dialect import Read, digest, not_read
from tabstop.agents.gemini.chat_rows import ChatRows
from tabstop.agents.gemini.hooks import AGENT
from tabstop.agents.growing_file import GrowingFile, sizes_of
from tabstop.governor.likeness import likeness_of
from tabstop.usage import ToolCall


class ChatLog:
    """See `tabstop.agents.command_line.AgentLog`."""

    def __init__(self, home: Path, cwd: str, session: str, key: bytes) -> None:
        """home: `~/.gemini`. With an empty session, it is the first chat of this working directory that grows from now on."""
        self.session = session
        self._chats = home / "tmp"
        self._project = hashlib.sha256(os.fsencode(cwd)).hexdigest()
        self._key = key
        self._before = {} if session else self._sizes()
        self._follower: ChatFollower | None = None

    @property
    def found(self) -> bool:
        """See `AgentLog.found`."""
        return self._follower is not None

    def read(self) -> list[Read]:
        """See `AgentLog.read`."""
        if self._follower is None:
            found = next((path for path, size in self._sizes().items() if self._is_ours(path, size)), None)
            if found is None:
                return []
            self._follower = ChatFollower(found, self._key)
        return self._follower.read()

    def _is_ours(self, path: Path, size: int) -> bool:
        if size == self._before.get(path):
            return False
        about = _first_row(path)
        session = ident(about.get("sessionId"))
        if self.session:
            return session == self.session
        if session and about.get("projectHash") == self._project:
            self.session = session
            return True
        return False

    def _sizes(self) -> dict[Path, int]:
        return sizes_of(self._chats.glob("*/chats/session-*.jsonl"))


class ChatFollower:
    """The usage of one chat, answer by answer."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Start before the first row. key: for the digests of tools' arguments."""
        self._file = GrowingFile(path)
        self._key = key
        self._rows = ChatRows()
        self._called: dict[str, None] = {}
        self._finished: list[ToolCall] = []

    def read(self) -> list[Read]:
        """See `tabstop.agents.dialect.UsageLog`."""
        found: list[Read] = []
        for number, line in self._file.lines():
            try:
                row = parse_row(line or b"{}")
            except RowError:
                if b'"gemini"' in (line or b""):
                    found.append(self._unread(number, {}))
                continue
            for message in self._rows.messages(row):
                read, self._finished = tuple(self._finished), []
                self._tools(message.get("toolCalls"))
                try:
                    usage = self._rows.usage(message)
                except RowError:
                    found.append(self._unread(number, message))
                    continue
                if usage is not None:
                    content = message.get("content")
                    likeness = likeness_of(content) if isinstance(content, str) else None
                    found.append(Read(replace(usage, tool_calls=read), "", likeness))
        return found

    def _unread(self, number: int, row: Row) -> Read:
        """Written again with each of its tools' results: the id tells that it is the same."""
        key = f"google:chat:{self._rows.session}/{ident(row.get('id')) or number}"
        usage = not_read(key, AGENT, moment(row.get("timestamp")), model=ident(row.get("model")))
        return Read(usage, unread=True)

    def _tools(self, calls: object) -> None:
        for call in map(mapping, calls if isinstance(calls, list) else []):
            name = ident(call.get("id"))
            if name and name not in self._called:
                self._called[name] = None
                asked = digest(self._key, call.get("args"))
                self._finished.append(ToolCall(ident(call.get("name")) or "tool", asked, call.get("status") == "error"))


def _first_row(path: Path) -> Row:
    for _, line in GrowingFile(path).lines():
        try:
            return parse_row(line or b"{}")
        except RowError:
            return {}
    return {}
