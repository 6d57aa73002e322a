"""Usage: the tokens of one model response, by kind, and the keys under which it is known."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

from tabstop.evidence import NOWHERE, Evidence


@dataclass(frozen=True, slots=True)
class Tokens:
    """Counts of one response. The kinds do not overlap: `input` excludes everything read from or written to the cache."""

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0

    @property
    def prompt(self) -> int:
        """Everything the model read: what decides a long-context tier."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h

    @property
    def total(self) -> int:
        """All kinds together: what token limits and token budgets count."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h + self.output

    def __add__(self, other: Tokens) -> Tokens:
        """Add kind by kind."""
        return Tokens(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Tokens)))

    def __sub__(self, other: Tokens) -> Tokens:
        """Subtract kind by kind; counts may go below zero."""
        return Tokens(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(Tokens)))

    def at_least_zero(self) -> Tokens:
        """The same, with every count below zero raised to zero."""
        return Tokens(*(max(0, getattr(self, f.name)) for f in fields(Tokens)))


class Grain(StrEnum):
    """How finely a usage is known."""

    CALL = "call"
    """One model response."""
    AGGREGATE = "aggregate"
    """A client's total over several responses; priced as an estimate."""


class Billing(StrEnum):
    """How the tokens of a session are paid for."""

    API = "api"
    """Per token, real dollars."""
    SUBSCRIPTION = "subscription"
    """A plan with windows; dollars are notional."""
    CREDITS = "credits"
    """Prepaid vendor credits; dollars are notional."""
    UNKNOWN = "unknown"
    """No evidence; counted as dollars, since a wrong alarm is better than a silent bill."""

    @property
    def notional(self) -> bool:
        """Whether dollars computed from list prices are only an equivalent, not a bill."""
        return self in {Billing.SUBSCRIPTION, Billing.CREDITS}


@dataclass(frozen=True, slots=True)
class Usage:
    """One usage as a source reports it.

    keys: every id known for it, each `vendor:kind:id` (`anthropic:req:req_1`); unique per organization, at least one.
    thread: the vendor's own thread (a Claude Code session id, a subagent's id).
    occurred_at: when the response was made, timezone-aware UTC. evidence: what the source tells of where it was made.
    cache_split_known: False where the source tells cache writes without their time to live.
    """

    keys: tuple[str, ...]
    model: str
    tokens: Tokens
    occurred_at: datetime
    agent: str = ""
    thread: str = ""
    web_searches: int = 0
    grain: Grain = Grain.CALL
    cache_split_known: bool = True
    tool_calls: tuple[ToolCall, ...] = ()
    evidence: Evidence = NOWHERE

    def __hash__(self) -> int:
        """By the keys alone: what is equal has equal ones, and hashing every count would cost a batch its time."""
        return hash(self.keys)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool whose result this response read: its name and the HMAC of its arguments (content stays on the machine)."""

    name: str
    arguments_hmac: str = ""
    failed: bool = False
