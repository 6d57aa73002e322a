"""A hooked session: one of an agent's own sessions, heard through its hooks: payloads in, facts told, replies out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from tabstop.agents.dialect import Dialect, Heard, Read, Spoken, UsageLog
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.sight import Sight
from tabstop.beside.working_tree import TreeWatch
from tabstop.governor.degradation import apply
from tabstop.governor.facts import Fact, GaugesRead, SubagentEnded, SubagentSpawned, ToolFinished
from tabstop.governor.limits import fullest, limits_in_force
from tabstop.governor.model_ladder import Ahead, Switch, cheaper_model
from tabstop.governor.orders import PROCEED, Act, Event, EventKind, Order, Step
from tabstop.money import show_exact
from tabstop.price_card import PriceCard
from tabstop.quantity import span
from tabstop.quantity import tokens as show_tokens
from tabstop.verdict import Finding, Outcome, Signal

_FOR_THE_MODEL = frozenset({Signal.DEGRADATION, Signal.RUNAWAY, Signal.SUBTASK, Signal.BUDGET, Signal.LIMIT})
"""Findings that the model can act on while it goes on; the last two are the server's wish that it winds down. That it was slowed
down it need not know."""

NEAR, LAG_TRIES, LAG_SECONDS = 50, 10, 0.03
"""From so many percent of a limit on, a tool waits up to so long for its answer's usage to be written down, and is then judged
by it. Further away a decision one call late harms nobody."""

IF_SILENT = "If it ends without a word, `tabstop sessions` says why."
"""A client that prints nothing for people, such as `claude -p`, shows no reason when its turn is ended."""

_TOLD_AT_MOST = 256
_NEW_THREAD = 10_000
"""Tokens a subagent begins with, about: its instructions and tools."""


class HookedSession:
    """One client session. Its calls come one at a time: whoever calls holds the governed session's lock."""

    def __init__(
        self,
        governed: GovernedSession,
        dialect: Dialect,
        key: bytes,
        since: datetime,
        on_event: Callable[[Event], None],
        pause: Callable[[float], None],
    ) -> None:
        """key: for tools' arguments. since: what was used before it is not this session's, such as rows a fork copied.

        pause: sleeps for so many seconds.
        """
        self.governed = governed
        self.dialect = dialect
        self.since = since
        self._key = key
        self._on_event = on_event
        self._pause = pause
        self._logs: dict[str, UsageLog] = {}
        self._told: dict[tuple[str, str, str], None] = {}
        self._reported: set[Step] = set()
        self._asked_by: dict[str, str] = {}
        self._tree: TreeWatch | None = None
        self._model = ""
        self._answers = self._output = 0
        self._sight = Sight(governed)
        self._defaults_told = governed.state.said

    def hear(self, event: str, payload: Mapping[str, Any], at: datetime) -> tuple[Spoken, Order]:
        """Take in one payload and say what to reply, with the order behind it."""
        heard = self.dialect.read(event, payload, at, self._key)
        self._see_tree(payload.get("cwd"))
        order = self._usage(heard)
        for fact in heard.facts:
            fact_here = self._placed(fact)
            told = self.governed.tell(fact_here)
            self._sight.look(fact_here)
            # Of two facts of one payload the stronger order counts: a tool that may run may start no subagent.
            order = told if fact is heard.facts[0] or told.act.rank > order.act.rank else order
        self._report_unapplied(order, at)
        fresh = self._fresh(order, heard.thread)
        spoken = self.dialect.reply(heard, order, fresh, self._cheaper)
        if spoken.told:
            self._mark(fresh, heard.thread)
        if event == "SessionStart" and spoken.body is None:
            self._defaults_told = self.governed.state.said
            spoken = replace(spoken, body={"systemMessage": self.greeting()})
        return self._with_defaults(spoken), order

    def refuse(self, event: str, payload: Mapping[str, Any], why: Finding) -> Spoken:
        """What to reply to a prompt with which the session may not begin. The session itself hears nothing of it."""
        heard = self.dialect.read(event, payload, self.governed.now(), b"")
        return self.dialect.reply(heard, Order(Act.HALT, (why,)), (), self._cheaper)

    def _with_defaults(self, spoken: Spoken) -> Spoken:
        """Tell people once, where a default limit steps in."""
        said = self.governed.state.said
        if said == self._defaults_told or "systemMessage" in (spoken.body or {}):
            return spoken
        self._defaults_told = said
        return replace(spoken, body={**(spoken.body or {}), "systemMessage": f"Tabstop: {said}"})

    def _see_tree(self, cwd: object) -> None:
        """Have the tree looked at where the session began, now and then; no hook waits for it."""
        if self._tree is None and isinstance(cwd, str) and cwd:
            self._tree = TreeWatch(self.governed, cwd, self._key)
        if self._tree is not None:
            self._tree.nudge()

    def greeting(self) -> str:
        """What bounds this session, and how firmly."""
        totals, settings = self.governed.state.totals, self.governed.settings
        limits, said = limits_in_force(totals, settings)
        bounds = [
            show_exact(limits.cost) if limits.cost is not None else "",
            f"{show_tokens(limits.tokens)} tokens" if limits.tokens is not None else "",
            f"{limits.iterations:,} model calls" if limits.iterations is not None else "",
            f"{limits.tool_calls:,} tool calls" if limits.tool_calls is not None else "",
            span(limits.wall_clock_seconds) if limits.wall_clock_seconds is not None else "",
        ]
        used = f" Used so far: {show_exact(totals.cost)}, {show_tokens(totals.tokens)} tokens." if totals.tokens else ""
        named = ", ".join(one for one in bounds if one)
        firmly = said if totals.in_part else self.dialect.firmness
        return f"Tabstop: session {settings.session} may use {named}.{used} {firmly} {IF_SILENT}"

    def _usage(self, heard: Heard) -> Order:
        """Tell what was used since the last time."""
        order = PROCEED
        log = self._logs.get(heard.log)
        if log is None and heard.log and (log := self.dialect.usage_log(heard, self._key)) is not None:
            self._logs[heard.log] = log
        for usage in heard.usages:
            order = self._answered(Read(usage))
        if log is None:
            return order
        order = self._read(log, order)
        for _ in range(LAG_TRIES if heard.call and self._near_a_limit() else 0):
            if log.has_call(heard.call):
                break
            self._pause(LAG_SECONDS)
            order = self._read(log, order)
        return order

    def _read(self, log: UsageLog, order: Order) -> Order:
        for read in log.read():
            if read.usage.occurred_at >= self.since:
                order = self._answered(read)
        return order

    def _near_a_limit(self) -> bool:
        return fullest(self.governed.state.totals, self.governed.settings) >= NEAR

    def _answered(self, read: Read) -> Order:
        if not read.thread and not read.unread:
            self._model = read.usage.model
            self._answers += 1
            self._output += read.usage.tokens.output
        if read.gauges:
            self.governed.tell(GaugesRead(self.governed.now(), read.gauges))
        return self.governed.answered(read.usage, thread=read.thread, likeness=read.likeness, unread=read.unread)

    def _placed(self, fact: Fact) -> Fact:
        """A fact with what only earlier ones tell.

        Who started a subagent is told where the agent asks for it; where it begins, only its kind is. A tool whose start nobody
        told, because no governor was there, counts when it ends.
        """
        if isinstance(fact, SubagentSpawned):
            if not fact.child:
                self._asked_by[fact.kind] = fact.thread
            else:
                return replace(fact, thread=self._asked_by.get(fact.kind, ""))
        elif isinstance(fact, ToolFinished):
            return replace(fact, unseen=bool(fact.call) and not self.governed.heard_of(fact.call))
        elif isinstance(fact, SubagentEnded):
            self._told = {one: None for one in self._told if one[0] != fact.child}
        return fact

    def _fresh(self, order: Order, thread: str) -> tuple[Finding, ...]:
        cannot = {str(step) for step in Step if step not in self.dialect.can}
        return tuple(
            one
            for one in order.findings
            if one.signal in _FOR_THE_MODEL
            and one.outcome is Outcome.WARN
            and one.scope not in cannot
            and (thread, one.signal, one.scope) not in self._told
        )

    def _mark(self, findings: tuple[Finding, ...], thread: str) -> None:
        for one in findings:
            self._told[thread, one.signal, one.scope] = None
        while len(self._told) > _TOLD_AT_MOST:
            del self._told[next(iter(self._told))]

    def _report_unapplied(self, order: Order, at: datetime) -> None:
        """Say once of each step that it was due and that these hooks cannot take it. Of a session that stands, nothing is due."""
        if order.act.ends_turn:
            return
        _, cannot = apply(order.steps, self.dialect.can)
        for step, sentence in cannot.items():
            if step not in self._reported:
                self._reported.add(step)
                finding = Finding(Signal.DEGRADATION, Outcome.WARN, str(step), sentence, cause="not applied")
                self._on_event(Event(at, EventKind.ALERT, finding))

    def _cheaper(self, model: str, new_thread: bool) -> str:
        """A model that costs less for as many answers as there were. What of the prompt is cached counts as all of it."""
        pricer, totals = self.governed.pricer, self.governed.state.totals
        ladders = self.governed.settings.degradation.models
        names = [name for ladder in ladders for name in ladder]
        # `opus` is what the agent calls the latest of them.
        current = next((name for name in names if model and model in name), model) or self._model
        if pricer.price_of(current) is None:
            current = self._model
        found = {name: price for name in {current, *names} if (price := pricer.price_of(name)) is not None}
        answers = max(1, self._answers)
        context = _NEW_THREAD if new_thread else totals.last_prompt
        ahead = Ahead(context, 0 if new_thread else context, answers, self._output // answers)
        switch = cheaper_model(current, ladders, PriceCard(pricer.card.at, found), ahead)
        return switch.model if isinstance(switch, Switch) else ""
