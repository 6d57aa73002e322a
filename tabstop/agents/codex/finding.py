"""Finding the rollouts of a session that runs: its own, by id or by working directory, and those of its subagents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tabstop.agents.claude_code.rows import Row, RowError, ident, mapping, parse_row
from tabstop.agents.codex.rollout import RolloutFollower
from tabstop.agents.codex.rollout_tools import RolloutTools
from tabstop.agents.dialect import Read
from tabstop.agents.growing_file import GrowingFile

_DAYS = 2
"""Newest folders of rollouts that are looked through: a session may begin before midnight and its subagent after."""


class RolloutLog:
    """See `tabstop.agents.command_line.AgentLog`."""

    def __init__(self, home: Path, cwd: str, session: str, key: bytes) -> None:
        """home: CODEX_HOME. Of rollouts that are there now, only the one of `session` is read."""
        self.session = session
        self._sessions = home / "sessions"
        self._cwd = cwd
        self._key = key
        self._strangers = set(self._newest())
        self._followed: dict[Path, tuple[RolloutFollower, RolloutTools]] = {}
        if session:
            for path in self._sessions.glob(f"*/*/*/rollout-*{session}.jsonl"):
                self._follow(path)

    @property
    def found(self) -> bool:
        """See `AgentLog.found`."""
        return bool(self._followed)

    def read(self) -> list[Read]:
        """See `AgentLog.read`."""
        for path in self._newest():
            if path not in self._strangers and path not in self._followed:
                self._look_at(path)
        return [one for follower, tools in self._followed.values() for one in _read(follower, tools)]

    def _look_at(self, path: Path) -> None:
        """Whether a new rollout is this session's: the first of this working directory is, and what names it as its session."""
        about = session_meta(path)
        if about is None:
            return
        names = {name for name in (ident(about.get("session_id")), ident(about.get("id"))) if name}
        if not self.session and names and about.get("cwd") == self._cwd:
            self.session = ident(about.get("id")) or next(iter(names))
        if self.session in names:
            self._follow(path)
        else:
            self._strangers.add(path)

    def _follow(self, path: Path) -> None:
        self._followed[path] = RolloutFollower(path), RolloutTools(path, self._key)

    def _newest(self) -> list[Path]:
        days = sorted(self._sessions.glob("*/*/*"))[-_DAYS:]
        return [path for day in days for path in sorted(day.glob("rollout-*.jsonl"))]


def _read(follower: RolloutFollower, tools: RolloutTools) -> list[Read]:
    """New answers, the first of them with the tools that finished before it."""
    tools.read()
    found = follower.read()
    if found:
        found[0] = replace(found[0], usage=replace(found[0].usage, tool_calls=tools.take()))
    return found


def session_meta(path: Path) -> Row | None:
    """What the first row tells; None while it is being written."""
    for _, line in GrowingFile(path).lines():
        try:
            row = parse_row(line or b"{}")
        except RowError:
            return {}
        return mapping(row.get("payload")) if row.get("type") == "session_meta" else {}
    return None
