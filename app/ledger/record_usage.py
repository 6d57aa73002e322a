"""Record usage: a batch of calls becomes usages, entries and budget changes; sent twice, it changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import repeat

from app.ledger.beside import count_together, share
from app.ledger.books import Books, EntryKind, KnownUsage, SessionRow, UsageRow
from app.ledger.by_hand import assigned, place_of_rest
from app.ledger.disagreement import model_family, note_disagreement, note_refused_report, with_told
from app.ledger.evidence import ask_again, believed, goes_by_evidence, learned, may_stray, note_refused
from app.ledger.one_response import bounds_of
from app.ledger.placing import placing_of
from app.ledger.postings import NOTHING, Postings, counted, sums_of
from app.ledger.reached import Reached
from app.ledger.same_usage import Said, Sorted, joined, said_by, sort_out
from app.ledger.settling import Settling
from app.ledger.told import Told
from app.ledger.true_up import true_up
from app.ledger.windows import Current, places_for
from app.registry import Transaction
from tabstop.alike import Stored, recognized
from tabstop.budget import Budget
from tabstop.cost import Cost, CostState
from tabstop.evidence import CommitMade, Evidence, PullRequestLink
from tabstop.policy.model import Policy
from tabstop.session import lease_until
from tabstop.usage import Grain, Usage
from tabstop.wire import ClientTotal

Pricer = Callable[[Usage], Cost]
"""Prices one usage at its own date, by the policy in force."""

ByPlace = Callable[[Sequence[Usage]], Mapping[int, Sequence[Usage]]]
"""Usages by the id of the place they go to."""


@dataclass(frozen=True, slots=True)
class Report:
    """A batch for a session, with what is known of the session's engineer and policy."""

    usages: Sequence[Usage]
    totals: Sequence[ClientTotal]
    policy: Policy
    price: Pricer
    login: str = ""
    pull_requests: Sequence[PullRequestLink] = ()
    commits: Sequence[CommitMade] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of a batch. short: budgets without room for the hold, so that the session should wind down."""

    session: SessionRow
    new: int
    known: int
    short: tuple[Budget, ...] = ()


def record_usage(books: Transaction, session: SessionRow, report: Report, now: datetime) -> Recorded:
    """Store what is new of a batch, charge it, settle the session's hold, and have touched tabs shown again.

    `session` was read in this transaction.
    """
    reached = Reached(books, now).reach([session.place_id])
    times = [usage.occurred_at for usage in report.usages]
    current = places_for(reached, session, report.policy, report.login, times)

    told = learned(books, session, report.usages, report.pull_requests, report.commits)
    usages = recognized(report.usages, _owner(session), lambda keys: _stored(books, keys))
    known = books.known([key for usage in usages for key in usage.keys])
    owners = _witnessed(books, session, known)
    evidence: dict[int, Evidence] = {}
    if told.anything and known:
        usages = believed(books, session, usages, known)
        evidence = books.evidence([found.evidence_id for found in known.values() if found.evidence_id is not None])
    batch = sort_out(usages, known, bounds_of(books, session, owners), evidence)
    stored = books.usages([*batch.fuller, *batch.merged]) if batch.fuller else {}
    evidence |= books.evidence(
        {row.evidence_id for row in stored.values() if row.evidence_id is not None} - evidence.keys()
    )
    reached.reach(row.place_id for row in stored.values())

    postings = Postings(reached)
    settling = Settling(session, reached, current.place_id)
    by_place: ByPlace = current.by_place
    strays = False
    if told.anything and goes_by_evidence(reached, session):
        calls = [(usage.occurred_at, usage.evidence) for usage in batch.new]
        placing = placing_of(books, reached, session, current, told, calls, report.policy, report.login)
        by_place = placing.by_place
        note_refused(books, session, placing.work, told, now)
        strays = told.news or may_stray(told, placing.work.start, usages, report.totals)
    by_hand = assigned(books, reached, session, report.policy, report.login)
    if by_hand is not None:
        by_place = by_hand.by_place
    _charge_new(postings, settling, session, batch, report.price, by_place, told)
    _correct_known(postings, settling, batch, stored, report.price, evidence, told)
    _note_refused(books, batch.refused, session.id, now)
    beside = count_together(books, session, batch.new, owners, {total.thread for total in report.totals})
    at = (by_hand or current).place_for(session.ended_at or now)
    true_up(postings, session, report.totals, report.price, at, settling)
    others = {other.id: other for other in (*_others(books, session, stored), *beside)}
    for other in others.values():
        true_up(postings, other, (), report.price, place_of_rest(books, reached, other, now), settling)
    if strays or _is_news_to_others(books, session, batch, told, owners):
        ask_again(books, session.id, now)
    for owner in sorted(owners) if session.run_id else ():
        ask_again(books, owner, now)  # what lies nowhere may lie where this run's token proves

    held, short = settling.close(postings)
    postings.write(report.policy.steps)
    after = session if session.ended_at is not None else replace(_heard(session, current, now), held=held)
    after = replace(
        after, model=_model_seen(session, report.usages), has_evidence=session.has_evidence or told.anything
    )
    if after != session:
        books.change_session(after)
    return Recorded(_with_totals(after, postings), len(batch.new), batch.repeated, short)


def _is_news_to_others(books: Books, session: SessionRow, batch: Sorted, told: Told, owners: Collection[str]) -> bool:
    """Whether calls may belong elsewhere now that several sessions tell of: one may know what the others do not."""
    if session.run_id or session.engineer_id is None:
        return False
    return bool(owners or ((batch.new or batch.fuller or told.news) and books.shares_calls(session.id)))


def priced(row: UsageRow, price: Pricer) -> UsageRow:
    """The row priced again, at its own date."""
    cost = price(
        Usage(
            keys=(),
            model=row.model,
            tokens=row.tokens,
            occurred_at=row.occurred_at,
            agent=row.agent,
            web_searches=row.web_searches,
            grain=row.grain,
            cache_split_known=row.cache_split_known,
        )
    )
    return row._replace(cost=cost.nano or 0, cost_state=cost.state, matched=cost.matched)


def _owner(session: SessionRow) -> str:
    """Whose calls may be one without naming a thread: on a laptop several sessions tell of one client's; a run's tell of their own."""
    alone = session.run_id or session.engineer_id is None
    return f"session {session.id}" if alone else f"engineer {session.engineer_id}"


def _witnessed(books: Books, session: SessionRow, known: Mapping[str, KnownUsage]) -> set[str]:
    """Keep that the session tells of calls which others told first; answers whose they are."""
    foreign: dict[str, set[int]] = {}
    for found in known.values():
        if found.session_id != session.id:
            foreign.setdefault(found.session_id, set()).add(found.id)
    for owner, ids in foreign.items():
        share(books, session.id, owner, sorted(ids))
    return set(foreign)


def _stored(books: Books, keys: Sequence[str]) -> dict[str, Stored]:
    known = books.known(keys)
    keys_of = books.keys_of([found.id for found in known.values()])
    return {
        key: Stored(one.id, one.occurred_at, one.cache_read if one.cache_split_known else None, keys_of[one.id])
        for key, one in known.items()
    }


def _heard(session: SessionRow, current: Current, now: datetime) -> SessionRow:
    """The live session after a report: its lease renewed, in its windows of now."""
    turned = current.place_id != session.place_id and not session.unadmitted
    return replace(
        session,
        place_id=current.place_id if turned else session.place_id,
        earlier_places=(*session.earlier_places, session.place_id) if turned else session.earlier_places,
        heard_at=now,
        lease_until=max(session.lease_until, lease_until(now, session.limits.get("wall_clock_seconds"))),
    )


def _model_seen(session: SessionRow, usages: Sequence[Usage]) -> str:
    """The model the start named, else the one that most of the first report's tokens went to."""
    if session.model or not usages:
        return session.model
    totals: Counter[str] = Counter()
    for usage in usages:
        totals[usage.model] += usage.tokens.total
    return totals.most_common(1)[0][0]


