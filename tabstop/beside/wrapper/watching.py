"""What there is to see of an agent that runs: what its log tells, and its last sign of life."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from tabstop.agents.command_line import AgentLog, CommandLine
from tabstop.beside.gauge_watch import GaugeWatch
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.working_tree import TreeWatch
from tabstop.beside.wrapper.hooks import HookPost
from tabstop.beside.wrapper.tee import Growth, Tee
from tabstop.governor.facts import GaugesRead, Heartbeat, ToolFinished, Unreadable
from tabstop.governor.orders import Act, Order

_BEAT_SECONDS = 5.0

_LOG_SECONDS, _ANSWER_SECONDS = 60.0, 600.0
"""How long an agent may work until its log is there, and its first answer in it. Its hooks may tell sooner."""


class Watching:
    """One run of one agent."""

    def __init__(
        self,
        governed: GovernedSession,
        now: Callable[[], datetime],
        since: datetime,
        *,
        command: CommandLine | None,
        log: AgentLog | None,
        post: HookPost | None,
        tee: Tee | None,
        growth: Growth,
        gauges: GaugeWatch,
        tree: TreeWatch | None = None,
        counts: bool = True,
        interactive: bool = False,
    ) -> None:
        """since: what was used before it is not this session's. command, log: None for a program nobody knows.
        tree: where the agent works; its hooks have it looked at themselves. gauges: what is told of the vendor's windows.

        interactive: somebody types to it. counts: False where the proxy sees every call: then the log only tells which session it is, and that it lives.
        """
        self._counts = counts
        self._governed = governed
        self._now = now
        self._since = since
        self._command = command
        self._log = log
        self._post = post
        self._tee = tee
        self._growth = growth
        self._tree = tree
        self._gauges = gauges
        self._alive_at = time.monotonic()
        self._beat_at = 0.0
        self._begun_at = self._alive_at
        self._answers_before = governed.state.totals.iterations
        self._wait = 0.0
        self._interactive = interactive

    @property
    def session(self) -> str:
        """The agent's own session id; empty until known."""
        return self._log.session if self._log else ""

    @property
    def hooks(self) -> bool:
        """Whether its hooks ask us."""
        return self._post is not None and self._post.heard

    @property
    def hooks_end_turns(self) -> bool:
        """Whether the hooks that have asked can end a turn."""
        return self._post is None or self._post.ends_turns

    @property
    def quiet(self) -> int | None:
        """Seconds since its last sign of life; None where none could be seen."""
        if self._log is None and self._tee is None and not self._growth.visible:
            return None
        return int(time.monotonic() - self._alive_at)

    def slower(self, order: Order) -> Order:
        """The order that stands, with the wait that a tool found in the log since the last time asks for: time alone asks for none."""
        wait, self._wait = self._wait, 0.0
        if wait <= order.seconds or order.act.rank > Act.DEGRADE.rank:
            return order
        return replace(order, act=Act.THROTTLE, seconds=wait)

    def begin_again(self) -> None:
        """It was held: that was no silence of its own."""
        self._alive_at = time.monotonic()

    def look(self, *, alive: bool) -> None:
        """Tell the governor what is new. alive: that its process runs counts as a sign of life, as an idle terminal has no other."""
        seen = self._read_log()
        if self._tee is not None and self._tee.moved_at > self._alive_at:
            seen = True
        if self._post is not None and (self._post.heard_at or 0.0) > self._alive_at:
            seen = True
        now = time.monotonic()
        if self._growth.moved() or seen:
            self._alive_at, seen = now, True
        if self._tree is not None and not self.hooks:
            self._tree.nudge()
        self._gauges.look()
        if (seen or alive) and now - self._beat_at > _BEAT_SECONDS:
            self._beat_at = now
            self._governed.tell(Heartbeat(self._now()))
        self._look_for_answers(now - self._begun_at, over=False)

    def end(self) -> None:
        """The agent has ended: read what it left."""
        self.look(alive=False)
        self._look_for_answers(0, over=True)

    def _read_log(self) -> bool:
        if self._log is None or self._command is None:
            return False
        hooks = self.hooks
        if hooks and self._command.hooks_tell_usage:
            return False
        found = False
        for one in self._log.read():
            if one.usage.occurred_at < self._since:
                continue
            found = True
            if not self._counts:
                continue
            if not hooks and not self._governed.knows(one.usage.keys):
                for tool in one.usage.tool_calls:
                    fact = ToolFinished(
                        self._now(), tool.name, tool.arguments_hmac, tool.failed, one.thread, unseen=True
                    )
                    self._wait = max(self._wait, self._governed.tell(fact).seconds)
            if one.gauges:
                self._governed.tell(GaugesRead(self._now(), one.gauges))
            self._governed.answered(one.usage, thread=one.thread, likeness=one.likeness, unread=one.unread)
        return found

    def _look_for_answers(self, seconds: float, *, over: bool) -> None:
        """Tell the governor where an agent has worked for so long and left no answer that can be read. over: it has ended."""
        totals = self._governed.state.totals
        if not self._counts or totals.blind or totals.iterations != self._answers_before:
            return
        # One that waits for somebody to type works at nothing, and a first answer may be long.
        found = self._log is not None and self._log.found
        patience = _ANSWER_SECONDS if found or self._interactive else _LOG_SECONDS
        if seconds >= patience or (over and self._log is not None and not found):
            self._governed.tell(Unreadable(self._now()))
