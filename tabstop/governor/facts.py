"""Facts: what the governor is told about a running session, one at a time, each with its time. Content never appears in them.

thread: the vendor's own thread a fact is about: empty for the main one, else a subagent's id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from tabstop.gauge import GaugeReading
from tabstop.money import Nano
from tabstop.session import Limits
from tabstop.usage import Tokens
from tabstop.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Answer:
    """One model request and its answer: one iteration of the loop.

    cost: nano-dollars; None without a price (never zero). assumed: the price is not known and a higher one was assumed.
    more: an answer told before turned out larger: adds its tokens and cost, and is no further iteration.
    likeness: `tabstop.governor.likeness.likeness_of` its text; None for no text worth comparing.
    reserve, reserve_tokens: what one last bounded answer after this one takes at most; 0 where nobody can make one.
    next_call, next_call_tokens: what the next request takes at least, where one that may not fit is not sent; 0 elsewhere.
    unread: what it used is written down in a form nobody here can read; it is known to have been made, and no more.
    """

    at: datetime
    model: str = ""
    tokens: Tokens = field(default_factory=Tokens)
    cost: Nano | None = None
    thread: str = ""
    assumed: bool = False
    more: bool = False
    likeness: int | None = None
    reserve: Nano = 0
    reserve_tokens: int = 0
    next_call: Nano = 0
    next_call_tokens: int = 0
    unread: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The agent works, and no answer of it is found where it should be written down. The next answer that is read ends this."""

    at: datetime


@dataclass(frozen=True, slots=True)
class CallFailed:
    """A model request without an answer: overload, rate limit, network. retry_after: seconds the vendor asks to wait."""

    at: datetime
    status: int = 0
    retry_after: int = 0
    thread: str = ""


@dataclass(frozen=True, slots=True)
class Unaffordable:
    """The next model request may use more than is left of a limit, so it was not sent.

    While the ladder of degradation has a step left the order is to take it: then it may be tried again, as small as it is now.
    limit: `cost`, `tokens` or `iterations`. needed: the least it may take, in that limit's unit. last: it was the last answer,
    with what was kept for it.
    """

    at: datetime
    limit: str
    needed: int
    thread: str = ""
    last: bool = False


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """The agent is about to call a tool; the order says whether it may. arguments: HMAC of them; empty when not known.

    waits: what it runs says that it waits (`tabstop.governor.tool_kinds.says_it_waits`).
    """

    at: datetime
    name: str
    arguments: str = ""
    thread: str = ""
    call: str = ""
    waits: bool = False


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A tool has answered. Where the start was not seen (`unseen`), this counts as the call itself. waits: as of its start."""

    at: datetime
    name: str
    arguments: str = ""
    failed: bool = False
    thread: str = ""
    call: str = ""
    unseen: bool = False
    waits: bool = False


@dataclass(frozen=True, slots=True)
class SubagentSpawned:
    """The agent is about to start a subagent, or has. thread: who starts it. kind: what the agent calls such a subagent.

    child: its id; empty while it has none: then this only asks whether one may start.
    """

    at: datetime
    child: str
    kind: str = ""
    thread: str = ""


@dataclass(frozen=True, slots=True)
class SubagentEnded:
    """A subagent is done; what it did not use is its parent's again."""

    at: datetime
    child: str


@dataclass(frozen=True, slots=True)
class Probed:
    """What the working tree looks like: any text that changes when it changes."""

    at: datetime
    tree: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The agent's process was seen alive."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passes; nothing else happened. thread: who asks what to do now."""

    at: datetime
    thread: str = ""


@dataclass(frozen=True, slots=True)
class ServerSaid:
    """The server's answer to a report. limits: the session's limits as they are now there; None when it told none."""

    at: datetime
    verdict: Verdict
    orders: tuple[str, ...] = ("proceed",)
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class GaugesRead:
    """How full the vendor's windows are, as something in this session has just read. Those that are left out are as they were."""

    at: datetime
    readings: tuple[GaugeReading, ...]


@dataclass(frozen=True, slots=True)
class Paused:
    """The agent's process ended, resumably: the wall clock stands still until `Resumed`."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Resumed:
    """The agent's process runs, again or for the first time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Raised:
    """An overdrive of this session: each limit it names grows by so much. by: who; why: for the audit row."""

    at: datetime
    by_how_much: Limits
    by: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Replied:
    """A person's answer to the governor's question whether the session may have more."""

    at: datetime
    granted: bool
    by: str = ""


@dataclass(frozen=True, slots=True)
class Released:
    """A person lets a suspended session go on: clears the breaker, the retry brake and a pause, never a limit."""

    at: datetime
    by: str = ""


Fact = (
    Answer
    | Unreadable
    | CallFailed
    | Unaffordable
    | ToolStarted
    | ToolFinished
    | SubagentSpawned
    | SubagentEnded
    | Probed
    | Heartbeat
    | Tick
    | ServerSaid
    | GaugesRead
    | Paused
    | Resumed
    | Raised
    | Replied
    | Released
)
