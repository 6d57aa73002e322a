"""Report usage and end a session: the token names the session, one transaction does the work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from app.api.evidence import commit_within, evidence_of, learn_from_end, link_within, problems_of_evidence
from app.api.gauges import problems_of_gauge
from app.api.placement import may_move, where_it_lies
from app.api.plausible import not_too_old, note_implausible, plausible
from app.api.problems import ApiError, no_such_session
from app.identity.session_token import SessionClaim
from app.ledger.books import AuditRow, SessionRow
from app.ledger.breakers import MOST_TRIPS, take_trips
from app.ledger.end_session import end_session
from app.ledger.gauges import MOST_GAUGES, estimate_gauges, take_gauges
from app.ledger.record_usage import Recorded, Report, record_usage
from app.ledger.resume import use_of
from app.ledger.session_events import MOST_EVENTS, take_events
from app.registry import InForce, Transaction
from app.world import World
from tabstop.breaker_memory import BreakerMetric
from tabstop.governor.settings import Exhaustion
from tabstop.session import Limits, SessionOutcome
from tabstop.session_standing import PAUSED, no_room_in, orders_for, session_stands
from tabstop.usage import Billing, Usage
from tabstop.verdict import verdict_of
from tabstop.wire import BreakerTrip, Call, ClientTotal, EndAnswer, EndRequest, SessionEvent, UsageAnswer, UsageBatch
from tabstop.wire_json import from_json, to_json

OWN_KEYS = "tabstop:"
"""Keys of usages the server makes itself (true-ups); a runner that could name one could change it."""

MOST_CALLS = 5_000
"""Calls in one batch; more are sent in several."""

NEAR = 75
"""Percent of a limit from which a session is said to have come near it, in its audit rows and at its end."""

MOST_TOKENS = 10_000_000_000
"""Tokens of one kind in one total: a thousand sessions' worth, and far from what 64 bits of nano-dollars hold."""

MOST_SEARCHES = 100_000

SUBJECT = re.compile(r"[A-Za-z0-9_.:-]{0,100}")
"""What a trip or event may name: a tool's or a signal's name, which people see in logs and channels. Nothing of what was said."""

MOST_MEASURED = 1_000_000_000_000_000
"""Of a trip's or event's numbers: as nano-dollars a million dollars a minute."""

UNITS = frozenset({"", "usd", "tokens", "calls", "iterations", "seconds"})


def report_usage(world: World, claim: SessionClaim, batch: UsageBatch) -> UsageAnswer:
    """Store a batch. Raises `ApiError`; sent again, in whole or in part, it changes nothing."""
    _refuse_too_many(batch)
    session, in_force, login = _look(world, claim)
    now = world.now()
    found = plausible(world, session, [as_usage(call, session.agent, now) for call in batch.calls], now)
    # Price before the transaction, so that nobody waits for it.
    prices = {usage: world.price(usage, in_force.policy.prices) for usage in found.calls}
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
            pull_requests=[link_within(link, now) for link in batch.pull_requests],
            commits=[commit_within(made, now) for made in batch.commits],
        )
        recorded = record_usage(books, session, report, now)
        if recorded.new or not found.calls:  # sent again, it has been noted
            note_implausible(books, session, found, now)
        take_trips(books, recorded.session, batch.trips, in_force.policy.breaker, now)
        take_events(books, recorded.session, batch.events, now)
        take_gauges(books, recorded.session, batch.gauges, now)
        models = {call.model for call in batch.calls}
        estimate_gauges(books, recorded.session, models, in_force.policy.windows, now)
        _audit_limits(books, session, recorded.session, now)
    return replace(_usage_answer(recorded, in_force.policy.rules.exhaustion, now), doubted=tuple(found.doubted()))


def finish_session(world: World, claim: SessionClaim, request: EndRequest) -> EndAnswer:
    """End a session. Raises `ApiError`; ending it again changes nothing."""
    try:
        outcome = SessionOutcome(request.outcome)
    except ValueError as error:
        allowed = ", ".join(SessionOutcome)
        raise ApiError(400, f"{request.outcome!r} is no outcome.", f"Known ones are: {allowed}.") from error
    now = world.now()
    with world.store.open(claim.organization_id) as books:
        session = learn_from_end(books, _session(books, claim), request, now)
        ended = end_session(books, session, outcome, request.detail[:500], now, _said(request))
        stands = session_stands(use_of(ended, now), ended.limits, approaching=NEAR)
        _audit_limits(books, session, ended, now)
        tabs = books.budgets_of_tab(ended.tab_id, now) if ended.tab_id is not None else []
        placements, moves = where_it_lies(books, ended), may_move(books, ended, now)
    return EndAnswer(
        verdict=stands,
        cost=ended.spent.nano,
        notional=ended.notional,
        tokens=ended.spent.tokens,
        unpriced=ended.unknown_usages,
        tab_cost=tabs[0].spent.nano if tabs else 0,
        placements=placements,
        may_move=moves,
    )


