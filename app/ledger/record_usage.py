"""Record usage: a batch of calls becomes usages, entries and budget changes; sent twice, it changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.ledger.books import Books, Cause, EntryKind, SessionRow, UsageRow
from app.ledger.postings import Postings, counted, sums_of
from app.ledger.same_usage import Sorted, largest_tokens, sort_out
from app.ledger.settling import Settling
from app.ledger.touched import Current, current_place
from app.ledger.true_up import true_up
from tabstop.cost import Cost
from tabstop.policy.model import Policy
from tabstop.session import lease_until
from tabstop.usage import Tokens, Usage
from tabstop.wire import ClientTotal

Pricer = Callable[[Usage], Cost]
"""Prices one usage at its own date, by the policy in force."""


@dataclass(frozen=True, slots=True)
class Report:
    """A batch for a session, with what is known of the session's engineer and policy."""

    usages: Sequence[Usage]
    totals: Sequence[ClientTotal]
    policy: Policy
    price: Pricer
    login: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of a batch. covered: False when the hold could not be topped up, so the session should wind down."""

    session: SessionRow
    new: int
    known: int
    covered: bool


def record_usage(books: Books, session: SessionRow, report: Report, now: datetime) -> Recorded:
    """Store what is new of a batch, charge it, settle the session's hold, and have touched tabs shown again."""
    places = books.places([session.place_id])
    budgets = books.budgets_by_id(places[session.place_id].budget_ids, now)
    current = current_place(books, session, places[session.place_id], budgets, report.policy, report.login, now)
    places[current.place_id] = current.place

    batch = sort_out(report.usages, books.known([key for usage in report.usages for key in usage.keys]))
    stored = books.usages([*batch.fuller, *batch.merged, *batch.merged.values()])
    elsewhere = books.places({row.place_id for row in stored.values()} - places.keys())
    places |= elsewhere
    budgets |= books.budgets_by_id({b for place in elsewhere.values() for b in place.budget_ids} - budgets.keys(), now)

    postings = Postings(books, now, places)
    settling = Settling(session, budgets, places, current.place_id)
    _charge_new(postings, settling, session, batch, report.price, current)
    _correct_known(postings, batch, stored, report.price)
    true_up(postings, settling, session, report.totals, report.price, current)

    held, covered = settling.close(postings)
    postings.write(budgets, report.policy.steps)
    after = session
    if session.ended_at is None:
        wall_clock = session.limits.get("wall_clock_seconds")
        after = replace(
            session,
            place_id=current.place_id,
            held=held,
            heard_at=now,
            lease_until=max(session.lease_until, lease_until(now, wall_clock)),
        )
        books.change_session(after)
    return Recorded(_with_totals(after, postings), len(batch.new), batch.repeated, covered)


def usage_row(postings: Postings, session: SessionRow, usage: Usage, cost: Cost, place_id: int) -> UsageRow:
    """The row of a new usage."""
    return UsageRow(
        id=postings.books.new_id(),
        session_id=session.id,
        place_id=place_id,
        agent=usage.agent or session.agent,
        thread=usage.thread,
        model=usage.model,
        matched=cost.matched,
        tokens=usage.tokens,
        web_searches=usage.web_searches,
        tool_calls=len(usage.tool_calls),
        grain=usage.grain,
        cost_state=cost.state,
        billing=session.billing,
        occurred_at=usage.occurred_at,
        received_at=postings.now,
        cost=cost.nano or 0,
        cache_split_known=usage.cache_split_known,
    )


def priced(row: UsageRow, tokens: Tokens, price: Pricer) -> UsageRow:
    """The row with other tokens, priced again at its own date."""
    cost = price(
        Usage(
            keys=(),
            model=row.model,
            tokens=tokens,
            occurred_at=row.occurred_at,
            agent=row.agent,
            web_searches=row.web_searches,
            grain=row.grain,
            cache_split_known=row.cache_split_known,
        )
    )
    return replace(row, tokens=tokens, cost=cost.nano or 0, cost_state=cost.state, matched=cost.matched)


def _charge_new(
    postings: Postings, settling: Settling, session: SessionRow, batch: Sorted, price: Pricer, current: Current
) -> None:
    rows: list[UsageRow] = []
    keys = dict(batch.keys)
    for usage in batch.new:
        place_id = current.place_for(usage.occurred_at, session.place_id)
        row = usage_row(postings, session, usage, price(usage), place_id)
        rows.append(row)
        keys.update(dict.fromkeys(usage.keys, row.id))
        amount = counted(postings.places[place_id], sums_of(row))
        postings.charge(row, settling.cause_of(place_id, amount))
    if keys:
        postings.books.add_usages(rows, keys)


def _correct_known(postings: Postings, batch: Sorted, stored: dict[int, UsageRow], price: Pricer) -> None:
    """Bring stored usages up to a fuller report, and take back all but one of rows that are the same response."""
    said = {usage_id: usage.tokens for usage_id, usage in batch.fuller.items()}
    for drop, keep in batch.merged.items():
        postings.books.repoint_keys(drop, keep)
        said[keep] = largest_tokens([said.get(keep, stored[keep].tokens), stored[drop].tokens])
        nothing = replace(stored[drop], tokens=Tokens(), web_searches=0, tool_calls=0, cost=0)
        note = f"the same response as usage {keep}"
        postings.correct(stored[drop], nothing, EntryKind.CORRECT, Cause.CORRECTED, note)
    for usage_id, tokens in said.items():
        before = stored[usage_id]
        after = priced(before, largest_tokens([before.tokens, tokens]), price)
        if after != before:
            postings.correct(before, after, EntryKind.CORRECT, Cause.CORRECTED, "a report that says more")


def _with_totals(session: SessionRow, postings: Postings) -> SessionRow:
    change = postings.sessions[session.id]
    return replace(
        session,
        spent=session.spent + change.spent,
        notional=session.notional + change.notional,
        unknown_usages=session.unknown_usages + change.unknown_usages,
        iterations=session.iterations + change.iterations,
        tool_calls=session.tool_calls + change.tool_calls,
    )
