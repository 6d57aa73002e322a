"""Ask for a session: who asks and where is found out first, then one transaction decides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.api.card_models import card_models
from app.api.origin import origin_of
from app.api.people import checked, draws_on, engineer_of, same_person
from app.api.problems import ApiError, not_covered, not_installed, token_reused, unverifiable
from app.api.shown import job_log, own_terminal
from app.api.whereabouts import Whereabouts
from app.github_api.protocol import GitHubError
from app.identity.names import Names
from app.identity.oidc import RunnerClaims
from app.identity.session_token import SessionClaim, sign
from app.ledger.admit import Start, TokenReusedError, admit, allowance, ask
from app.ledger.books import SessionRow, StartAttempt, Tab
from app.ledger.known import is_default
from app.ledger.unadmitted import TOLD_LATE, take_in
from app.registry import OUTSIDE, Engineer, EngineerToken, InForce, Organization, PullRequest, Repository, Transaction
from app.world import World
from tabstop.admission import Admission
from tabstop.attribution import Confidence
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tabstop.visibility import Reader, verdict_for
from tabstop.wire import StartAnswer, StartRequest

LONGEST_TEXT = 255
"""Characters of any text in a start: a branch name is the longest that is sensible."""

TO_TELL_LATE = timedelta(hours=1)
"""How long, at the least, a token is good with which a session is told of after the fact."""


@dataclass(frozen=True, slots=True)
class Asker:
    """A verified asker with everything known before the decision, and who reads the answer. A laptop has no run.

    repository: `OUTSIDE` for an engineer's work in none of the organization's.
    engineer: None only for a late report of a run whose starter is not known. engineer_by: how they are known, where the
    run itself does not say so.
    key_of: whose idempotency keys these are: a repository's (what one run could not deliver, another brings in under the
    same key), or an engineer's. The answer to a key holds a session's token, so elsewhere the same key is another key.
    """

    organization: Organization
    repository: Repository
    engineer: Engineer | None
    where: Whereabouts
    in_force: InForce
    reader: Reader
    token_id: str
    key_of: str
    run_id: str = ""
    run_attempt: str = ""
    job_id: str = ""
    sha: str = ""
    engineer_by: str = ""


def start_session(world: World, asker: Asker, key: str, asked: StartRequest) -> StartAttempt:
    """Answer a start: status 201 or 403 with the wire's `StartAnswer`. Raises `ApiError` for everything else."""
    now = world.now()
    start = _start(world, asker, key, asked)
    models = card_models(asked, asker.in_force.policy, world.models_of(asked.agent))
    card = world.price_card(models, now, asker.in_force.policy.prices)

    page = pull_request_page(world, asker.repository, asker.where.pull_request)

    def answer_of(admission: Admission, session: SessionRow | None) -> StartAnswer:
        verdict = verdict_for(admission.verdict, asker.reader)
        if session is None:
            return StartAnswer(verdict, page=page)
        allowed = allowance(admission, start, card)
        away = asker.in_force.policy.unreachable.value
        return StartAnswer(verdict, session.id, "", allowed, session.lease_until, page, away)

    def answer_late(session: SessionRow) -> StartAnswer:
        return StartAnswer(TOLD_LATE, session.id, "", None, session.lease_until, page)

    with world.store.open(asker.organization.id) as books:
        start = _with_engineer(books, start, asker)
        try:
            if asked.unadmitted_since is not None:
                tab = _tab_of_pull_request(books, start)
                attempt = take_in(books, start, asked.unadmitted_since, now, answer_late, tab)
            else:
                attempt = admit(books, start, now, answer_of)
        except TokenReusedError as error:
            raise token_reused() from error
        if asked.thread and attempt.session_id and start.engineer_id is not None and not start.run_id:
            books.keep_thread(start.engineer_id, asked.agent, asked.thread, attempt.session_id)
    # What is told late may be told long after the session's lease.
    at_least = now + TO_TELL_LATE if asked.unadmitted_since is not None else now
    return _with_token(world, asker.organization.id, attempt, at_least)


