"""What every agent's hooks have in common: a payload becomes facts, an order becomes a reply. Each agent has its own dialect.

Nothing here knows a clock, a socket or a file; `tabstop.beside.hooked_session` brings them together.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from tabstop.agents.claude_code.tools import canonical_json
from tabstop.gauge import GaugeReading
from tabstop.governor.facts import Fact
from tabstop.governor.orders import Order, Step
from tabstop.governor.tool_kinds import says_it_waits
from tabstop.usage import Tokens, Usage
from tabstop.verdict import Finding

LONGEST_WAIT = 60.0
"""Seconds a hook waits at most where the order is to go slower. The governor denies what would have to wait for longer."""

HOOK_SECONDS = 90

Payload = Mapping[str, Any]
Cheaper = Callable[[str, bool], str]
"""From a model (empty: the one the session has now) to a cheaper one that pays from here; empty when none does. The flag: for a
new thread, which has nothing cached yet."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one payload tells.

    session: the agent's own session id; empty where it has none, and then nothing can be done. thread: the subagent's id,
    empty for the main thread. log: the file in which the agent writes what it used. usages: what this payload itself tells
    of it. facts: in the order they happened. call: the tool call that is about to run; empty where its answer is in no log.
    """

    event: str
    payload: Payload = field(repr=False)
    session: str
    cwd: str = ""
    thread: str = ""
    log: str = ""
    facts: tuple[Fact, ...] = ()
    usages: tuple[Usage, ...] = ()
    call: str = ""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A reply. body: JSON for the agent; None to say nothing. wait: seconds before it is said.

    told: whether the findings it was given reached the model.
    """

    body: Payload | None = None
    wait: float = 0.0
    told: bool = False

    @property
    def text(self) -> str:
        """As it is printed."""
        return "" if self.body is None else json.dumps(self.body)


SILENCE = Spoken()


@dataclass(frozen=True, slots=True)
class Read:
    """One model answer found in an agent's log. thread: empty for the main one. likeness: of its text.

    unread: that it was made is all that can be read of it; its usage then has no tokens, and names no model where it names none.
    gauges: how full the vendor's windows are, where the log has told so since the answer before.
    """

    usage: Usage
    thread: str = ""
    likeness: int | None = None
    unread: bool = False
    gauges: tuple[GaugeReading, ...] = ()


def not_read(key: str, agent: str, at: datetime | None, *, model: str = "", thread: str = "") -> Usage:
    """What stands for an answer whose usage cannot be read. key: one and the same however often the answer is met.

    at: None where not even that is told: it then counts as made now, since what cannot be read must not be left out.
    """
    return Usage((key,), model, Tokens(), at or datetime.max.replace(tzinfo=UTC), agent, thread)


class UsageLog(Protocol):
    """Follows what an agent writes about its usage."""

    def read(self) -> list[Read]:
        """What is new, or larger than told before. A file that is missing or cannot be read tells nothing; never raises."""
        ...

    def has_call(self, call: str) -> bool:
        """Whether the answer that asked for this tool call was read. Agents write it down a moment after they act on it."""
        ...


class Dialect(Protocol):
    """One agent's hooks. `events`: those to be registered, each with the seconds it is given."""

    @property
    def agent(self) -> str:
        """As usage and the server name it."""
        ...

    @property
    def events(self) -> Mapping[str, int]:
        """The events to register."""
        ...

    @property
    def firmness(self) -> str:
        """How far its hooks bind it, a sentence for people."""
        ...

    @property
    def ends_turns(self) -> bool:
        """Whether they can end a turn that runs."""
        ...

    @property
    def can(self) -> frozenset[Step]:
        """The steps of degradation that its hooks can really take."""
        ...

    def read(self, event: str, payload: Payload, at: datetime, key: bytes) -> Heard:
        """What the payload tells. Unknown events and missing fields tell less; never raises for content."""
        ...

    def reply(self, heard: Heard, order: Order, fresh: tuple[Finding, ...], cheaper: Cheaper) -> Spoken:
        """Obey the order at this event. fresh: findings that this thread's model has not been told yet."""
        ...

    def standing(self, order: Order) -> dict[str, Payload]:
        """What to reply at each event while nobody can be asked, for an order that ends the turn."""
        ...

    def usage_log(self, heard: Heard, key: bytes) -> UsageLog | None:
        """A follower of the log this payload names; None where usage comes another way."""
        ...


AGENTS = ("claude-code", "codex", "gemini")
"""By the name people install them under."""


def dialect_of(agent: str) -> Dialect:
    """The agent's dialect, for one session. Raises `KeyError` for an agent there is none for."""
    if agent == "claude-code":
        from tabstop.agents.claude_code.hooks import ClaudeCodeHooks  # noqa: PLC0415 - each imports this module

        return ClaudeCodeHooks()
    if agent == "codex":
        from tabstop.agents.codex.hooks import CodexHooks  # noqa: PLC0415

        return CodexHooks()
    if agent == "gemini":
        from tabstop.agents.gemini.hooks import GeminiHooks  # noqa: PLC0415

        return GeminiHooks()
    raise KeyError(agent)


def digest(key: bytes, arguments: object) -> str:
    """The keyed digest of a tool's arguments: equal for equal ones, and nothing can be read back from it. Empty without a key."""
    if not key or arguments is None:
        return ""
    try:
        return hmac.new(key, canonical_json(arguments), hashlib.sha256).hexdigest()
    except RecursionError:
        return ""


def waits(arguments: object) -> bool:
    """Whether a command among a tool's arguments says that it waits, such as `sleep 30; gh run view`."""
    given = arguments if isinstance(arguments, Mapping) else {}
    command = given.get("command", given.get("cmd", ""))
    words = command if isinstance(command, list) else [command]
    return says_it_waits(" ".join(word for word in words if isinstance(word, str)))


def stop_text(order: Order, and_then: str = "") -> str:
    """Why the session stops and what to do about it, for people and for the model. and_then: what this agent cannot do."""
    first = next((one for one in order.findings if one.sentence), None)
    sentence = first.sentence if first else "This session is stopped."
    return " ".join(part for part in (f"Tabstop: {sentence}", and_then, first.remedy if first else "") if part)


def advice_text(findings: Iterable[Finding]) -> str:
    """What the model is to know while it goes on; empty for nothing."""
    said = list(dict.fromkeys(one.sentence for one in findings if one.sentence))
    return "Tabstop: " + " ".join(said) if said else ""


def short_wait(order: Order) -> float:
    """Seconds to wait before the agent goes on."""
    return min(max(order.seconds, 0.0), LONGEST_WAIT)
