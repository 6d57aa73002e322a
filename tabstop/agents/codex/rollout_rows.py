"""The rows of Codex's rollouts, one after the other: the usage of each answer, where it was made, and what is only copied.

Shapes as written by Codex 0.169 and by versions before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tabstop.agents.claude_code.rows import Row, RowError, count, ident, mapping, moment, text
from tabstop.agents.codex.rate_limits import readings_of_rate_limits
from tabstop.agents.git_seen import GitSeen
from tabstop.evidence import NOWHERE, Evidence, branch_named, commit_named, repository_named
from tabstop.gauge import Gauge, GaugeReading, newest
from tabstop.usage import Grain, Tokens, Usage

AGENT = "codex"

_CALLS = frozenset({"function_call", "local_shell_call"})
_MOST_RUNNING = 1_000
"""Commands that are remembered until their output comes."""

_REPLAYED_WITHIN = timedelta(seconds=1)
"""A copied history is written at once. Counts only where no turn says when it was."""


class RolloutRows:
    """One rollout. `take` gives each answer's usage.

    session: the one it works for (a subagent's parent's). thread: its own. copied_from: sessions whose answers lie in it too.
    copied: counters that are another session's, and are counted there. gauges: of each of the plan's windows the newest reading.

    Each answer has a `token_usage_record` with its id. Versions before it wrote only `token_count`, a running total of the
    thread: what it grew by is one answer's. It is not looked at once a record was seen.
    """

    def __init__(self) -> None:
        """Start before the first row."""
        self.session = self.thread = self.model = ""
        self.latest: datetime | None = None
        self.copied_from: set[str] = set()
        self.copied = 0
        self.git = GitSeen()
        self.gauges: dict[Gauge, GaugeReading] = {}
        self._place = NOWHERE
        self._begun: datetime | None = None
        self._has_parent = False
        self._turn = ""
        self._total: Tokens | None = None
        self._has_records = False
        self._running: dict[str, str] = {}

    def take(self, row: Row) -> Usage | None:
        """Raises `RowError` for an answer whose usage cannot be read."""
        self.latest = moment(row.get("timestamp")) or self.latest
        payload = mapping(row.get("payload"))
        match row.get("type"):
            case "session_meta":
                self._meta(payload)
            case "turn_context":
                self._turn = ident(payload.get("turn_id")) or self._turn
                self.model = ident(payload.get("model")) or self.model
                self._moved(text(payload.get("cwd")))
            case "token_usage_record":
                self._has_records = True
                return self._record(payload)
            case "response_item":
                self._item(payload)
            case "event_msg" if payload.get("type") == "task_started":
                self._turn = ident(payload.get("turn_id")) or self._turn
            case "event_msg" if payload.get("type") == "token_count":
                if self.latest is not None:
                    read = readings_of_rate_limits(payload.get("rate_limits"), self.latest)
                    self.gauges = newest((*self.gauges.values(), *read)) if read else self.gauges
                return self._counter(payload)
        return None

    def _meta(self, payload: Row) -> None:
        """The first is this rollout's own. Others come with a history that was copied."""
        name = ident(payload.get("id"))
        if self.thread:
            self._has_parent = self._has_parent or name != self.thread
            return
        self.session, self.thread = ident(payload.get("session_id")) or name, name
        spawned = mapping(mapping(mapping(payload.get("source")).get("subagent")).get("thread_spawn"))
        self._has_parent = any(
            ident(one)
            for one in (payload.get("forked_from_id"), payload.get("parent_thread_id"), spawned.get("parent_thread_id"))
        )
        if not ident(payload.get("session_id")):
            self.session = ident(spawned.get("parent_thread_id")) or name
        self._begun = moment(payload.get("timestamp")) or self.latest
        git = mapping(payload.get("git"))
        self._place = Evidence(
            repository=repository_named(text(git.get("repository_url"))),
            branch=branch_named(text(git.get("branch"))),
            commit=commit_named(text(git.get("commit_hash"))),
            folder=text(payload.get("cwd")),
        )
        self.git.evidence = self._place

    def _moved(self, folder: str) -> None:
        """A turn that works elsewhere: what was said of the first folder's repository does not hold there."""
        now = self.git.evidence
        if folder and folder != now.folder and not self._is_copy():
            self.git.evidence = self._place if folder == self._place.folder else Evidence(folder=folder)

    def _is_copy(self) -> bool:
        """Whether the row belongs to a history that was copied when this thread was forked or spawned.

        Threads and turns are named by time (UUID version 7): a turn older than its thread was another's. Older versions name
        turns otherwise or not at all; there it is what was written at the very beginning, or bears an earlier time.
        """
        if not self._has_parent:
            return False
        turn, thread = _milliseconds(self._turn), _milliseconds(self.thread)
        if turn is not None and thread is not None:
            return turn < thread
        return self.latest is not None and self._begun is not None and self.latest < self._begun + _REPLAYED_WITHIN

    def _record(self, payload: Row) -> Usage | None:
        made_by = ident(payload.get("thread_id")) or self.thread
        copied = bool(self.thread) and self._has_parent and made_by != self.thread
        if copied:
            self.copied_from.add(ident(payload.get("session_id")) or made_by)
        used = payload.get("usage")
        name = ident(payload.get("response_id"))
        if not name or not used or not isinstance(used, dict):
            raise RowError("an answer without id or usage")
        tokens = read_tokens(used)
        if not tokens.total:
            return None
        usage = self._usage(f"openai:resp:{name}", tokens, made_by, written=count(used, "cache_write_input_tokens"))
        return replace(usage, evidence=NOWHERE) if copied else usage

    def _counter(self, payload: Row) -> Usage | None:
        info = mapping(payload.get("info"))
        told, last = info.get("total_token_usage"), info.get("last_token_usage")
        if not isinstance(told, dict):
            if payload.get("info") is not None and not self._has_records:
                raise RowError("a count without its total")
            return None  # how full the vendor's windows are, and nothing else
        before, self._total = self._total, read_tokens(told)
        if self._has_records:
            return None
        if self._is_copy():
            self.copied += 1
            return None
        one = read_tokens(last) if isinstance(last, dict) else None
        added = self._added(before, one)
        if not added.total:
            return None  # written twice, or the context was estimated anew
        key = f"openai:codex:{self.thread}-{count(told, 'total_tokens') or self._total.total}"
        usage = self._usage(key, added, self.thread, written=count(told, "cache_write_input_tokens"))
        return usage if one in (None, added) else replace(usage, grain=Grain.AGGREGATE)

    def _added(self, before: Tokens | None, one: Tokens | None) -> Tokens:
        """What the total grew by. A first total may hold a parent's, and one that shrank began anew: the last answer counts then."""
        total = self._total or Tokens()
        if before is None:
            return one if one is not None else Tokens() if self._has_parent else total
        added = total - before
        return added if added == added.at_least_zero() else one or total

    def _usage(self, key: str, tokens: Tokens, thread: str, *, written: int) -> Usage:
        if self.latest is None:
            raise RowError("an answer without time")
        return Usage(
            keys=(key,),
            model=self.model,
            tokens=tokens,
            occurred_at=self.latest,
            agent=AGENT,
            thread=thread or self.session,
            cache_split_known=not written,
            evidence=self.git.evidence,
        )

    def _item(self, payload: Row) -> None:
        """A command, or what it printed."""
        kind, call = ident(payload.get("type")), ident(payload.get("call_id"))
        if kind in _CALLS and call:
            self._running[call] = _command(payload)
            if len(self._running) > _MOST_RUNNING:
                del self._running[next(iter(self._running))]
        elif kind == "function_call_output" and call in self._running:
            command = self._running.pop(call)
            if not self._is_copy():
                self.git.ran(command, _printed(payload.get("output")), self.latest)


