"""Report usage and end a session: the token names the session, one transaction does the work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from app.api.problems import ApiError, no_such_session
from app.identity.session_token import SessionClaim
from app.ledger.books import AuditRow, SessionRow
from app.ledger.end_session import end_session
from app.ledger.record_usage import Recorded, Report, record_usage
from app.registry import InForce, Transaction
from app.world import World
from tabstop.cost import Cost
from tabstop.session import SessionOutcome
from tabstop.session_standing import SessionUse, orders_for, session_stands
from tabstop.usage import Billing, Usage
from tabstop.verdict import Verdict
from tabstop.window import chargeable_at
from tabstop.wire import Call, ClientTotal, EndAnswer, EndRequest, UsageAnswer, UsageBatch
from tabstop.wire_json import to_json

OWN_KEYS = "tabstop:"
"""Keys of usages the server makes itself (true-ups); a runner that could name one could change it."""

MOST_CALLS = 5_000
"""Calls in one batch; more are sent in several."""

NEAR = 75
"""Percent of a limit from which a session is said to have come near it, in its audit rows and at its end."""

MOST_TOKENS = 10_000_000_000
"""Tokens of one kind in one call or total: a thousand sessions' worth, and far from what 64 bits of nano-dollars hold."""

MOST_SEARCHES = 100_000


def report_usage(world: World, claim: SessionClaim, batch: UsageBatch) -> UsageAnswer:
    """Store a batch. Raises `ApiError`; sent again, in whole or in part, it changes nothing."""
    _refuse_too_many(batch)
    session, in_force, login = _look(world, claim)
    now = world.now()
    prices = _priced(world, batch, session.agent, in_force, now)
    with world.store.open(claim.organization_id) as books:
        session = _session(books, claim)
        if batch.billing is not None and session.billing is Billing.UNKNOWN:
            session = replace(session, billing=batch.billing, billing_evidence=batch.billing_evidence)
            books.change_session(session)
        report = Report(
            usages=list(prices),
            totals=batch.client_totals,
            policy=in_force.policy,
            price=lambda usage: prices.get(usage) or world.price(usage, in_force.policy.prices),
            login=login,
        )
        recorded = record_usage(books, session, report, now)
        _audit_limits(books, session, recorded.session, now)
    return _usage_answer(recorded, now)


def finish_session(world: World, claim: SessionClaim, request: EndRequest) -> EndAnswer:
    """End a session. Raises `ApiError`; ending it again changes nothing."""
    try:
        outcome = SessionOutcome(request.outcome)
    except ValueError as error:
        allowed = ", ".join(SessionOutcome)
        raise ApiError(400, f"{request.outcome!r} is no outcome.", f"Known ones are: {allowed}.") from error
    now = world.now()
    with world.store.open(claim.organization_id) as books:
        session = _session(books, claim)
        ended = end_session(books, session, outcome, request.detail[:500], now, _said(request))
        stands = session_stands(_use(ended, now), ended.limits, approaching=NEAR)
        _audit_limits(books, session, ended, now)
        tabs = books.budgets_of_tab(ended.tab_id, now) if ended.tab_id is not None else []
    return EndAnswer(
        verdict=stands,
        cost=ended.spent.nano,
        notional=ended.notional,
        tokens=ended.spent.tokens,
        unpriced=ended.unknown_usages,
        tab_cost=tabs[0].spent.nano if tabs else 0,
    )


def _audit_limits(books: Transaction, before: SessionRow, after: SessionRow, now: datetime) -> None:
    """A row when a session comes near a limit or reaches one: at once, since many such sessions never say their end."""
    heard = before.heard_at or before.admitted_at
    stood = session_stands(_use(before, heard), before.limits, approaching=NEAR)
    known = {(finding.scope, finding.outcome) for finding in stood.findings}
    stands = session_stands(_use(after, now), after.limits, approaching=NEAR)
    new = [finding for finding in stands.findings if (finding.scope, finding.outcome) not in known]
    if new:
        body = {"limits": [to_json(finding) for finding in new]}
        books.audit(AuditRow("session.limit", now, after.id, body, after.engineer_id))


