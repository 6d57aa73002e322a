"""Subtask books: the subagents of a session with what each was given and has used. Bounded, and never below zero.

A subagent's spending counts against its own share and those of all that led to it; what it leaves unspent is its parent's
again when it ends. Threads are named by the vendor's own ids; the main one is empty and has no share of its own.

Shares are of all tokens that are left, and what is used of them are all but cache reads. So a share never gives more than there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tabstop.governor.limits import Totals, limits_in_force
from tabstop.governor.settings import Settings
from tabstop.governor.subtask_shares import granted

KEPT = 64
"""Subagents that are remembered at once, and as many that ended: an agent that never says when one ends costs no memory."""


@dataclass(frozen=True, slots=True)
class Child:
    """A subagent at work. parent: the thread that started it. given, used: tokens; used counts those of its subagents too.

    asleep: its process was paused and it has not been heard of since. It may be gone, and nothing is set aside for it.
    """

    parent: str
    kind: str
    given: int
    heard_at: datetime
    used: int = 0
    asleep: bool = False

    @property
    def unspent(self) -> int:
        """Tokens it may still use."""
        return max(0, self.given - self.used)

    @property
    def set_aside(self) -> int:
        """Tokens its parent may not give away."""
        return 0 if self.asleep else self.unspent


@dataclass(frozen=True, slots=True)
class Gone:
    """A subagent that ended, or one that was refused. parent: the nearest thread at work above it; it pays what is told late.

    refused: why it may not run, should it run all the same; empty for one that ended.
    """

    parent: str
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Subagents:
    """at_work, gone: by thread, the oldest first. started: in all."""

    at_work: dict[str, Child] = field(default_factory=dict)
    gone: dict[str, Gone] = field(default_factory=dict)
    started: int = 0


def line(part: Subagents, thread: str) -> list[str]:
    """This thread and all at work above it, up to the main one, which is left out."""
    found: list[str] = []
    while thread in part.at_work and thread not in found:
        found.append(thread)
        thread = part.at_work[thread].parent
    return found


def left(part: Subagents, thread: str, totals: Totals, settings: Settings) -> int | None:
    """Tokens this thread can give away, at most what each above it has. None where nothing bounds it."""
    have = [part.at_work[one].unspent for one in line(part, thread)]
    limit = limits_in_force(totals, settings)[0].tokens
    if limit is not None:
        have.append(max(0, limit - totals.tokens))
    if not have:
        return None
    set_aside = sum(child.set_aside for child in part.at_work.values() if child.parent == thread)
    return max(0, min(have) - set_aside)


def open_books(
    part: Subagents, thread: str, parent: str, kind: str, at: datetime, totals: Totals, settings: Settings
) -> Subagents:
    """Set a share aside for a subagent. Above `KEPT` of them the one not heard of for longest counts as ended."""
    given = granted(settings.subtasks, kind, left(part, parent, totals, settings))
    gone = {one: was for one, was in part.gone.items() if one != thread}
    part = Subagents({**part.at_work, thread: Child(parent, kind, given, at)}, gone, part.started + 1)
    if len(part.at_work) > KEPT:
        above = line(part, thread)
        others = [one for one in part.at_work if one not in above]
        part = close(part, min(others, key=lambda one: part.at_work[one].heard_at, default=""))
    return part


def spend(part: Subagents, thread: str, tokens: int) -> Subagents:
    """Count tokens against a thread and all above it."""
    paid = {one: replace(part.at_work[one], used=part.at_work[one].used + tokens) for one in line(part, thread)}
    return replace(part, at_work={**part.at_work, **paid})


def close(part: Subagents, thread: str) -> Subagents:
    """Fold a subagent that ended: its parent has paid already, and takes over what it leaves behind."""
    ended = part.at_work.get(thread)
    if ended is None:
        return part
    return remember(_forget(part, thread), thread, Gone(ended.parent))


def remember(part: Subagents, thread: str, gone: Gone) -> Subagents:
    """Keep what is to be known of a thread that is not at work; nothing without an id."""
    if not thread:
        return part
    kept = {one: was for one, was in part.gone.items() if one != thread}
    if len(kept) >= KEPT:
        del kept[next(iter(kept))]
    return replace(part, gone={**kept, thread: gone})


def put_to_sleep(part: Subagents) -> Subagents:
    """The process ended, or was told to wait: nothing stays set aside for subagents that may never be heard of again."""
    return replace(part, at_work={one: replace(child, asleep=True) for one, child in part.at_work.items()})


def heard(part: Subagents, thread: str, at: datetime, totals: Totals, settings: Settings) -> Subagents:
    """A thread showed something, and so all above it, which wait for it, are at work.

    One that slept goes on with what it had left, as far as its parent still has it.
    """
    for one in reversed(line(part, thread)):
        child = part.at_work[one]
        if child.asleep:
            room = left(part, child.parent, totals, settings)
            given = child.given if room is None else min(child.given, child.used + room)
            child = replace(child, given=given, heard_at=max(at, child.heard_at), asleep=False)
        elif child.heard_at < at:
            child = replace(child, heard_at=at)
        else:
            continue
        part = replace(part, at_work={**part.at_work, one: child})
    return part


def without_silent(part: Subagents, now: datetime, settings: Settings) -> Subagents:
    """Give back the shares of those not heard of for long: not every agent says when a subagent ends, least one that was stopped.

    One that speaks again is an unannounced subagent with a share of its own. One that used up its share stays stopped.
    """
    patience = timedelta(seconds=settings.heartbeats.silence)
    for thread, child in part.at_work.items():
        if child.unspent and now - child.heard_at > patience:
            part = _forget(part, thread)
    return part


def _forget(part: Subagents, thread: str) -> Subagents:
    parent = part.at_work[thread].parent
    at_work = {
        one: replace(child, parent=parent) if child.parent == thread else child
        for one, child in part.at_work.items()
        if one != thread
    }
    gone = {one: replace(was, parent=parent) if was.parent == thread else was for one, was in part.gone.items()}
    return replace(part, at_work=at_work, gone=gone)
