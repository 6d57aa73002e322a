"""The sessions of a tab as a table: what each was for, what ran, who started it, what it cost, how it ended."""

from __future__ import annotations

from datetime import UTC

from app.jobs.tab_facts import ShownSession, TabFacts
from app.ledger.books import SessionRow
from tabstop.markdown import code, prose, table
from tabstop.money import Nano, show
from tabstop.quantity import plural, span
from tabstop.quantity import tokens as show_tokens
from tabstop.session import SessionOutcome
from tabstop.usage import Billing

HEAD = (*("Purpose", "Agent", "Model", "Who", "Cost", "Tokens", "Tool calls", "Duration", "Enforcement", "Outcome"),)
NUMBERS = (4, 5, 6, 7)
SHORT_HEAD = ("Agent", "Purpose", "Cost", "Tokens", "Outcome")
PAID_BY = {Billing.SUBSCRIPTION: "subscription", Billing.CREDITS: "credits"}


def session_table(facts: TabFacts, room: int) -> list[str]:
    """The full table, newest first, in at most `room` bytes of UTF-8; a last line says how many are not shown."""
    lines = table(HEAD, [_row(shown) for shown in facts.sessions], NUMBERS)
    kept, size = [], 100  # the last line's own room
    for line in lines:
        size += len(line.encode()) + 1
        if size > room:
            break
        kept.append(line)
    return [*kept, *_not_shown(facts.session_count - max(0, len(kept) - 2))]


def short_table(facts: TabFacts, most: int = 5) -> list[str]:
    """The same for a comment: the newest few, in five columns."""
    rows = [_short_row(shown) for shown in facts.sessions[:most]]
    return [*table(SHORT_HEAD, rows, (2, 3)), *_not_shown(facts.session_count - len(rows), "; the check has them")]


def totals(facts: TabFacts) -> str:
    """What the gathered sessions come to, real and notional dollars apart and never added."""
    sessions = facts.sessions
    real = sum(s.session.spent.nano for s in sessions)
    notional = sum(s.session.notional for s in sessions)
    used = sum(s.session.spent.tokens for s in sessions)
    unknown = sum(s.session.unknown_usages for s in sessions)
    older = facts.session_count - len(sessions)
    which = (
        f"The newest {len(sessions)} of {facts.session_count} sessions"
        if older > 0
        else plural(len(sessions), "session")
    )
    silent = sum(reported_nothing(s.session) for s in sessions if s.session.ended_at)
    unsaid = f"; {silent} of them reported nothing, so what {'it' if silent == 1 else 'they'} cost is unknown"
    parted = sum(s.session.elsewhere for s in sessions)
    part = f"; {parted} of them worked elsewhere too, and only what lies on this branch is counted"
    sums = f"{amounts(real, notional, unknown)}, {show_tokens(used)} tokens"
    return f"{which}: {sums}{unsaid if silent else ''}{part if parted else ''}"


def _not_shown(count: int, where: str = "") -> list[str]:
    return ["", f"{plural(count, 'older session')} not shown{where}."] if count > 0 else []


def _row(shown: ShownSession) -> tuple[str, ...]:
    session = shown.session
    return (
        code(session.purpose, in_table=True) or "not named",
        code(session.agent, in_table=True) or "unknown",
        code(session.model, in_table=True) or "unknown",
        code(shown.login, 39, in_table=True) or "nobody known",
        cost(session),
        show_tokens(session.spent.tokens),
        f"{session.tool_calls:,}",
        duration(session),
        prose(session.enforcement, in_table=True),
        outcome(session),
    )


def _short_row(shown: ShownSession) -> tuple[str, ...]:
    agent, model = code(shown.session.agent, in_table=True), code(shown.session.model, in_table=True)
    return (
        f"{agent or 'unknown'} {model}".strip(),
        code(shown.session.purpose, in_table=True) or "not named",
        cost(shown.session),
        show_tokens(shown.session.spent.tokens),
        outcome(shown.session),
    )


def cost(session: SessionRow) -> str:
    """Real dollars, or the equivalent marked as such; calls without a price are named, and silence is not zero either.

    A session that worked elsewhere too shows what lies here; another repository's figures are not for whoever reads this.
    """
    if session.elsewhere and session.spent.tokens == 0:
        return "elsewhere"
    if reported_nothing(session):
        return "nothing reported" if session.ended_at else "not reported yet"
    paid_by = PAID_BY.get(session.billing, "")
    return amounts(session.spent.nano, session.notional, session.unknown_usages, paid_by)


def reported_nothing(session: SessionRow) -> bool:
    """Whether the agent may have run and not one call of it is known; one that never started truly cost nothing."""
    return session.spent.tokens == 0 and not session.elsewhere and session.outcome is not SessionOutcome.NOT_STARTED


def amounts(real: Nano, notional: Nano, unknown: int, paid_by: str = "") -> str:
    """`$4.10, $6.32 notional, 3 calls without a price`: side by side, never added; zero only where nothing else is known."""
    parts = [show(real)] if real or not (notional or unknown) else []
    if notional:
        parts.append(f"{show(notional)} notional{f' ({paid_by})' if paid_by else ''}")
    if unknown:
        parts.append(f"{plural(unknown, 'call')} without a price")
    return ", ".join(parts)


def duration(session: SessionRow) -> str:
    """How long it took; of a running one when it began, so that the text stays the same while nothing happens."""
    if session.ended_at is None:
        began = session.admitted_at.astimezone(UTC)
        return f"since {began.day} {began:%b %H:%M} UTC"
    return span(max(0, int((session.ended_at - session.admitted_at).total_seconds()) - session.stood_seconds))


def outcome(session: SessionRow) -> str:
    """How it ended, with its own sentence if it has one; `running` until then."""
    if session.outcome is None:
        running = "running" if session.paused_at is None else "paused by an operator"
        return running if session.ended_at is None else "ended"
    detail = session.detail if len(session.detail) <= 80 else f"{session.detail[:79]}…"
    return session.outcome.value + (f" ({prose(detail.rstrip('.'), in_table=True)})" if detail else "")
