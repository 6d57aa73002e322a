"""Callers: who asks, as the agents' own request headers say. Seen on Claude Code 2.1, Codex 0.169, Gemini CLI 0.61, OpenCode 1.18."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tabstop.agents.claude_code.rows import ident, mapping, text

_SHA = re.compile(r"[0-9a-f]{40}")
_REMOTE = re.compile(r"[/:]([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+?)(?:\.git)?/?$")

_AGENTS = (
    ("claude-cli/", "claude-code"),
    ("codex", "codex"),
    ("geminicli", "gemini-cli"),
    ("opencode/", "opencode"),
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whatever the headers tell; empty where they do not.

    session: the agent's own session id. thread: of a subagent; empty for the main thread. repository: `owner/name`.
    commit: its head, 40 hex digits. cwd: where the agent works.
    """

    agent: str = ""
    session: str = ""
    thread: str = ""
    repository: str = ""
    commit: str = ""
    cwd: str = ""


def caller_of(headers: Mapping[str, str]) -> Caller:
    """Read the headers; names are compared without regard to case by the mapping itself. Never raises."""
    said = headers.get("User-Agent", "").lower()
    agent = next((name for start, name in _AGENTS if said.startswith(start)), "")
    if "X-Claude-Code-Session-Id" in headers:
        session = ident(headers["X-Claude-Code-Session-Id"])
        return Caller("claude-code", session, ident(headers.get("X-Claude-Code-Agent-Id")))
    if "x-codex-turn-metadata" in headers or ("session-id" in headers and "thread-id" in headers):
        return _codex(headers)
    if "x-session-id" in headers:
        # A subagent of OpenCode is a session of its own, and nothing says whose.
        return Caller(agent or "opencode", ident(headers["x-session-id"]))
    return Caller(agent)


def _codex(headers: Mapping[str, str]) -> Caller:
    told = _metadata(headers.get("x-codex-turn-metadata", ""))
    session = ident(headers.get("session-id")) or ident(told.get("session_id"))
    thread = ident(headers.get("thread-id")) or ident(told.get("thread_id"))
    workspaces = mapping(told.get("workspaces"))
    cwd = next(iter(workspaces), "")
    place = mapping(workspaces.get(cwd))
    remote = text(mapping(place.get("associated_remote_urls")).get("origin"), 400)
    found = _REMOTE.search(remote)
    commit = ident(place.get("latest_git_commit_hash")).lower()
    return Caller(
        agent="codex",
        session=session or thread,
        thread="" if thread == session or not session else thread,
        repository=found[1] if found else "",
        commit=commit if _SHA.fullmatch(commit) else "",
        cwd=text(cwd, 4_096),
    )


def _metadata(header: str) -> dict[str, object]:
    try:
        return mapping(json.loads(header))
    except (ValueError, RecursionError):
        return {}