def _with_token(world: World, organization_id: int, attempt: StartAttempt, at_least: datetime) -> StartAttempt:
    """The answer with its session's token, which is signed for every answer and never stored."""
    if not attempt.session_id:
        return attempt
    lease_until = max(datetime.fromisoformat(attempt.answer["lease_until"]), at_least)
    token = sign(world.settings.secret_key, SessionClaim(organization_id, attempt.session_id), lease_until)
    return replace(attempt, answer={**attempt.answer, "token": token})


def would_start(world: World, asker: Asker, asked: StartRequest) -> Verdict:
    """The same decision, asked dry: nothing is set aside, nothing is kept."""
    now = world.now()
    start = _start(world, asker, "", asked)
    with world.store.look(asker.organization.id) as books:
        verdict = ask(books, _with_engineer(books, start, asker), now).verdict
    return verdict_for(verdict, asker.reader)


def runner(world: World, claims: RunnerClaims, asked: StartRequest) -> Asker:
    """A workflow job: what its token proves, and what GitHub's API confirms of its claims. Raises `ApiError`."""
    organization = world.store.organization_by_github_id(claims.owner_id)
    if organization is None or not organization.active or organization.installation_id is None:
        raise not_installed(claims.owner)
    github = world.github.installation(organization.installation_id)
    proven = claims.proven_pull_request
    known: PullRequest | None = None
    with world.store.look(organization.id) as books:
        repository = books.repository_by_github_id(claims.repository_id)
        if repository is None or not repository.active:
            raise not_covered(claims.repository)
        in_force = books.policy_in_force(repository.id)
        if proven is not None:
            known = books.pull_request(repository.id, proven)
    try:
        names = Names(in_force.policy, world.settings.github_url)
        origin = origin_of(claims, asked, repository, known, github, names)
    except GitHubError as error:
        raise unverifiable(str(error)) from error
    person = origin.person
    engineer = engineer_of(world, person.github_id, person.login, organization, github) if person is not None else None
    return Asker(
        organization,
        repository,
        engineer,
        origin.where,
        in_force,
        job_log(repository, in_force.policy),
        claims.token_id,
        f"repository {repository.id}",
        origin.run_id,
        origin.run_attempt,
        origin.job_id,
        origin.sha,
        person.why if person is not None else "",
    )


def laptop(world: World, token: EngineerToken, key: str, asked: StartRequest) -> Asker:
    """An engineer with their own token, who names repository and branch, or no repository. Raises `ApiError`."""
    with world.store.look(token.organization_id) as books:
        organization = books.organization()
        engineer = books.engineer(token.engineer_id)
        repository = books.repository_by_name(asked.repository) if asked.repository else OUTSIDE
        if engineer is None or repository is None or not repository.active:
            raise not_covered(asked.repository)
        in_force = books.policy_in_force(repository.id)
        where = _of_laptop(books, repository, asked.branch, world.now())
    if not organization.active or organization.installation_id is None:
        raise not_installed(organization.login)
    github = world.github.installation(organization.installation_id)
    engineer = checked(engineer, engineer.github_id, engineer.login, organization, github, world.now())
    names = Names(in_force.policy, world.settings.github_url)
    engineer = same_person(world, engineer, organization, github, names)
    token_id = f"engineer:{token.id}:{key}"
    reader = own_terminal(engineer)
    whose = f"engineer {engineer.id}"
    return Asker(organization, repository, engineer, where, in_force, reader, token_id, whose, sha=asked.head_sha)


def _of_laptop(books: Transaction, repository: Repository, branch: str, now: datetime) -> Whereabouts:
    if repository is OUTSIDE:
        reason = "the engineer's own token names no repository of the organization"
        return Whereabouts("", None, reason, Confidence.ENGINEER_ONLY)
    told = "named by the engineer's own token"
    if not branch or is_default(books, repository, branch, now):
        return Whereabouts("", None, told, Confidence.REPOSITORY_ONLY)
    if ":" in branch and books.tab_of_branch(repository.id, branch) is None:
        # A fork's, `owner:branch` (git allows no colon in a name): its owner's own affair until it has a pull request here.
        return Whereabouts("", None, f"{told}: a fork's branch without a pull request", Confidence.REPOSITORY_ONLY)
    return Whereabouts(branch, None, told, Confidence.CLAIMED)


