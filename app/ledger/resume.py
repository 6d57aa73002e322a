"""Resume: a session that has ended goes on with its totals. It is asked about like a start, and takes a hold again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from app.ledger.books import AuditRow, Books, Job, SessionRow
from app.ledger.breakers import released, take_probe
from app.ledger.reached import Reached
from app.ledger.windows import current_place
from tabstop import breaker_words
from tabstop.admission import Admission, StartFacts, may_start
from tabstop.budget import Scope
from tabstop.policy.model import Policy, SessionLimits
from tabstop.session import lease_until
from tabstop.session_standing import PAUSED, SessionUse, session_stands
from tabstop.verdict import Finding, Outcome, Signal


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of a session besides its row. login: of its engineer. others: what stops or warns every start now."""

    policy: Policy
    login: str = ""
    branch: str = ""
    repository_name: str = ""
    others: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Resumption:
    """The answer, and where the session's usage goes from now on; `place_id` only when it is admitted."""

    admission: Admission
    place_id: int


def may_resume(books: Books, session: SessionRow, about: Circumstances, now: datetime) -> Resumption:
    """Whether there is room for what an ended session may still use. Its own limits, a pause and a breaker stop it too.

    A breaker that it tripped itself, and was released from since, takes it for its probe.
    """
    reached = Reached(books, now).reach([session.place_id])
    current = current_place(reached, replace(session, ended_at=None), about.policy, about.login)
    if current.place_id == session.place_id:
        reached.in_windows_of(session.place_id, now, about.policy, about.login)  # the caps as they are by now
    budgets = tuple(reached.budgets[b] for b in reached.places[current.place_id].budget_ids)
    needed, breaker = books.learned(session.repository_id, session.agent)
    named: dict[str, str] = {Scope.TAB: about.branch, Scope.ENGINEER: about.login, Scope.DOWNGRADE: about.login}
    others = [*about.others, *_own(session, now)]
    if about.policy.breaker.remember:
        others += breaker_words.at_start(
            breaker,
            agent=session.agent,
            repository=about.repository_name,
            approvers=about.policy.approvers,
            now=now,
            released=released(books, session, breaker),
        )
    admission = may_start(
        StartFacts(
            now=now,
            policy=replace(about.policy, session=_left(session), purposes=()),
            budgets=budgets,
            billing=session.billing,
            model=session.model,
            needed=needed,
            subjects={**named, Scope.GUEST: about.repository_name, Scope.REPOSITORY: about.repository_name},
            others=tuple(others),
        )
    )
    return Resumption(admission, current.place_id)


def resume(books: Books, session: SessionRow, found: Resumption, now: datetime) -> SessionRow:
    """Let an ended session go on, as `may_resume` found in this transaction that it may."""
    if session.ended_at is None:
        raise ValueError(f"{session.id} has not ended")
    turned = found.place_id != session.place_id
    stood = int((now - session.ended_at).total_seconds())
    resumed = replace(
        session,
        place_id=found.place_id,
        earlier_places=(*session.earlier_places, session.place_id) if turned else session.earlier_places,
        held=found.admission.hold,
        wanted=found.admission.hold,
        heard_at=now,
        lease_until=lease_until(now, session.limits.get("wall_clock_seconds")),
        ended_at=None,
        outcome=None,
        detail="",
        stood_seconds=session.stood_seconds + max(0, stood),
    )
    books.hold(found.admission.budgets, found.admission.hold)
    books.change_session(resumed)
    if any(finding.signal is Signal.BREAKER for finding in found.admission.verdict.findings):
        take_probe(books, resumed, now)
    body = {
        "after": session.outcome.value if session.outcome else "",
        "hold": {"nano": resumed.held.nano, "tokens": resumed.held.tokens},
    }
    books.audit(AuditRow("session.resumed", now, session.id, body, session.engineer_id))
    show_again(books, session)
    return resumed


def use_of(session: SessionRow, now: datetime) -> SessionUse:
    """What a session has used of its limits. Its wall clock stands still while it has ended."""
    ran = (session.ended_at or now) - session.admitted_at
    return SessionUse(
        tokens=session.spent.tokens,
        tool_calls=session.tool_calls,
        iterations=session.iterations,
        wall_clock_seconds=max(0, int(ran.total_seconds()) - session.stood_seconds),
        cost=session.spent.nano + session.notional,
    )


def show_again(books: Books, session: SessionRow) -> None:
    """The check of its tab says how it stands now."""
    if session.tab_id is not None:
        books.enqueue(Job("refresh_tab", str(session.tab_id), {"tab": session.tab_id}))


def _own(session: SessionRow, now: datetime) -> list[Finding]:
    """What of its own stops it. Its wall clock is left to its governor, who knows when the agent ran."""
    stands = session_stands(use_of(session, now), session.limits)
    own = [f for f in stands.findings if f.outcome is Outcome.STOP and f.scope != "wall_clock_seconds"]
    told = [replace(f, remedy=f"`tabstop overdrive {session.id}` asks for more.") for f in own]
    return [*told, *([PAUSED] if session.paused_at is not None else [])]


def _left(session: SessionRow) -> SessionLimits:
    """What it may still spend: the most that is worth setting aside."""
    cost, tokens = session.limits.get("cost"), session.limits.get("tokens")
    return SessionLimits(
        tokens=None if tokens is None else max(0, tokens - session.spent.tokens),
        cost=None if cost is None else max(0, cost - session.spent.nano - session.notional),
    )
