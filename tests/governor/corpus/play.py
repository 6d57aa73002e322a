"""Playing a scenario through the whole governor: when it was told of, when it was stopped, and by what."""

from __future__ import annotations

from dataclasses import dataclass

from tabstop.governor.facts import Answer
from tabstop.governor.machine import govern
from tabstop.governor.orders import Act, EventKind
from tabstop.governor.settings import Settings, Sharing, Subtasks
from tabstop.governor.state import State
from tabstop.lab.script import Scenario
from tabstop.session import Limits
from tabstop.verdict import Finding, Signal

FAR = Settings(
    limits=Limits(10**12, 10**9, 10**9, 10**9, 10**15),
    subtasks=Subtasks(sharing=Sharing.STATIC, kinds=(), other=10**8),
)
"""Limits and subagents' budgets that nothing reaches: what stops a session under them is a signal."""

TOLD = {EventKind.ALERT, EventKind.TRIP, EventKind.STOP, EventKind.SUSPEND}
"""Events that people hear of."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """In which iteration, counted from the first that ran away (from the session's first when healthy), and by what."""

    iteration: int
    by: str
    signal: Signal


@dataclass(frozen=True, slots=True)
class Played:
    """alert: the first event that people hear of. refusal: the first call, or subagent, that was not let go on. stop: what
    ended the session's turn.
    """

    alert: Noticed | None = None
    refusal: Noticed | None = None
    stop: Noticed | None = None

    @property
    def caught(self) -> Noticed | None:
        """What first kept it from spending more."""
        return self.refusal or self.stop


def play(scenario: Scenario, settings: Settings = FAR) -> Played:
    """Tell its facts until the order ends the turn, as an agent would end there. A silent agent is not looked at here."""
    state, iteration = State(), 1 - max(1, scenario.runaway_from)
    alert = refusal = None
    for fact in scenario.facts:
        iteration += isinstance(fact, Answer) and not fact.more
        decision = govern(state, fact, settings)
        state, order = decision.state, decision.order
        told = [event.finding for event in decision.events if event.kind in TOLD and event.finding is not None]
        for finding in told:
            if finding.signal is not Signal.SILENCE:
                alert = alert or _noticed(iteration, finding)
        if order.act.ends_turn and order.thread is None:
            return Played(alert, refusal, _noticed(iteration, order.findings[0]))
        if order.act is Act.DENY or order.act.ends_turn:
            refusal = refusal or _noticed(iteration, order.findings[0])
    return Played(alert, refusal)


def _noticed(iteration: int, finding: Finding) -> Noticed:
    return Noticed(max(1, iteration), finding.scope, finding.signal)
