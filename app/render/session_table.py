"""The sessions of a tab as a table: what each was for, what ran, who started it, what it cost, how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from app.jobs.tab_facts import ShownSession, TabFacts
from app.ledger.books import SessionRow
from tabstop.budget import show_amount
from tabstop.markdown import code, prose, table
from tabstop.money import show
from tabstop.quantity import plural, span
from tabstop.quantity import tokens as show_tokens
from tabstop.usage import Billing

HEAD = (
    *("Purpose", "Agent", "Model", "Who", "Cost", "Tokens", "Tool calls", "Duration", "Enforcement", "Outcome"),
)
NUMBERS = (4, 5, 6, 7)
SHORT_HEAD = ("Agent", "Purpose", "Cost", "Tokens", "Outcome")
PAID_BY = {Billing.SUBSCRIPTION: "subscription", Billing.CREDITS: "credits"}


def session_table(facts: TabFacts, room: int) -> list[str]:
    """The full table, newest first, in at most `room` bytes of UTF-8; a last line says how many are not shown."""
    lines = table(HEAD, [_row(shown, facts.now) for shown in facts.sessions], NUMBERS)
    kept, size = [], 100  # the last line's own room
    for line in lines:
        size += len(line.encode()) + 1
        if size > room:
            break
        kept.append(line)
    return [*kept, *_not_shown(facts.session_count - max(0, len(kept) - 2))]


def short_table(facts: TabFacts, most: int = 5) -> list[str]:
    """The same for a comment: the newest few, in five columns."""
    rows = [_short_row(shown, facts.now) for shown in facts.sessions[:most]]
    return [*table(SHORT_HEAD, rows, (2, 3)), *_not_shown(facts.session_count - len(rows), "; the check has them")]


def totals(sessions: Sequence[ShownSession]) -> str:
    """What the shown sessions come to, real and notional dollars apart and never added."""
    real = sum(s.session.spent.nano for s in sessions)
    notional = sum(s.session.notional for s in sessions)
    used = sum(s.session.spent.tokens for s in sessions)
    said = f"{plural(len(sessions), 'session')}: {show(real)}, {show_tokens(used)} tokens"
    return f"{said}; apart from that {show(notional)} notional" if notional else said


def _not_shown(count: int, where: str = "") -> list[str]:
    return ["", f"{plural(count, 'older session')} not shown{where}."] if count > 0 else []


def _row(shown: ShownSession, now: datetime) -> tuple[str, ...]:
    session = shown.session
    return (
        code(session.purpose, in_table=True) or "–",
        code(session.agent, in_table=True) or "unknown",
        code(session.model, in_table=True) or "unknown",
        code(shown.login, 39, in_table=True) or "nobody known",
        cost(session),
        show_tokens(session.spent.tokens),
        f"{session.tool_calls:,}",
        span(max(0, int(((session.ended_at or now) - session.admitted_at).total_seconds()))),
        prose(session.enforcement, in_table=True),
        outcome(session),
    )


def _short_row(shown: ShownSession, now: datetime) -> tuple[str, ...]:
    agent, model = code(shown.session.agent, in_table=True), code(shown.session.model, in_table=True)
    return (
        f"{agent or 'unknown'} {model}".strip(),
        code(shown.session.purpose, in_table=True) or "–",
        cost(shown.session),
        show_tokens(shown.session.spent.tokens),
        outcome(shown.session),
    )


def cost(session: SessionRow) -> str:
    """Real dollars, or the equivalent marked as such; calls without a price are named, never zero."""
    parts = []
    if session.notional:
        parts.append(f"{show(session.notional)} notional ({PAID_BY.get(session.billing, 'not billed')})")
    if session.spent.nano or not (session.notional or session.unknown_usages):
        parts.insert(0, show_amount(session.spent.nano, "usd"))
    if session.unknown_usages:
        parts.append(f"{plural(session.unknown_usages, 'call')} without a price")
    return ", ".join(parts)


def outcome(session: SessionRow) -> str:
    """How it ended, with its own sentence if it has one; `running` until then."""
    if session.outcome is None:
        return "running" if session.ended_at is None else "ended"
    detail = session.detail if len(session.detail) <= 80 else f"{session.detail[:79]}…"
    return session.outcome.value + (f" ({prose(detail.rstrip('.'), in_table=True)})" if detail else "")