def _audit_limits(books: Transaction, before: SessionRow, after: SessionRow, now: datetime) -> None:
    """A row when a session comes near a limit or reaches one: at once, since many such sessions never say their end."""
    heard = before.heard_at or before.admitted_at
    stood = session_stands(use_of(before, heard), before.limits, approaching=NEAR)
    known = {(finding.scope, finding.outcome) for finding in stood.findings}
    stands = session_stands(use_of(after, now), after.limits, approaching=NEAR)
    new = [finding for finding in stands.findings if (finding.scope, finding.outcome) not in known]
    if new:
        body = {"limits": [to_json(finding) for finding in new]}
        books.audit(AuditRow("session.limit", now, after.id, body, after.engineer_id))


def _said(request: EndRequest) -> dict[str, Any]:
    """What the end says besides its outcome, cut to a sensible size, for the audit log."""
    said = {
        "branch": request.branch[:255],
        "pull_request": request.pull_request,
        "duration_seconds": request.duration_seconds,
        "skipped": {reason[:200]: count for reason, count in list(request.skipped.items())[:50]},
    }
    return {name: value for name, value in said.items() if value}


def as_usage(call: Call, agent: str, now: datetime) -> Usage:
    """A call of the wire as the core's usage."""
    return Usage(
        keys=call.keys,
        model=call.model,
        tokens=call.tokens,
        occurred_at=not_too_old(call.occurred_at, now),
        agent=agent,
        thread=call.thread,
        web_searches=call.web_searches,
        grain=call.grain,
        cache_split_known=call.cache_split_known,
        tool_calls=call.tool_calls,
        evidence=evidence_of(call),
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
    if len(batch.trips) > MOST_TRIPS:
        problems.append(f"{len(batch.trips)} trips in one batch; at most {MOST_TRIPS}")
    for number, trip in enumerate(batch.trips):
        problems += _trip(f"trips[{number}]", trip)
    if len(batch.events) > MOST_EVENTS:
        problems.append(f"{len(batch.events)} events in one batch; at most {MOST_EVENTS}")
    for number, event in enumerate(batch.events):
        problems += _event(f"events[{number}]", event)
    if len(batch.gauges) > MOST_GAUGES:
        problems.append(f"{len(batch.gauges)} gauges in one batch; at most {MOST_GAUGES}")
    for number, reading in enumerate(batch.gauges):
        problems += problems_of_gauge(f"gauges[{number}]", reading)
    problems += problems_of_evidence(batch)
    if problems:
        raise ApiError(400, "The batch is not valid.", "; ".join(problems[:20]), "Nothing of it was stored.")


def _counts(path: str, counted: Call | ClientTotal) -> Iterator[str]:
    if any(not 0 <= count <= MOST_TOKENS for count in to_json(counted.tokens).values()):
        yield f"{path}.tokens: counts must be from 0 to {MOST_TOKENS:,}"
    if not 0 <= counted.web_searches <= MOST_SEARCHES:
        yield f"{path}.web_searches: found {counted.web_searches}, expected 0 to {MOST_SEARCHES:,}"


def _trip(path: str, trip: BreakerTrip) -> Iterator[str]:
    if not SUBJECT.fullmatch(trip.subject):
        yield f"{path}.subject: found {trip.subject[:60]!r}, expected up to 100 letters, digits and any of _ . : -"
    most = 100 if trip.metric is BreakerMetric.TOOL_FAILURES else MOST_MEASURED
    if not (0 <= trip.value <= most and 0 <= trip.threshold <= most):
        found = f"{trip.value} over {trip.threshold}"
        yield f"{path}: found {found}, expected value and threshold from 0 to {most:,} for {trip.metric}"


def _event(path: str, event: SessionEvent) -> Iterator[str]:
    for name, text in (("scope", event.scope), ("subject", event.subject)):
        if not SUBJECT.fullmatch(text):
            yield f"{path}.{name}: found {text[:60]!r}, expected up to 100 letters, digits and any of _ . : -"
    if event.unit not in UNITS:
        yield f"{path}.unit: found {event.unit[:60]!r}, expected one of {', '.join(sorted(UNITS - {''}))}, or nothing"
    if not all(0 <= number <= MOST_MEASURED for number in (event.value, event.threshold or 0, event.asked)):
        yield f"{path}: numbers must be from 0 to {MOST_MEASURED:,}"


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


def _usage_answer(recorded: Recorded, exhaustion: Exhaustion, now: datetime) -> UsageAnswer:
    session = recorded.session
    stands = session_stands(use_of(session, now), session.limits)
    if session.paused_at is not None:
        stands = verdict_of(PAUSED, *stands.findings)
    stands = verdict_of(*map(no_room_in, recorded.short), *stands.findings)
    return UsageAnswer(
        verdict=stands,
        orders=orders_for(stands, exhaustion=exhaustion),
        new=recorded.new,
        known=recorded.known,
        cost=session.spent.nano,
        notional=session.notional,
        unpriced=session.unknown_usages,
        limits=from_json(Limits, session.limits) if session.limits else None,
        silent=session.outcome is SessionOutcome.SILENT,
    )
