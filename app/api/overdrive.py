"""Overdrive of one session: an approver raises its limits; one that had ended takes a hold again, or is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.api.people import checked
from app.api.problems import ApiError, no_such_session, unverifiable
from app.api.resume import circumstances, refuse_unadmitted
from app.github_api.protocol import GitHubError
from app.ledger.books import SessionOverdrive, SessionRow
from app.ledger.resume import may_resume, resume, use_of
from app.ledger.session_overdrives import grant, raised_by
from app.registry import Engineer, EngineerKind, EngineerToken, Organization, Transaction
from app.world import World
from tabstop.explain import approvers_in_words
from tabstop.policy.model import Policy
from tabstop.session import Limits
from tabstop.session_standing import session_stands
from tabstop.verdict import Verdict
from tabstop.visibility import Reader, Surface, verdict_for
from tabstop.wire import OverdriveAnswer, OverdriveRequest
from tabstop.wire_json import from_json, to_json

USUAL_SECONDS = 24 * 3_600
"""How long a raise lasts where nobody says."""

SHORTEST_SECONDS, LONGEST_SECONDS = 60, 35 * 24 * 3_600
"""As long as a session may still be resumed."""

MOST = 1_000_000_000_000_000
"""Of any limit at once; in nano-dollars a million dollars."""


@dataclass(frozen=True, slots=True)
class Approver:
    """Who raises. login: or `operator`, who needs no policy's word."""

    login: str
    engineer_id: int | None = None


def raise_session(
    world: World, token: EngineerToken, session_id: str, key: str, asked: OverdriveRequest
) -> OverdriveAnswer:
    """Grant it, once per key; an answer without an overdrive is a refusal. Raises `ApiError`, above all for who may not."""
    check_request(asked)
    with world.store.look(token.organization_id) as books:
        session = books.session(session_id)
        engineer = books.engineer(token.engineer_id)
        if session is None or engineer is None:
            raise no_such_session()
        policy, organization = books.policy_in_force(session.repository_id).policy, books.organization()
    _must_approve(world, organization, engineer, policy)
    with world.store.open(token.organization_id) as books:
        by = Approver(engineer.login, engineer.id)
        return granted(books, session_id, f"engineer {engineer.id}:{key}", asked, by, world.now())


def granted(
    books: Transaction, session_id: str, key: str, asked: OverdriveRequest, by: Approver, now: datetime
) -> OverdriveAnswer:
    """The raise within a transaction, by somebody who may; an answer without an overdrive is a refusal. Raises `ApiError`."""
    session = books.session(session_id)
    if session is None:
        raise no_such_session()
    refuse_unadmitted(session)
    before = next((one for one in books.session_overdrives(session_id) if one.key == key), None)
    if before is not None:
        return _answer(session, before, session_stands(use_of(session, now), session.limits))
    _must_bind(session, asked.by_how_much)
    verdict = Verdict()
    about, _ = circumstances(books, session)
    raised = replace(session, limits=raised_by(session.limits, asked.by_how_much))
    found = may_resume(books, raised, about, now) if session.ended_at is not None else None
    if found is not None:
        verdict = verdict_for(found.admission.verdict, Reader(Surface.APPROVER))
        if not found.admission.admitted:
            return OverdriveAnswer(verdict)
    lasts = asked.lasts_seconds if asked.lasts_seconds is not None else USUAL_SECONDS
    overdrive = SessionOverdrive(
        books.new_id(), session.id, key, asked.by_how_much, now, now + timedelta(seconds=lasts), by.login, asked.why
    )
    session = grant(books, session, overdrive, by.engineer_id)
    if found is not None:
        session = resume(books, session, found, now)
    else:
        verdict = session_stands(use_of(session, now), session.limits)
    return _answer(session, overdrive, verdict)


def check_request(asked: OverdriveRequest) -> None:
    """Raise `ApiError` for a request that could not mean anything sensible."""
    problems = []
    amounts: dict[str, int | None] = to_json(asked.by_how_much)
    if not any(amounts.values()):
        problems.append("by_how_much: names no limit; give at least one of " + ", ".join(amounts))
    problems += [
        f"by_how_much.{name}: found {amount}, expected 0 to {MOST:,}"
        for name, amount in amounts.items()
        if amount is not None and not 0 <= amount <= MOST
    ]
    if not 1 <= len(asked.why.strip()) <= 500:
        problems.append("why: expected 1 to 500 characters")
    if asked.lasts_seconds is not None and not SHORTEST_SECONDS <= asked.lasts_seconds <= LONGEST_SECONDS:
        problems.append(
            f"lasts_seconds: found {asked.lasts_seconds}, expected {SHORTEST_SECONDS} to {LONGEST_SECONDS:,}"
        )
    if problems:
        raise ApiError(400, "The overdrive is not valid.", "; ".join(problems), "Nothing was raised.")


def may_approve(world: World, organization: Organization, engineer: Engineer, policy: Policy) -> bool:
    """Whether the organization's policy names this engineer, or a team of theirs. Raises `GitHubError`."""
    names = {name.casefold() for name in policy.approvers if not name.startswith("team:")}
    if engineer.login.casefold() in names:
        return True
    teams = [name.removeprefix("team:") for name in policy.approvers if name.startswith("team:")]
    if not teams or organization.installation_id is None:
        return False
    github = world.github.installation(organization.installation_id)
    return any(github.in_team(organization.login, team, engineer.login) for team in teams)


def _must_approve(world: World, organization: Organization, engineer: Engineer, policy: Policy) -> None:
    if organization.installation_id is not None:
        github = world.github.installation(organization.installation_id)
        engineer = checked(engineer, engineer.github_id, engineer.login, organization, github, world.now())
    try:
        approves = engineer.kind is EngineerKind.MEMBER and may_approve(world, organization, engineer, policy)
    except GitHubError as error:
        raise unverifiable(str(error)) from error
    if approves:
        return
    who = approvers_in_words(policy.approvers) if policy.approvers else "whoever operates the server"
    raise ApiError(
        403,
        "You may not raise this session's limits.",
        "The organization's policy says who may (`approvers` in its `.github/tabstop.yml`)."
        if policy.approvers
        else "The organization's policy names no approvers.",
        f"Ask {who}; an operator's command is `python -m app.cli overdrive grant --session ID`.",
    )


def _must_bind(session: SessionRow, by_how_much: Limits) -> None:
    amounts: dict[str, int | None] = to_json(by_how_much)
    unbound = [name for name, amount in amounts.items() if amount and session.limits.get(name) is None]
    if unbound:
        raise ApiError(
            400,
            f"This session has no limit of {', '.join(unbound)}.",
            f"It is bound by: {', '.join(n for n, limit in session.limits.items() if limit is not None) or 'nothing'}.",
            "Raise one of those; nothing was raised now.",
        )


def _answer(session: SessionRow, overdrive: SessionOverdrive, verdict: Verdict) -> OverdriveAnswer:
    limits = from_json(Limits, session.limits)
    return OverdriveAnswer(verdict, overdrive.id, limits, overdrive.expires_at, session.ended_at is None)
