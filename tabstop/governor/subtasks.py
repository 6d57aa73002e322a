"""Subtasks: a subagent is refused where there are too many, warned when its share is nearly used, stopped when it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from tabstop.governor.facts import Answer, Fact, Paused, SubagentEnded, SubagentSpawned
from tabstop.governor.limits import Totals
from tabstop.governor.orders import Act, Advice, Event, EventKind
from tabstop.governor.settings import Settings
from tabstop.governor.subtask_books import (
    Child,
    Gone,
    Subagents,
    close,
    heard,
    left,
    line,
    open_books,
    put_to_sleep,
    remember,
    spend,
    without_silent,
)
from tabstop.governor.subtask_shares import granted
from tabstop.quantity import plural
from tabstop.quantity import tokens as show_tokens
from tabstop.verdict import Finding, Outcome, Signal

WARN_AT = 90
"""Percent of its share at which a subagent is told."""

_REMEDY = "The rest of the session goes on. The policy says under `subtasks` how many subagents there may be and what each gets."


def share(
    part: Subagents, fact: Fact, totals: Totals, settings: Settings, *, near: bool = False
) -> tuple[Subagents, tuple[Advice, ...], tuple[Event, ...]]:
    """Keep the books of all subagents, refuse one too many, stop one that used up its share while its parent goes on.

    near: the session is so near a limit that degradation refuses new ones.
    """
    thread: str = getattr(fact, "thread", "")
    refusal: tuple[Advice, ...] = ()
    events: tuple[Event, ...] = ()
    part = heard(part, thread, fact.at, totals, settings)
    match fact:
        case Answer() if thread:
            part, events = _spent(part, fact, totals, settings)
        case SubagentSpawned():
            part, refusal = _spawned(part, fact, totals, settings, near=near)
        case SubagentEnded():
            part = close(part, fact.child)
        case Paused():
            part = put_to_sleep(part)
    return part, (*refusal, *_stop_or_warn(part, thread)), events


def _spent(part: Subagents, fact: Answer, totals: Totals, settings: Settings) -> tuple[Subagents, tuple[Event, ...]]:
    """Count an answer. A thread nobody announced is a subagent of the main one; for one that is gone its parent pays.

    Cache reads are left out: each answer reads the whole context again, so that a share would be gone after a few answers,
    however little a subagent does.
    """
    tokens = max(0, fact.tokens.total - fact.tokens.cache_read)
    payer = fact.thread
    if payer in part.gone:
        payer = part.gone[payer].parent
    elif payer not in part.at_work:
        before = replace(totals, tokens=totals.tokens - max(0, fact.tokens.total))
        part = open_books(part, payer, "", "", fact.at, before, settings)
    now = spend(part, payer, tokens)
    crossed = (_crossed(one, part.at_work[one], now.at_work[one], fact.at) for one in line(part, payer))
    return now, tuple(event for event in crossed if event is not None)


def _crossed(thread: str, was: Child, now: Child, at: datetime) -> Event | None:
    if was.unspent and not now.unspent:
        return Event(at, EventKind.ALERT, _used_up(thread, now), thread)
    if _is_near(now) and not _is_near(was):
        return Event(at, EventKind.ALERT, _near(thread, now), thread)
    return None


def _spawned(
    part: Subagents, fact: SubagentSpawned, totals: Totals, settings: Settings, *, near: bool
) -> tuple[Subagents, tuple[Advice, ...]]:
    """Set its share aside, or refuse it. Without an id, which may not be known yet, it is only asked whether it may start.

    A refused one that runs all the same is stopped at each of its facts.
    """
    if fact.child in part.at_work or fact.child == fact.thread != "":
        return part, ()  # told twice, after its first answer, or of itself
    part = without_silent(part, fact.at, settings)
    starter = part.gone.get(fact.thread)
    if starter is not None and starter.refused:
        return remember(part, fact.child, starter), ()  # stopped already, with all it starts
    parent = fact.thread if starter is None else starter.parent
    if parent and parent not in part.at_work:
        part = open_books(part, parent, "", "", fact.at, totals, settings)
    refusal = _refusal(part, fact, parent, totals, settings)
    if refusal is not None:
        finding, why = refusal
        return remember(part, fact.child, Gone(parent, why)), (Advice(Act.DENY, finding),)
    if near:  # the advice to deny it is that of degradation
        return remember(part, fact.child, Gone(parent, "a limit of the session was near when it was to start")), ()
    if not fact.child:
        return part, ()
    return open_books(part, fact.child, parent, fact.kind, fact.at, totals, settings), ()


def _refusal(
    part: Subagents, fact: SubagentSpawned, parent: str, totals: Totals, settings: Settings
) -> tuple[Finding, str] | None:
    """Why it may not start, for its starter and in short."""
    rules = settings.subtasks
    deep = len(line(part, parent)) + 1
    beside = sum(child.parent == parent and child.set_aside > 0 for child in part.at_work.values())
    if part.started >= rules.total:
        scope, used, cap = "total", part.started, rules.total
        why = f"this session has started {plural(used, 'subagent')}, and the policy allows {cap} in all"
    elif deep > rules.depth:
        scope, used, cap = "depth", deep, rules.depth
        why = f"it would be at depth {used}, and the policy allows {cap}"
    elif beside >= rules.fan_out:
        scope, used, cap = "fan-out", beside, rules.fan_out
        why = f"this thread has {plural(used, 'subagent')} at work, and the policy allows {cap} at once"
    elif not granted(rules, fact.kind, left(part, parent, totals, settings)):
        scope, used, cap = "tokens", 0, 0
        why = "no tokens are left to share"
    else:
        return None
    sentence = f"No new subagent: {why}. Do the work in this thread."
    finding = Finding(Signal.SUBTASK, Outcome.STOP, scope, sentence, fact.kind, cap=cap, spent=used, remedy=_REMEDY)
    return finding, why


def _stop_or_warn(part: Subagents, thread: str) -> tuple[Advice, ...]:
    """What a subagent hears at each of its facts: nothing, that its share is nearly used, or that it is stopped."""
    gone = part.gone.get(thread)
    if gone is not None and gone.refused:
        sentence = f"This subagent was refused: {gone.refused}. End now."
        finding = Finding(Signal.SUBTASK, Outcome.STOP, "refused", sentence, remedy=_REMEDY)
        return (Advice(Act.HALT, finding, thread),)
    above = line(part, thread)
    for one in above:
        if not part.at_work[one].unspent:
            return (Advice(Act.HALT, _used_up(one, part.at_work[one]), thread),)
    if above and _is_near(part.at_work[thread]):
        return (Advice(Act.PROCEED, _near(thread, part.at_work[thread]), thread),)
    return ()


def _is_near(child: Child) -> bool:
    return child.used * 100 >= child.given * WARN_AT


def _used_up(thread: str, child: Child) -> Finding:
    used = f"{show_tokens(child.used)} of {show_tokens(child.given)} tokens, cache reads not counted"
    sentence = f"{_named(thread, child)} used up its share: {used}."
    return replace(_share(Outcome.STOP, sentence, child), remedy=_REMEDY)


def _near(thread: str, child: Child) -> Finding:
    used = f"{show_tokens(child.used)} of its {show_tokens(child.given)} tokens, cache reads not counted"
    sentence = (
        f"{_named(thread, child)} has used {used}. It is stopped when they are gone: report what is found so far."
    )
    return _share(Outcome.WARN, sentence, child)


def _named(thread: str, child: Child) -> str:
    return f"The subagent {thread} ({child.kind})" if child.kind else f"The subagent {thread}"


def _share(outcome: Outcome, sentence: str, child: Child) -> Finding:
    return Finding(
        Signal.SUBTASK, outcome, "subagent", sentence, child.kind, "tokens", cap=child.given, spent=child.used
    )
