"""OpenCode's messages, one after the other: what each answer used and where. As written by OpenCode 1.18, in database and export.

A message is one answer. Its own ids are OpenCode's, not the vendor's; those of its tool calls are. A fork copies messages under new
ids of their own and keeps their times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from tabstop.agents.claude_code.rows import Row, RowError, count, ident, mapping, text
from tabstop.agents.git_seen import GitSeen
from tabstop.agents.opencode.tool_ids import tool_key
from tabstop.evidence import Evidence, branch_named
from tabstop.usage import Tokens, Usage

AGENT = "opencode"

LATEST = 4_102_444_800_000
"""Milliseconds; a time after the year 2100 is none."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session works, as far as it is told. branch: of its workspace, where it has one."""

    folder: str = ""
    branch: str = ""


class Messages:
    """The messages of one session, in their order."""

    def __init__(self, session: str, place: Place) -> None:
        """session: its id, a subagent's own."""
        self.session = session
        self.git = GitSeen()
        self.git.evidence = Evidence(branch=branch_named(place.branch), folder=place.folder)

    def take(self, name: str, message: Row, parts: Iterable[Row]) -> Iterator[Usage]:
        """What an answer used, mostly one usage. name: the message's id. Raises `RowError`."""
        if message.get("role") != "assistant":
            return
        folder = text(mapping(message.get("path")).get("cwd"))
        if folder and folder != self.git.evidence.folder:
            self.git.evidence = Evidence(folder=folder)
        where, held = self.git.evidence, list(parts)
        steps = [mapping(one.get("tokens")) for one in held if one.get("type") == "step-finish"]
        tools = [one for one in held if one.get("type") == "tool"]
        for one in tools:
            if one.get("tool") == "bash":
                self._ran(mapping(one.get("state")))
        # A message is one answer; where older versions went on in it, its own count is its last step's.
        told = steps if len(steps) > 1 else [mapping(message.get("tokens")) or next(iter(steps), {})]
        if len(told) > 1:
            tools = []  # which of its answers made which call is not told
        for number, used in enumerate(told):
            yield replace(self._usage(ident(name), message, used, number, tools), evidence=where)

    def _usage(self, name: str, message: Row, used: Row, number: int, tools: list[Row]) -> Usage:
        tokens, time, model = read_tokens(used), mapping(message.get("time")), ident(message.get("modelID"))
        begun, ended = _milliseconds(time.get("created")), _milliseconds(time.get("completed"))
        # A message is complete when its tools are; the answer was when the first of them began.
        starts = (_milliseconds(mapping(mapping(one.get("state")).get("time")).get("start")) for one in tools)
        at = min((start for start in starts if start and (begun or 0) <= start), default=ended or begun)
        if not name or not model or at is None:
            raise RowError("an answer without id, model or time")
        if not tokens.total:
            raise RowError("an answer that is not finished or was broken off: what it used is not told")
        step = f"/{number + 1}" if number else ""
        keys = [f"{AGENT}:msg:{name}{step}"]
        if begun and ended:
            keys.append(f"{AGENT}:call:{begun}-{ended}-{tokens.total}{step}")
        keys += filter(None, (tool_key(self.session, one.get("callID")) for one in tools))
        return Usage(
            keys=tuple(sorted(set(keys))),
            model=model,
            tokens=tokens,
            occurred_at=datetime.fromtimestamp(at / 1000, UTC),
            agent=AGENT,
            thread=self.session,
            cache_split_known=not tokens.cache_write_5m,
        )

    def _ran(self, state: Row) -> None:
        asked, printed = mapping(state.get("input")), state.get("output")
        command, folder = asked.get("command"), asked.get("workdir")
        if isinstance(command, str) and isinstance(printed, str):
            ended = _milliseconds(mapping(state.get("time")).get("end"))
            at = datetime.fromtimestamp(ended / 1000, UTC) if ended else None
            self.git.ran(f"cd {folder} && {command}" if folder else command, printed, at)


def read_tokens(used: Row) -> Tokens:
    """The kinds do not overlap; reasoning is billed as output. How long a cache write lives is not told. Raises `RowError`."""
    cache = mapping(used.get("cache"))
    return Tokens(
        input=count(used, "input"),
        cache_read=count(cache, "read"),
        cache_write_5m=count(cache, "write"),
        output=count(used, "output") + count(used, "reasoning"),
    )


def _milliseconds(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < LATEST else None
