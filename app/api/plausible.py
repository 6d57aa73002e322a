"""Plausible calls: no more tokens than a model can read and write for one response, at a time at which the session ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from app.ledger.books import AuditRow, SessionRow
from app.registry import Transaction
from app.world import World
from tabstop.session import SessionOutcome
from tabstop.usage import Grain, Tokens, Usage
from tabstop.window import LATE_LIMIT
from tabstop.wire import Doubted

CLOCK_SKEW = timedelta(minutes=10)
"""By which a runner's clock may differ from ours without a word."""

OUTLIVES = timedelta(days=1)
"""How long after a session's end its calls may have been made: by a subagent in the background, or by a client that was resumed
while the server was away. One that is resumed with the server's knowledge has not ended."""

_NAMED = 20
"""Calls that an audit row names."""

Keys = tuple[str, ...]
"""What a call is known by."""


def not_too_old(at: datetime, now: datetime) -> datetime:
    """A call's time is a claim, and prices are dated: it counts as at most 35 days ago."""
    return max(at, now - LATE_LIMIT)


def too_many_tokens(world: World, model: str, tokens: Tokens, grain: Grain = Grain.CALL) -> str:
    """Why a call cannot have used so many; empty where it can. A total over several calls has no such limit."""
    if grain is not Grain.CALL:
        return ""
    return world.most_in_a_call(model).why_not(tokens.prompt, tokens.output)


@dataclass(frozen=True, slots=True)
class Moved:
    """A time that cannot be. counted_at: the one it counts at. kind: of the audit row."""

    told_at: datetime
    counted_at: datetime
    kind: str
    why: str


@dataclass(frozen=True, slots=True)
class Plausible:
    """A batch's calls as they can have been. refused: why others cannot; moved: times that some cannot have been made at."""

    calls: Sequence[Usage]
    refused: Mapping[Keys, str]
    moved: Mapping[Keys, Moved]

    def doubted(self) -> Iterator[Doubted]:
        """What whoever reports is told, call by call."""
        yield from (Doubted(keys, f"It has {why}. It is not counted.") for keys, why in self.refused.items())
        for keys, one in self.moved.items():
            yield Doubted(keys, f"It was made {one.why}. It counts at {one.counted_at:%Y-%m-%d %H:%M} UTC.")


def plausible(world: World, session: SessionRow | None, usages: Sequence[Usage], now: datetime) -> Plausible:
    """Leave out what has too many tokens, and move to the session's beginning or end what tells a time outside of it.

    session: None for one that is about to be opened after the fact. A time in the future becomes now.
    """
    refused = {one.keys: why for one in usages if (why := too_many_tokens(world, one.model, one.tokens, one.grain))}
    moved: dict[Keys, Moved] = {}
    calls = []
    for one in usages:
        if one.keys in refused:
            continue
        found = _moved(session, one.occurred_at, now)
        if found is not None:
            moved[one.keys] = found
        calls.append(replace(one, occurred_at=found.counted_at if found else min(one.occurred_at, now)))
    return Plausible(calls, refused, moved)


def _moved(session: SessionRow | None, at: datetime, now: datetime) -> Moved | None:
    """What was opened after the fact began and ended whenever its calls say. So does what only fell silent."""
    if session is not None and not session.unadmitted:
        if at < session.admitted_at - CLOCK_SKEW:
            return Moved(at, session.admitted_at, "usage.before_session", "before its session began")
        ended = None if session.outcome is SessionOutcome.SILENT else session.ended_at
        if ended is not None and at > ended + OUTLIVES:
            return Moved(at, ended, "usage.after_session", "more than a day after its session ended")
    if at > now + CLOCK_SKEW:
        return Moved(at, now, "usage.ahead_of_time", "in the future, by the server's clock")
    return None


def note_implausible(books: Transaction, session: SessionRow, found: Plausible, now: datetime) -> None:
    """Audit rows for what was left out or moved."""
    if found.refused:
        first = [{"keys": list(keys), "why": why} for keys, why in list(found.refused.items())[:_NAMED]]
        body: dict[str, Any] = {"calls": len(found.refused), "first": first}
        books.audit(AuditRow("usage.implausible", now, session.id, body, session.engineer_id))
    for kind in sorted({one.kind for one in found.moved.values()}):
        moved = [one for one in found.moved.values() if one.kind == kind]
        body = {
            "calls": len(moved),
            "earliest": min(one.told_at for one in moved).isoformat(),
            "latest": max(one.told_at for one in moved).isoformat(),
            "counted_at": moved[0].counted_at.isoformat(),
        }
        books.audit(AuditRow(kind, now, session.id, body, session.engineer_id))
