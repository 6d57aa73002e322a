"""Gemini CLI's chat files: `~/.gemini/tmp/<project>/chats/session-*.jsonl`, found and followed. Shapes as written by 0.61."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path

from tabstop.agents.claude_code.rows import Row, RowError, count, ident, mapping, moment, parse_row
from tabstop.agents.dialect import Read, digest
from tabstop.agents.gemini.hooks import AGENT
from tabstop.agents.growing_file import GrowingFile, sizes_of
from tabstop.governor.likeness import likeness_of
from tabstop.usage import Tokens, ToolCall, Usage


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
    """The usage of one chat. An answer is written when it is there, and again with each of its tools' results."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Start before the first row. key: for the digests of tools' arguments."""
        self._file = GrowingFile(path)
        self._key = key
        self._session = ""
        self._called: dict[str, None] = {}
        self._finished: list[ToolCall] = []

    def read(self) -> list[Read]:
        """See `tabstop.agents.dialect.UsageLog`."""
        found: list[Read] = []
        for _, line in self._file.lines():
            try:
                row = parse_row(line or b"{}")
                self._session = self._session or ident(row.get("sessionId"))
                usage = self._usage(row) if row.get("type") == "gemini" else None
            except RowError:
                continue
            if usage is not None:
                content = row.get("content")
                found.append(Read(usage, "", likeness_of(content) if isinstance(content, str) else None))
        return found

    def _usage(self, row: Row) -> Usage | None:
        name, model, at = ident(row.get("id")), ident(row.get("model")), moment(row.get("timestamp"))
        if not name or not model or at is None:
            return None
        read, self._finished = tuple(self._finished), []
        usage = self._told(name, model, at, mapping(row.get("tokens")), read)
        calls = row.get("toolCalls")
        for call in calls if isinstance(calls, list) else []:
            self._tool(mapping(call))
        return usage

    def _told(self, name: str, model: str, at: datetime, used: Row, read: tuple[ToolCall, ...]) -> Usage | None:
        """`input` holds what was cached; thoughts are billed as output and stand beside it."""
        cached = count(used, "cached")
        tokens = Tokens(
            input=max(0, count(used, "input") - cached) + count(used, "tool"),
            cache_read=cached,
            output=count(used, "output") + count(used, "thoughts"),
        )
        if not tokens.total:
            return None
        return Usage((f"google:chat:{self._session}/{name}",), model, tokens, at, AGENT, self._session, tool_calls=read)

    def _tool(self, call: Row) -> None:
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
