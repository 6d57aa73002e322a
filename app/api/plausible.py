"""Plausible calls: no more tokens than a model can read and write for one response, at a time at which the session ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from app.ledger.books import AuditRow, SessionRow
from app.registry import Transaction
from app.world import World
from tabstop.usage import Grain, Tokens, Usage

CLOCK_SKEW = timedelta(minutes=10)
"""By which a runner's clock may differ from ours without a word."""

_NAMED = 20
"""Calls that an audit row names."""


def too_many_tokens(world: World, model: str, tokens: Tokens, grain: Grain = Grain.CALL) -> str:
    """Why a call cannot have used so many; empty where it can. A total over several calls has no such limit."""
    if grain is not Grain.CALL:
        return ""
    return world.most_in_a_call(model).why_not(tokens.prompt, tokens.output)


@dataclass(frozen=True, slots=True)
class Plausible:
    """A batch's calls as they can have been. refused: why others cannot, by their keys; earlier: the time that some told, by their keys."""

    calls: Sequence[Usage]
    refused: Mapping[tuple[str, ...], str]
    earlier: Mapping[tuple[str, ...], datetime]


def plausible(world: World, session: SessionRow, usages: Sequence[Usage]) -> Plausible:
    """Leave out what has too many tokens, and move into the session what tells a time before it.

    What was opened after the fact began whenever its calls say.
    """
    refused = {one.keys: why for one in usages if (why := too_many_tokens(world, one.model, one.tokens, one.grain))}
    earliest = session.admitted_at - CLOCK_SKEW
    left = [one for one in usages if one.keys not in refused]
    earlier = {one.keys: one.occurred_at for one in left if not session.unadmitted and one.occurred_at < earliest}
    calls = [replace(one, occurred_at=session.admitted_at) if one.keys in earlier else one for one in left]
    return Plausible(calls, refused, earlier)


def note_implausible(books: Transaction, session: SessionRow, found: Plausible, now: datetime) -> None:
    """Audit rows for what was left out or moved."""
    if found.refused:
        first = [{"keys": list(keys), "why": why} for keys, why in list(found.refused.items())[:_NAMED]]
        body: dict[str, Any] = {"calls": len(found.refused), "first": first}
        books.audit(AuditRow("usage.implausible", now, session.id, body, session.engineer_id))
    if found.earlier:
        body = {
            "calls": len(found.earlier),
            "earliest": min(found.earlier.values()).isoformat(),
            "counted_from": session.admitted_at.isoformat(),
        }
        books.audit(AuditRow("usage.before_session", now, session.id, body, session.engineer_id))
