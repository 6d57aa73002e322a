"""Exhaustion: what happens when a limit is reached: halt, suspend, one last summary, or a question to a person."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tabstop.governor.facts import Answer, Fact, Raised, Replied, ServerSaid, Unaffordable
from tabstop.governor.limit_reached import at_the_limit, reached
from tabstop.governor.limits import ENDS_AS, UNITS, Totals, answer_at, count, kept_back, limits_in_force, option, shown
from tabstop.governor.orders import Act, Advice, Event, EventKind
from tabstop.governor.settings import OnLimit, Settings
from tabstop.money import NANO_PER_DOLLAR
from tabstop.session import Limits, SessionOutcome
from tabstop.verdict import Finding, Signal

SUMMARY_SECONDS = 180
"""How long the last answer may take."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whether the session may have more. limit: which one; more: how much of it, beyond what is used by now."""

    limit: str
    more: int
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Where the session stands at its limit. finding: the limit it came to first, where it stands until that one is raised.

    summary_until: the last answer is being made. refused: the answer was no.
    """

    finding: Finding | None = None
    question: Question | None = None
    summary_until: datetime | None = None
    summarized: bool = False
    refused: bool = False


Standing = tuple[Exhausted, tuple[Advice, ...], tuple[Event, ...]]


def stand(
    part: Exhausted, totals: Totals, fact: Fact, settings: Settings, *, stopped: bool, eased: bool = False
) -> Standing:
    """What the session does at its limit, if it came to one.

    stopped: something else stopped it: then it comes to none. eased: from here on it goes on with less.
    """
    finding = part.finding
    if finding is None and not stopped:
        finding = reached(totals, fact, settings, eased=eased)
        part = part if finding is None else Exhausted(finding)
    return (part, (), ()) if finding is None else _at(part, finding, fact, totals, settings)


def lifted(part: Exhausted, fact: Fact, totals: Totals, settings: Settings) -> tuple[Exhausted, Limits | None]:
    """What a word from outside changes: the part, and by how much a reply raises the limits.

    A raise lifts a stop by the limit it names; so does the server when it tells other limits than before.
    """
    match fact:
        case Raised() if part.finding is not None and _more(fact, part.finding.scope):
            return Exhausted(), None
        case ServerSaid() if fact.limits not in {None, totals.granted or settings.limits}:
            return Exhausted(), None
        case Replied() if part.finding is not None and part.question is not None:
            if fact.granted:
                more = part.question.more + _beyond(part.finding, count(totals, fact), settings)
                return Exhausted(), Limits(**{part.question.limit: more})
            return Exhausted(_with(part.finding, "More was asked for and refused."), refused=True), None
    return part, None


def raises(fact: Raised) -> bool:
    """Whether it raises anything."""
    return any(_more(fact, name) for name in UNITS)


def _more(fact: Raised, name: str) -> bool:
    return (getattr(fact.by_how_much, name) or 0) > 0


def _at(part: Exhausted, finding: Finding, fact: Fact, totals: Totals, settings: Settings) -> Standing:
    now = totals.last_at or fact.at
    wanted = answer_at(finding.scope, settings)
    if finding.signal is Signal.PRICE:
        return part, (_halt(finding, totals, settings),), ()
    if wanted is OnLimit.ASK:
        return _ask(part, finding, totals, settings, now)
    if wanted is OnLimit.SUSPEND:
        return part, (Advice(Act.SUSPEND, _suspended(finding, totals, settings), ends_as=SessionOutcome.SUSPENDED),), ()
    if wanted is OnLimit.HALT:
        return part, (_halt(finding, totals, settings),), ()
    if settings.can_summarize:
        return _summarize(part, fact, finding, totals, settings, now)
    at_once = _with(finding, "A last summary cannot be made here, so it ends at once.")
    return part, (_halt(at_once, totals, settings),), ()


def _halt(finding: Finding, totals: Totals, settings: Settings) -> Advice:
    finding = replace(finding, remedy=_how_to_go_on(finding, totals, settings))
    return Advice(Act.HALT, finding, ends_as=ENDS_AS[finding.scope])


def _suspended(finding: Finding, totals: Totals, settings: Settings) -> Finding:
    return replace(
        finding,
        sentence=f"Task paused: session budget reached. Enable Overdrive to continue. {finding.sentence}",
        remedy=_how_to_go_on(finding, totals, settings),
    )


def _how_to_go_on(finding: Finding, totals: Totals, settings: Settings) -> str:
    """Half of the limit more, or what the next call lacks where that is more."""
    if finding.signal is Signal.PRICE:
        return "More budget does not help. Use a model with a known price, or let the policy say `unknown_price: warn`; then start anew."
    more = max(1, (finding.cap or 0) // 2, finding.asked) + _beyond(finding, totals, settings)
    command = _raise(finding.scope, more, settings)
    return f"To go on, run `{command}`, then resume the agent: its totals are carried over."


def _beyond(finding: Finding, totals: Totals, settings: Settings) -> int:
    """What a raise has to cover before it allows anything: what is used past the limit by now, or kept for a last answer."""
    gone: int = getattr(totals, finding.scope) + kept_back(finding.scope, totals, settings)
    return max(0, gone - (finding.cap or 0))


def _raise(limit: str, more: int, settings: Settings) -> str:
    """The command."""
    if limit == "cost":
        return f"tabstop overdrive {settings.session} '${-(-more // NANO_PER_DOLLAR)}'"
    return f"tabstop overdrive {settings.session} {option(limit, more)}"


def _ask(part: Exhausted, finding: Finding, totals: Totals, settings: Settings, now: datetime) -> Standing:
    if part.refused:
        return part, (_halt(finding, totals, settings),), ()
    events: tuple[Event, ...] = ()
    question = part.question
    if question is None:
        limit: int = getattr(limits_in_force(totals, settings)[0], finding.scope)
        first: int = getattr(settings.limits, finding.scope) or limit
        more = max(1, first * settings.exhaustion.ask_percent // 100, finding.asked)
        question = Question(finding.scope, more, now + timedelta(seconds=settings.exhaustion.ask_seconds))
        part = replace(part, question=question)
        events = (Event(now, EventKind.ASK, _asked(finding, question, totals, settings)),)
    if now < question.deadline:
        return part, (Advice(Act.ASK, _asked(finding, question, totals, settings)),), events
    refused = _with(finding, "Nobody allowed more in time.")
    return Exhausted(refused, refused=True), (_halt(refused, totals, settings),), events


def _with(finding: Finding, more: str) -> Finding:
    return replace(finding, sentence=f"{finding.sentence} {more}")


def _asked(finding: Finding, question: Question, totals: Totals, settings: Settings) -> Finding:
    used, more = shown(finding.scope, finding.spent), shown(finding.scope, question.more)
    raised = question.more + _beyond(finding, totals, settings)
    command = _raise(finding.scope, raised, settings)
    return replace(
        finding,
        sentence=f"Used {used}, allow another {more}?",
        remedy=f"To allow it, run `{command}`, then go on with the next prompt: its totals are carried over.",
        asked=raised,
        retry_at=question.deadline,
    )


def _summarize(
    part: Exhausted, fact: Fact, finding: Finding, totals: Totals, settings: Settings, now: datetime
) -> Standing:
    if part.summary_until is None:
        part = replace(part, summary_until=now + timedelta(seconds=SUMMARY_SECONDS))
    elif not part.summarized and (now >= part.summary_until or _is_it(fact)):
        how = "The call kept for a last answer was made." if _is_it(fact) else "No last answer came in time."
        finding = _with(at_the_limit(finding.scope, totals, settings), how)
        part = replace(part, summarized=True, finding=finding)
    elif not part.summarized and isinstance(fact, Unaffordable) and fact.last:
        finding = _with(finding, "A last answer does not fit either.")
        part = replace(part, summarized=True, finding=finding)
    if part.summarized:
        return part, (_halt(finding, totals, settings),), ()
    thread: str = getattr(fact, "thread", "")
    if thread:  # what is kept is enough for one answer, and that is the main thread's
        return part, (Advice(Act.HALT, finding, thread),), ()
    said = _with(finding, "One last answer may say what is done, what is left and how to resume.")
    return part, (Advice(Act.WIND_DOWN, said),), ()


def _is_it(fact: Fact) -> bool:
    return isinstance(fact, Answer) and not fact.thread and not fact.more