def _charge_new(
    postings: Postings,
    settling: Settling,
    session: SessionRow,
    batch: Sorted,
    price: Pricer,
    by_place: ByPlace,
    told: Told,
) -> None:
    session_id, agent, billing, now = session.id, session.agent, session.billing, postings.now
    stored: list[UsageRow] = []
    disputed: list[tuple[UsageRow, Said]] = []
    keys = dict(batch.keys)
    for place_id, usages in by_place(batch.new).items():
        ids = postings.books.new_ids(len(usages))
        evidence = told.ids_of([usage.evidence for usage in usages]) if told.evidence else repeat(None, len(usages))
        rows = [
            UsageRow(
                usage_id,
                session_id,
                place_id,
                usage.agent or agent,
                usage.thread,
                usage.model,
                cost.matched,
                usage.tokens,
                usage.web_searches,
                len(usage.tool_calls),
                usage.grain,
                cost.state,
                billing,
                usage.occurred_at,
                now,
                cost.nano or 0,
                usage.cache_split_known,
                None,
                evidence_id,
            )
            for usage_id, usage, cost, evidence_id in zip(ids, usages, map(price, usages), evidence, strict=True)
        ]
        for number, usage in enumerate(usages) if batch.several else ():
            said = batch.several.get(usage.keys[0])
            if said is not None:
                rows[number] = with_told(rows[number], said.told, disputed=said.disputed, outdone=said.outdone)
                if rows[number].disputed:
                    disputed.append((rows[number], said))
        keys.update((key, row.id) for row, usage in zip(rows, usages, strict=True) for key in usage.keys)
        sums = [sums_of(row) for row in rows]
        postings.charge(rows, sums, settling.causes_of(place_id, sums))
        stored += rows
    if keys:
        postings.books.add_usages(stored, keys)
    for row, said in disputed:
        note_disagreement(postings.books, row, said.told, now)