def _said(request: EndRequest) -> dict[str, Any]:
    """What the end says besides its outcome, cut to a sensible size: evidence for attribution, not yet a move."""
    said = {
        "branch": request.branch[:255],
        "pull_request": request.pull_request,
        "duration_seconds": request.duration_seconds,
        "skipped": {reason[:200]: count for reason, count in list(request.skipped.items())[:50]},
    }
    return {name: value for name, value in said.items() if value}


def as_usage(call: Call, agent: str, now: datetime) -> Usage:
    """A call of the wire as the core's usage. Its time is a claim, and prices are dated: it is kept within 35 days of now."""
    return Usage(
        keys=call.keys,
        model=call.model,
        tokens=call.tokens,
        occurred_at=chargeable_at(call.occurred_at, now),
        agent=agent,
        thread=call.thread,
        web_searches=call.web_searches,
        grain=call.grain,
        cache_split_known=call.cache_split_known,
        tool_calls=call.tool_calls,
    )


def _refuse_too_many(batch: UsageBatch) -> None:
    problems = []
    if len(batch.calls) > MOST_CALLS:
        problems.append(f"{len(batch.calls)} calls in one batch; at most {MOST_CALLS}")
    for number, call in enumerate(batch.calls):
        if not call.keys or any(not key or len(key) > 300 for key in call.keys):
            problems.append(
                f"calls[{number}].keys: found {call.keys!r}, expected at least one key of 1 to 300 characters"
            )
        if any(key.startswith(OWN_KEYS) for key in call.keys):
            problems.append(f"calls[{number}].keys: keys that begin with {OWN_KEYS!r} are the server's own")
        problems += _counts(f"calls[{number}]", call)
    if len(batch.client_totals) > MOST_CALLS:
        problems.append(f"{len(batch.client_totals)} totals in one batch; at most {MOST_CALLS}")
    for number, total in enumerate(batch.client_totals):
        problems += _counts(f"client_totals[{number}]", total)
    if problems:
        raise ApiError(400, "The batch is not valid.", "; ".join(problems[:20]), "Nothing of it was stored.")


def _counts(path: str, counted: Call | ClientTotal) -> Iterator[str]:
    if any(not 0 <= count <= MOST_TOKENS for count in to_json(counted.tokens).values()):
        yield f"{path}.tokens: counts must be from 0 to {MOST_TOKENS:,}"
    if not 0 <= counted.web_searches <= MOST_SEARCHES:
        yield f"{path}.web_searches: found {counted.web_searches}, expected 0 to {MOST_SEARCHES:,}"


def _priced(world: World, batch: UsageBatch, agent: str, in_force: InForce, now: datetime) -> Mapping[Usage, Cost]:
    """Price before the transaction, so that nobody waits for it."""
    usages = [as_usage(call, agent, now) for call in batch.calls]
    return {usage: world.price(usage, in_force.policy.prices) for usage in usages}


def _look(world: World, claim: SessionClaim) -> tuple[SessionRow, InForce, str]:
    with world.store.look(claim.organization_id) as books:
        session = _session(books, claim)
        engineer = books.engineer(session.engineer_id) if session.engineer_id is not None else None
        return session, books.policy_in_force(session.repository_id), engineer.login if engineer else ""


def _session(books: Transaction, claim: SessionClaim) -> SessionRow:
    session = books.session(claim.session_id)
    if session is None:
        raise no_such_session()
    return session


def _use(session: SessionRow, now: datetime) -> SessionUse:
    until = session.ended_at or now
    return SessionUse(
        tokens=session.spent.tokens,
        tool_calls=session.tool_calls,
        iterations=session.iterations,
        wall_clock_seconds=int((until - session.admitted_at).total_seconds()),
        cost=session.spent.nano + session.notional,
    )


def _usage_answer(recorded: Recorded, now: datetime) -> UsageAnswer:
    session = recorded.session
    stands: Verdict = session_stands(_use(session, now), session.limits)
    return UsageAnswer(
        verdict=stands,
        orders=orders_for(stands, covered=recorded.covered),
        new=recorded.new,
        known=recorded.known,
        cost=session.spent.nano,
        notional=session.notional,
        unpriced=session.unknown_usages,
    )
