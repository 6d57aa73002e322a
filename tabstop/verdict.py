"""Verdict: allow, warn or stop, with every finding that led to it. Check, comment, Slack and hook all speak from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """What a verdict says. Ordered: the worst finding decides."""

    ALLOW = "allow"
    WARN = "warn"
    STOP = "stop"

    @property
    def rank(self) -> int:
        """0 allow, 1 warn, 2 stop."""
        return list(Outcome).index(self)


class Signal(StrEnum):
    """What a finding is about."""

    BUDGET = "budget"
    """A budget of a tab, engineer, guest, repository or organization."""
    LIMIT = "limit"
    """A limit of one session."""
    POLICY = "policy"
    """The policy file has problems, could not be read, or changes in this pull request."""
    PRICE = "price"
    """Usage without a price."""
    BREAKER = "breaker"
    """A breaker is open for this repository and agent."""
    ACCESS = "access"
    """Who asks may not, or cannot be told."""
    PAUSE = "pause"
    """An operator paused starts, or this session."""
    RUNAWAY = "runaway"
    """A running session behaves like one that has lost its way."""
    RATE = "rate"
    """A running session goes faster than its policy allows."""
    RETRY = "retry"
    """A tool keeps failing."""
    SUBTASK = "subtask"
    """A subagent's budget, or how many there may be."""
    DEGRADATION = "degradation"
    """A session goes on with less, because a limit is near."""
    GAUGE = "gauge"
    """A window of the vendor's own: 5 hours, a week. Never a budget."""
    SILENCE = "silence"
    """An agent, or the server, has not been heard of."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason, with its numbers. Amounts are nano-dollars or tokens, as `unit` says (`usd`, `tokens`, `` for none).

    scope: the budget's scope or the limit's name (`tab`, `engineer`, `tool_calls`, …).
    subject: what people call it: `acme/payments-api`, a branch, a login. Empty where it may not be shown.
    cap counts overdrives that are in force; `raised` says how much of it they are.
    unplaced: how much of `spent` lies on no pull request and no branch.
    cause: for a budget that stops: `spent` (it is used up) or `held` (other sessions hold what is left; retry).
    retry_at: when asking again can help; None when only a person or the next window helps.
    until: when the window ends; None for a lifetime.
    why: the reason the policy gives for this cap.
    """

    signal: Signal
    outcome: Outcome
    scope: str
    sentence: str = ""
    subject: str = ""
    unit: str = ""
    cap: int | None = None
    spent: int = 0
    held: int = 0
    asked: int = 0
    raised: int = 0
    cause: str = ""
    window: str = ""
    until: datetime | None = None
    retry_at: datetime | None = None
    remedy: str = ""
    why: str = ""
    unplaced: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, with all findings, worst first; findings that allow are kept, so that surfaces can show every budget."""

    findings: tuple[Finding, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The worst of the findings; allow when there are none."""
        return max((f.outcome for f in self.findings), key=lambda o: o.rank, default=Outcome.ALLOW)

    @property
    def reasons(self) -> tuple[Finding, ...]:
        """The findings that made the outcome what it is, or none when it allows."""
        if self.outcome is Outcome.ALLOW:
            return ()
        return tuple(f for f in self.findings if f.outcome is self.outcome)

    @property
    def retry_at(self) -> datetime | None:
        """When asking again can help: only when every stopping finding says so; then the latest of them."""
        times = [f.retry_at for f in self.findings if f.outcome is Outcome.STOP]
        if not times or any(at is None for at in times):
            return None
        return max(at for at in times if at is not None)


def verdict_of(*findings: Finding) -> Verdict:
    """A verdict with its findings sorted worst first, otherwise in the order given."""
    return Verdict(tuple(sorted(findings, key=lambda f: -f.outcome.rank)))