def _correct_known(
    postings: Postings,
    settling: Settling,
    batch: Sorted,
    stored: dict[int, UsageRow],
    price: Pricer,
    evidence: Mapping[int, Evidence],
    told: Told,
) -> None:
    """Bring stored usages up to a fuller report, and take back all but one of rows that are the same response."""
    said = {usage_id: joined(said_by(stored[usage_id], evidence), more) for usage_id, more in batch.fuller.items()}
    for drop, keep in batch.merged.items():
        row = stored[drop]
        postings.books.repoint_keys(drop, keep)
        said[keep] = joined(said[keep], said_by(row, evidence))
        settling.take(row.place_id, counted(postings.places[row.place_id], NOTHING.less(sums_of(row))))
        postings.drop(row, same_as=keep)
        postings.books.witness(sorted({row.session_id, *postings.books.witnesses([drop])}), [keep])
    named = {one: evidence_id for evidence_id, one in evidence.items()} | told.evidence
    noted = {keep for drop, keep in batch.merged.items() if stored[drop].disputed}
    for usage_id, more in said.items():
        before = stored[usage_id]
        was = said_by(before, evidence)
        settled = before.disputed or before.grain is not Grain.CALL
        whole = more._replace(told=was.told, disputed=was.disputed) if settled else more
        if whole != was:
            after = _brought_up(before, whole, price)
            if whole.evidence != was.evidence:
                after = after._replace(evidence_id=named.get(whole.evidence, before.evidence_id))
                _note_evidence(postings.books, before.session_id, postings.now)
            amount = counted(postings.places[before.place_id], sums_of(after).less(sums_of(before)))
            cause = settling.cause_for(before.session_id, before.place_id, amount)
            postings.correct(before, after, EntryKind.CORRECT, cause, "a report that says more")
            if after.disputed and not before.disputed and usage_id not in noted:
                note_disagreement(postings.books, after, whole.told, postings.now)


def _brought_up(before: UsageRow, whole: Said, price: Pricer) -> UsageRow:
    """The row as what is told of it says. Another model does not make it cheaper, nor its known price unknown: that is a disagreement."""
    after = priced(_with(before, whole), price)
    if whole.model == before.model or before.cost_state is CostState.UNKNOWN:
        return after
    kept = priced(_with(before, whole._replace(model=before.model, disputed=True)), price)
    cheaper = after.cost < kept.cost and model_family(after.model) != model_family(before.model)
    return kept if cheaper or after.cost_state is CostState.UNKNOWN else after


def _note_refused(books: Books, refused: Mapping[int, Said], by: str, now: datetime) -> None:
    """Usages stay as they are where a report may not change them; one that would have changed what is counted is a disagreement."""
    for usage_id, row in books.usages(sorted(refused)).items() if refused else ():
        was = said_by(row._replace(evidence_id=None), {})
        whole = joined(was, refused[usage_id])
        if whole.disputed or whole.counted != was.counted:
            note_refused_report(books, row, refused[usage_id].told, now, by)


def _note_evidence(books: Books, session_id: str, now: datetime) -> None:
    """A source tells of a call of this session, which was known already, where it was made: where it belongs is decided again."""
    ask_again(books, session_id, now)
    whose = books.session(session_id)
    if whose is not None and not whose.has_evidence:
        books.change_session(replace(whose, has_evidence=True))


def _others(books: Books, session: SessionRow, stored: dict[int, UsageRow]) -> Iterator[SessionRow]:
    """Other sessions whose calls this report changed, or that reported such a call too."""
    changed = {row.session_id for row in stored.values()}
    for session_id in sorted((changed | books.witnesses(stored) if stored else changed) - {session.id}):
        other = books.session(session_id)
        if other is not None:
            yield other


def _with(row: UsageRow, said: Said) -> UsageRow:
    after = row._replace(
        tokens=said.tokens,
        cache_split_known=said.cache_split_known,
        web_searches=said.web_searches,
        tool_calls=said.tool_calls,
        model=said.model,
        occurred_at=said.occurred_at,
    )
    return with_told(after, said.told, disputed=said.disputed, outdone=said.outdone)


def _with_totals(session: SessionRow, postings: Postings) -> SessionRow:
    change = postings.session_change(session.id)
    return replace(
        session,
        spent=session.spent + change.spent,
        notional=session.notional + change.notional,
        unknown_usages=session.unknown_usages + change.unknown_usages,
        iterations=session.iterations + change.iterations,
        tool_calls=session.tool_calls + change.tool_calls,
    )
