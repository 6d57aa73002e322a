"""Resume a session that has ended: asked about like a start, under its own token, with its totals carried over."""

from __future__ import annotations

from app.api.problems import ApiError, no_such_session
from app.api.shown import job_log
from app.api.start import standing_findings
from app.identity.session_token import SessionClaim, sign
from app.ledger.books import SessionRow
from app.ledger.resume import Circumstances, may_resume, resume
from app.ledger.session_events import take_events
from app.registry import OUTSIDE, Repository, Transaction
from app.world import World
from tabstop.governor.orders import EventKind
from tabstop.session import Limits
from tabstop.session_standing import PAUSED
from tabstop.verdict import Outcome, Verdict
from tabstop.visibility import verdict_for
from tabstop.wire import ResumeAnswer, ResumeRequest, SessionEvent
from tabstop.wire_json import from_json


def resume_session(world: World, claim: SessionClaim, asked: ResumeRequest) -> ResumeAnswer:
    """Let it go on, or say why not: an answer without limits is a refusal. Raises `ApiError`.

    A session that runs keeps what it has, unless an operator paused it; asking again changes nothing.
    """
    now = world.now()
    with world.store.open(claim.organization_id) as books:
        session = books.session(claim.session_id)
        if session is None:
            raise no_such_session()
        refuse_unadmitted(session)
        if asked.released_at is not None:
            take_events(books, session, [SessionEvent(EventKind.RELEASE, asked.released_at)], now)
        about, repository = circumstances(books, session)
        verdict = Verdict((PAUSED,)) if session.paused_at is not None else Verdict()
        if session.ended_at is not None:
            found = may_resume(books, session, about, now)
            verdict = verdict_for(found.admission.verdict, job_log(repository, about.policy))
            if found.admission.admitted:
                session = resume(books, session, found, now)
    if verdict.outcome is Outcome.STOP:
        return ResumeAnswer(verdict)
    token = sign(world.settings.secret_key, claim, session.lease_until)
    return ResumeAnswer(verdict, from_json(Limits, session.limits), token, session.lease_until)


def circumstances(books: Transaction, session: SessionRow) -> tuple[Circumstances, Repository]:
    """What a session's resumption is decided on, besides its row and its budgets. Raises `ApiError`."""
    repository = OUTSIDE if session.repository_id == OUTSIDE.id else books.repository(session.repository_id)
    organization = books.organization()
    if repository is None or not repository.active or not organization.active:
        raise ApiError(
            403,
            "Tabstop no longer covers this session's repository.",
            "The App was uninstalled or suspended, or the repository is not among those it was given any more.",
            "Install it again, then resume the session.",
        )
    engineer = books.engineer(session.engineer_id) if session.engineer_id is not None else None
    tab = books.tab(session.tab_id) if session.tab_id is not None else None
    in_force = books.policy_in_force(repository.id)
    about = Circumstances(
        policy=in_force.policy,
        login=engineer.login if engineer else "",
        branch=tab.branch if tab else "",
        repository_name=repository.full_name,
        others=standing_findings(organization, in_force),
    )
    return about, repository


def refuse_unadmitted(session: SessionRow) -> None:
    """A session told of after the fact was never admitted: it has no limits and no hold. Raises `ApiError`."""
    if session.unadmitted:
        raise ApiError(
            409,
            "This session was never admitted.",
            "It was told of after the fact, so nothing bounds it here that could be raised or resumed.",
            "Ask for a session of its own.",
        )
