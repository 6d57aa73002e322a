"""A script: writes down what an agent does, step by step on a clock of its own, as the facts a governor would be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from random import Random

from tabstop.governor.facts import (
    Answer,
    CallFailed,
    Fact,
    Probed,
    SubagentEnded,
    SubagentSpawned,
    Tick,
    ToolFinished,
    ToolStarted,
)
from tabstop.governor.likeness import likeness_of
from tabstop.governor.tool_kinds import says_it_waits
from tabstop.usage import Tokens

BEGUN = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
MODEL = "claude-opus-5-5"

INPUT, CACHE_READ, CACHE_WRITE, OUTPUT = 4_000, 200, 5_000, 20_000
"""Nano-dollars a token of `MODEL`, as its client prices it."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A session as facts, and what is true of it.

    runaway_from: the iteration (an answer, from 1) at which it begins to run away; 0 for a healthy one.
    caught_by: the scopes of the findings any of which is right to catch it. within: iterations of running away until then.
    """

    name: str
    facts: tuple[Fact, ...]
    runaway_from: int = 0
    caught_by: tuple[str, ...] = ()
    within: int = 30


@dataclass
class Script:
    """One thread of a session. `now` moves with every step; `context` is what the next answer reads."""

    random: Random
    now: datetime = BEGUN
    thread: str = ""
    facts: list[Fact] = field(default_factory=list)
    context: int = 12_000
    unread: int = 0
    trees: int = 0
    calls: int = 0

    @property
    def iterations(self) -> int:
        """Answers so far."""
        return sum(isinstance(fact, Answer) for fact in self.facts)

    def wait(self, seconds: float) -> None:
        """Nothing happens for so long."""
        self.now += timedelta(seconds=seconds)

    def answer(self, text: str = "", *, output: int = 0, seconds: float = 0, uncached: bool = False) -> None:
        """The model thinks so long and answers: it reads the context from its cache, and what is new at full price."""
        self.wait(seconds or self.random.uniform(3, 14))
        output = output or self.random.randint(80, 900)
        tokens = self.used_by(output, uncached=uncached)
        cost = (
            tokens.input * INPUT
            + tokens.cache_read * CACHE_READ
            + tokens.cache_write_5m * CACHE_WRITE
            + tokens.output * OUTPUT
        )
        self.facts.append(Answer(self.now, MODEL, tokens, cost, self.thread, likeness=likeness_of(text)))
        self.context += self.unread + output
        self.unread = 0

    def used_by(self, output: int, *, uncached: bool) -> Tokens:
        """What the next answer uses when it has so many tokens."""
        if uncached:
            return Tokens(input=self.context + self.unread, output=output)
        return Tokens(cache_read=self.context, cache_write_5m=self.unread, output=output)

    def call(self, name: str, arguments: str, *, seconds: float = 0.4, result: int = 600, failed: bool = False) -> None:
        """A tool runs so long; the next answer reads its result, in tokens."""
        self.together([(name, arguments)], seconds=seconds, result=result, failed=failed)

    def together(
        self, calls: Sequence[tuple[str, str]], *, seconds: float = 0.6, result: int = 600, failed: bool = False
    ) -> None:
        """Tools that one answer asked for run side by side."""
        begun = []
        for name, arguments in calls:
            self.calls += 1
            begun.append((name, digest_of(arguments), f"{self.thread}/{self.calls}", says_it_waits(arguments)))
            self.facts.append(ToolStarted(self.now, *begun[-1][:2], self.thread, *begun[-1][2:]))
            self.wait(0.01)
        self.wait(seconds)
        for name, digest, call, waits in begun:
            self.facts.append(ToolFinished(self.now, name, digest, failed, self.thread, call, waits=waits))
        self.unread += result * len(calls)

    def probe(self, *, changed: bool) -> None:
        """Somebody looks at the working tree."""
        self.trees += changed
        self.facts.append(Probed(self.now, f"tree {self.trees}"))

    def edit(self, arguments: str) -> None:
        """A file is changed, and seen to be."""
        self.call("Edit", arguments, result=250)
        self.probe(changed=True)

    def fail(self, status: int, *, retry_after: int = 0) -> None:
        """A model request comes to nothing."""
        self.facts.append(CallFailed(self.now, status, retry_after, self.thread))

    def tick(self, seconds: int, every: int = 15) -> None:
        """Only time passes."""
        for _ in range(0, seconds, every):
            self.wait(every)
            self.facts.append(Tick(self.now))

    def compact(self) -> None:
        """The client has its context summed up and goes on with the summary, which is in no cache yet."""
        self.answer(output=3_000, seconds=25)
        self.context, self.unread = 12_000, 6_000

    def spawn(self, child: str, kind: str = "general-purpose") -> Script:
        """A subagent, beginning now. Give it back to `join`."""
        self.facts.append(SubagentSpawned(self.now, child, kind, self.thread))
        return Script(self.random, self.now, child)

    def join(self, *children: Script) -> None:
        """Subagents that ran side by side end; what they did is told in the order of time."""
        for child in children:
            self.facts += [*child.facts, SubagentEnded(child.now, child.thread)]
            self.now = max(self.now, child.now)
        self.facts.sort(key=lambda fact: fact.at)
        self.unread += 800 * len(children)


def digest_of(arguments: str) -> str:
    """What stands for the HMAC of a call's arguments."""
    return blake2b(arguments.encode(), digest_size=16).hexdigest()


def script(seed: int) -> Script:
    """A new session. The same seed gives the same one."""
    return Script(Random(seed))  # noqa: S311 - sessions that can be played again, nothing secret