def read_tokens(used: Row) -> Tokens:
    """OpenAI's `input_tokens` holds what was read from and written to the cache; its output holds the reasoning. Raises `RowError`."""
    cached, written = count(used, "cached_input_tokens"), count(used, "cache_write_input_tokens")
    return Tokens(
        input=max(0, count(used, "input_tokens") - cached - written),
        cache_read=cached,
        cache_write_5m=written,
        output=count(used, "output_tokens"),
    )


def _milliseconds(name: str) -> int | None:
    """When a UUID of version 7 was made, see RFC 9562; None for other names."""
    try:
        uuid = UUID(name)
    except ValueError:
        return None
    return uuid.int >> 80 if uuid.version == 7 else None


def _command(payload: Row) -> str:
    """The shell command a tool was called with; one for another folder says so."""
    asked: Any = payload.get("arguments", payload.get("action"))
    if isinstance(asked, str):
        try:
            asked = json.loads(asked)
        except (ValueError, RecursionError):
            return ""
    arguments: Mapping[str, Any] = mapping(asked)
    said = arguments.get("cmd", arguments.get("command", ""))
    words = said if isinstance(said, list) else [said]
    command = " ".join(word for word in words if isinstance(word, str))
    return f"cd {folder} && {command}" if (folder := text(arguments.get("workdir"))) else command


def _printed(output: object) -> str:
    if isinstance(output, str):
        return output
    said = output.get("content") if isinstance(output, dict) else output
    if isinstance(said, list):
        return "\n".join(one["text"] for one in said if isinstance(one, dict) and isinstance(one.get("text"), str))
    return said if isinstance(said, str) else ""
