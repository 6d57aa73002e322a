"""Tools: which calls a response read the results of. Of their arguments only an HMAC is kept."""

from __future__ import annotations

import hashlib
import hmac
import json

from tabstop.agents.claude_code.rows import ident
from tabstop.usage import ToolCall


class ToolLog:
    """Follows tool calls from the response that asked for them to the response that reads their results, per thread.

    Holds ids, names and digests, never arguments or results.
    """

    def __init__(self, hmac_key: bytes) -> None:
        """hmac_key: per session, never leaves the machine; empty to keep no digests."""
        self._key = hmac_key
        self._seen: set[tuple[str, str]] = set()
        self._called: dict[tuple[str, str], ToolCall] = {}
        self._answered: dict[str, list[ToolCall]] = {}

    def calls(self, thread: str, content: object) -> None:
        """Note the `tool_use` blocks of a response."""
        for block in _blocks(content, "tool_use"):
            call_id, name = ident(block.get("id")), ident(block.get("name"))
            if call_id and name and (thread, call_id) not in self._seen:
                self._seen.add((thread, call_id))
                self._called[thread, call_id] = ToolCall(name, self._digest(block.get("input")))

    def results(self, thread: str, content: object) -> None:
        """Note the `tool_result` blocks of a user row; a result nobody asked for is ignored."""
        for block in _blocks(content, "tool_result"):
            called = self._called.pop((thread, ident(block.get("tool_use_id"))), None)
            if called is not None:
                failed = block.get("is_error") is True
                answered = ToolCall(called.name, called.arguments_hmac, failed)
                self._answered.setdefault(thread, []).append(answered)

    def read_by_response(self, thread: str) -> tuple[ToolCall, ...]:
        """What a new response in this thread has read: every result since the one before."""
        return tuple(self._answered.pop(thread, ()))

    def unread(self) -> tuple[ToolCall, ...]:
        """Calls that ran, or were running, when the file ended."""
        return (*(call for calls in self._answered.values() for call in calls), *self._called.values())

    def _digest(self, arguments: object) -> str:
        if not self._key:
            return ""
        return hmac.new(self._key, canonical_json(arguments), hashlib.sha256).hexdigest()


def canonical_json(value: object) -> bytes:
    """One spelling for equal JSON values: keys sorted, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _blocks(content: object, kind: str) -> list[dict[str, object]]:
    if not isinstance(content, list):
        return []
    return [block for block in content if isinstance(block, dict) and block.get("type") == kind]
