"""Stops: the exceptions by which a governed session ends, or one call in it is refused, each with its verdict.

    SessionStopped
    ├── BudgetExceeded      a limit is reached, or a budget is full      BUDGET_EXCEEDED
    │   └── BudgetSuspended … and the policy says to pause there         BUDGET_EXCEEDED (also a SessionSuspended)
    ├── SessionSuspended    a person has to look, or to allow more       SESSION_SUSPENDED
    ├── BreakerOpen         a breaker or a runaway signal tripped        BREAKER_OPEN
    └── SubagentStopped     this subagent's share is used, others go on  SUBAGENT_STOPPED
    CallDenied              this call not; the session goes on           CALL_DENIED

Trying again does not help after a `SessionStopped`: it is raised again until somebody gives more or releases the session.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from tabstop.governor.orders import Act, Order
from tabstop.verdict import Finding, Signal, Verdict, verdict_of


class _Refusal(Exception):  # noqa: N818 - see SessionStopped
    code: ClassVar[str]

    def __init__(self, order: Order, session: str = "") -> None:
        """Keep both. order: with its findings, strongest first. session: its id."""
        self.order = order
        self.session = session
        first = next((one for one in order.findings if one.sentence), None)
        said = (first.sentence, first.remedy) if first else ("Tabstop stopped this session.",)
        super().__init__(f"{self.code}: {' '.join(part for part in said if part)}")

    @property
    def verdict(self) -> Verdict:
        """Every finding that speaks for it, worst first."""
        return verdict_of(*self.order.findings)

    def __reduce__(self) -> tuple[type[_Refusal], tuple[Order, str]]:
        """Survives the way between processes."""
        return type(self), (self.order, self.session)


class SessionStopped(_Refusal):
    """The session may spend nothing more."""

    code = "SESSION_STOPPED"


class BudgetExceeded(SessionStopped):
    """A limit of the session is reached, or the server does not let it begin because a budget above it is full."""

    code = "BUDGET_EXCEEDED"


class SessionSuspended(SessionStopped):
    """The session waits for a person; it can be resumed with its totals."""

    code = "SESSION_SUSPENDED"


class BudgetSuspended(BudgetExceeded, SessionSuspended):
    """A limit is reached at which the policy pauses the session."""


class BreakerOpen(SessionStopped):
    """The breaker is open: failing tools, repeated calls, a cost rate, or a runaway that persists."""

    code = "BREAKER_OPEN"


class SubagentStopped(SessionStopped):
    """Only this subagent has to stop; its parent goes on."""

    code = "SUBAGENT_STOPPED"


class CallDenied(_Refusal):
    """This tool call, or this subagent, is refused. Its sentence is written for the model: hand it over as the result."""

    code = "CALL_DENIED"

    @property
    def sentence(self) -> str:
        """What to tell the model."""
        return self.order.sentence


def stop_of(order: Order, session: str, *, named: bool) -> SessionStopped:
    """The exception for an order that ends the turn. named: whether commands can find the session by its id."""
    first = next(iter(order.findings), None)
    if not named:
        order = replace(order, findings=tuple(_within_the_program(one) for one in order.findings))
    about_a_limit = first is not None and first.signal in {Signal.LIMIT, Signal.PRICE, Signal.BUDGET}
    if order.thread is not None:
        kind: type[SessionStopped] = SubagentStopped
    elif order.act in {Act.SUSPEND, Act.ASK}:
        kind = BudgetSuspended if about_a_limit else SessionSuspended
    elif about_a_limit:
        kind = BudgetExceeded
    elif first is not None and first.signal in {Signal.BREAKER, Signal.RUNAWAY}:
        kind = BreakerOpen
    else:
        kind = SessionStopped
    return kind(order, session)


def _within_the_program(finding: Finding) -> Finding:
    """A session that lives in memory is unknown to commands: the way out is a method."""
    if not finding.remedy or finding.signal is Signal.SUBTASK:
        return finding
    if finding.signal in {Signal.LIMIT, Signal.PRICE}:
        return replace(finding, remedy="To go on, give it more with `overdrive(…)`: its totals are carried over.")
    return replace(finding, remedy="Find out why, then let it go on with `release()`.")
