"""Exhaustion: what happens when a limit is reached: halt, suspend, one last summary, or a question to a person."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tabstop.governor.facts import Answer, Fact, Raised, Replied
from tabstop.governor.limits import Totals, answers_at, limits_in_force, shown
from tabstop.governor.orders import Act, Advice, Event, EventKind
from tabstop.governor.settings import OnLimit, Settings
from tabstop.money import NANO_PER_DOLLAR
from tabstop.session import Limits, SessionOutcome
from tabstop.verdict import Finding

SUMMARY_SECONDS = 180
"""How long the last answer may take."""

ENDS_AS = {
    "tokens": SessionOutcome.STOPPED_TOKENS,
    "tool_calls": SessionOutcome.STOPPED_TOOL_CALLS,
    "iterations": SessionOutcome.STOPPED_ITERATIONS,
    "wall_clock_seconds": SessionOutcome.STOPPED_WALL_CLOCK,
    "cost": SessionOutcome.STOPPED_COST,
}
"""How a session ends by each limit."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whether the session may have more. limit: which one; more: how much of it."""

    limit: str
    more: int
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Where the session stands at its limit. summary_until: the last answer is being made, because of the limit `begun` tells.

    refused: the answer to the question was no.
    """

    question: Question | None = None
    summary_until: datetime | None = None
    begun: Finding | None = None
    summarized: bool = False
    refused: bool = False


def at_limit(
    part: Exhausted, fact: Fact, finding: Finding, totals: Totals, settings: Settings
) -> tuple[Exhausted, Advice, tuple[Event, ...]]:
    """What the session does at this limit, and what is to be logged of it."""
    now = totals.last_at or fact.at
    wanted = answers_at(finding.scope, settings)[0]
    if wanted is OnLimit.ASK and not part.refused:
        return _ask(part, finding, totals, settings, now)
    if wanted is OnLimit.SUMMARY and settings.can_summarize:
        return _summarize(part, fact, finding, settings, now)
    if wanted is OnLimit.SUSPEND:
        stop = Advice(Act.SUSPEND, _suspended(finding, settings), ends_as=SessionOutcome.SUSPENDED)
        return part, stop, ()
    if wanted is OnLimit.SUMMARY:
        finding = replace(
            finding, sentence=f"{finding.sentence} A last summary cannot be made here, so it ends at once."
        )
    return part, _halt(finding, settings), ()


def lifted(part: Exhausted, fact: Fact) -> tuple[Exhausted, Limits | None]:
    """What a person's word changes: the part, and by how much it raises the limits."""
    if isinstance(fact, Raised):
        return Exhausted(), None
    if isinstance(fact, Replied) and part.question is not None:
        if fact.granted:
            return Exhausted(), Limits(**{part.question.limit: part.question.more})
        return replace(part, question=None, refused=True), None
    return part, None


def _halt(finding: Finding, settings: Settings) -> Advice:
    finding = replace(finding, remedy=how_to_raise(finding, settings))
    return Advice(Act.HALT, finding, ends_as=ENDS_AS[finding.scope])


def _suspended(finding: Finding, settings: Settings) -> Finding:
    return replace(
        finding,
        sentence=f"Task paused: session budget reached. Enable Overdrive to continue. {finding.sentence}",
        remedy=how_to_raise(finding, settings),
    )


def how_to_raise(finding: Finding, settings: Settings) -> str:
    """What a person can do about a limit that was reached, with the command."""
    command = f"tabstop overdrive {settings.session} {_amount(finding)}"
    return f"To go on, run `{command}`, then resume the agent: its totals are carried over."


def _amount(finding: Finding) -> str:
    cap = finding.cap or 0
    if finding.scope == "cost":
        dollars = max(1, -(-cap // (2 * NANO_PER_DOLLAR)))
        return f"'${dollars}'"
    more = max(1, cap // 2)
    flag = {"wall_clock_seconds": "wall-clock", "tool_calls": "tool-calls"}.get(finding.scope, finding.scope)
    return f"--{flag} {more}{'s' if finding.scope == 'wall_clock_seconds' else ''}"


def _ask(
    part: Exhausted, finding: Finding, totals: Totals, settings: Settings, now: datetime
) -> tuple[Exhausted, Advice, tuple[Event, ...]]:
    events: tuple[Event, ...] = ()
    question = part.question
    if question is None:
        limit: int = getattr(limits_in_force(totals, settings)[0], finding.scope)
        first: int = getattr(settings.limits, finding.scope) or limit
        more = max(1, first * settings.exhaustion.ask_percent // 100)
        deadline = now + timedelta(seconds=settings.exhaustion.ask_seconds)
        question = Question(finding.scope, more, deadline)
        part = replace(part, question=question)
        events = (Event(now, EventKind.ASK, _asked(finding, question)),)
    if now >= question.deadline:
        refused = replace(finding, sentence=f"{finding.sentence} Nobody allowed more in time.")
        return replace(part, question=None, refused=True), _halt(refused, settings), events
    return part, Advice(Act.ASK, _asked(finding, question)), events


def _asked(finding: Finding, question: Question) -> Finding:
    used, more = shown(finding.scope, finding.spent), shown(finding.scope, question.more)
    return replace(
        finding, sentence=f"Used {used}, allow another {more}?", asked=question.more, retry_at=question.deadline
    )


def _summarize(
    part: Exhausted, fact: Fact, finding: Finding, settings: Settings, now: datetime
) -> tuple[Exhausted, Advice, tuple[Event, ...]]:
    if part.summary_until is None:
        part = replace(part, summary_until=now + timedelta(seconds=SUMMARY_SECONDS), begun=finding)
    elif isinstance(fact, Answer) and not fact.thread and not fact.more:
        part = replace(part, summarized=True)
    assert part.summary_until is not None  # noqa: S101 - set three lines above
    if part.summarized or now >= part.summary_until:
        return part, _halt(finding, settings), ()
    said = replace(
        finding, sentence=f"{finding.sentence} One last answer may say what is done, what is left and how to resume."
    )
    return part, Advice(Act.WIND_DOWN, said), ()
