"""Tool ids: OpenCode keeps the ids that a vendor gave to an answer's tool calls, and so does the proxy: they name the answer."""

from __future__ import annotations

import re

from tabstop.agents.claude_code.rows import ident

_VENDORS_OWN = re.compile(r"(toolu|call|fc)_[A-Za-z0-9_-]{16,}")
"""Anthropic's and OpenAI's are random. Other models count theirs, or OpenCode makes them up: those name nothing."""


def tool_key(session: str, tool: object) -> str:
    """The key of the answer that made this tool call; empty for an id that does not name one."""
    name = ident(tool)
    return f"opencode:tool:{session}/{name}" if _VENDORS_OWN.fullmatch(name) else ""