def standing_findings(organization: Organization, in_force: InForce) -> tuple[Finding, ...]:
    """What is known before money is looked at: a pause, a policy that is not the newest one."""
    found = []
    if organization.paused:
        found.append(
            Finding(
                Signal.PAUSE,
                Outcome.STOP,
                "organization",
                sentence="An operator has paused new sessions for this organization.",
                remedy="Ask the people who run Tabstop; `python -m app.cli resume` ends the pause.",
            )
        )
    if in_force.problem:
        found.append(
            Finding(
                Signal.POLICY,
                Outcome.WARN,
                "policy",
                sentence=f"{in_force.problem[:1].upper()}{in_force.problem[1:]}.",
                remedy="Run `tabstop policy check .github/tabstop.yml`.",
            )
        )
    return tuple(found)


def pull_request_page(world: World, repository: Repository, number: int | None) -> str:
    """Where people read more: the pull request, or the repository; empty for neither."""
    if repository is OUTSIDE:
        return ""
    base = f"{world.settings.github_url.rstrip('/')}/{repository.full_name}"
    return f"{base}/pull/{number}" if number is not None else base


def _tab_of_pull_request(books: Transaction, start: Start) -> Tab | None:
    number = start.pull_request
    pull_request = books.pull_request(start.repository_id, number) if number is not None else None
    return books.tab(pull_request.tab_id) if pull_request is not None else None


def _with_engineer(books: Transaction, start: Start, asker: Asker) -> Start:
    return replace(start, engineer_id=books.save_engineer(asker.engineer).id) if asker.engineer is not None else start


def _start(world: World, asker: Asker, key: str, asked: StartRequest) -> Start:
    return Start(
        key=f"{asker.key_of}:{key}" if key else "",
        token_id=asker.token_id,
        session_id=world.new_session_id(),
        repository_id=asker.repository.id,
        branch=asker.where.branch,
        engineer_id=None,
        person=draws_on(asker.engineer),
        policy=asker.in_force.policy,
        policy_commit=asker.in_force.commit,
        agent=asked.agent,
        place_reason=asker.where.reason,
        place_confidence=asker.where.confidence,
        login=asker.engineer.login if asker.engineer is not None else "",
        model=asked.model,
        purpose=asked.purpose,
        billing=asked.billing,
        billing_evidence=asked.billing_evidence,
        head_sha=asked.head_sha or asker.sha,
        pull_request=asker.where.pull_request,
        run_id=asker.run_id,
        run_attempt=asker.run_attempt,
        job_id=asker.job_id,
        repository_name=asker.repository.full_name,
        others=standing_findings(asker.organization, asker.in_force),
        engineer_by=asker.engineer_by,
    )


def problem_without_key(key: str) -> None:
    """Raise when a start comes without an idempotency key of a sensible length."""
    if not 8 <= len(key) <= 200:
        raise ApiError(
            400,
            "The Idempotency-Key header is missing, or not 8 to 200 characters long.",
            "Without it a repeated request would start a second session.",
            "Send a fresh random key per start, and the same one when repeating it.",
        )


def problem_with_lengths(asked: StartRequest) -> None:
    """Raise when a text of a start is longer than anything it could name; they are kept and shown."""
    texts = {
        "run_id": asked.run_id,
        "run_attempt": asked.run_attempt,
        "agent": asked.agent,
        "repository": asked.repository,
        "branch": asked.branch,
        "head_sha": asked.head_sha,
        "model": asked.model,
        "purpose": asked.purpose,
        "billing_evidence": asked.billing_evidence,
        "thread": asked.thread,
    }
    long = [
        f"{name}: {len(text)} characters, at most {LONGEST_TEXT}"
        for name, text in texts.items()
        if len(text) > LONGEST_TEXT
    ]
    if long:
        raise ApiError(400, "The body is not what the contract says.", "; ".join(long))
