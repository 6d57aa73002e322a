"""Take telemetry: each call that clients' logs tell becomes usage of the session it belongs to, opened after the fact if need be.

Its session is the one that the engineer's hooks or uploads have named with the same thread, else one of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.api.evidence import commit_within
from app.api.people import checked, draws_on, same_person
from app.api.plausible import not_too_old, note_implausible, plausible, too_many_tokens
from app.api.problems import ApiError, not_installed
from app.api.report import MOST_CALLS
from app.identity.names import Names
from app.ledger.admit import Start
from app.ledger.books import SessionRow
from app.ledger.known import is_default
from app.ledger.record_usage import Recorded, Report, record_usage
from app.ledger.rows import NO_REPOSITORY
from app.ledger.unadmitted import TOLD_LATE, take_in
from app.registry import Engineer, EngineerToken, Organization, Repository, Transaction
from app.world import World
from tabstop.agents.claude_code.rows import RowError
from tabstop.agents.otlp import heard
from tabstop.agents.telemetry import Heard, LogRecord
from tabstop.attribution import Confidence
from tabstop.evidence import NOWHERE, CommitMade, Evidence
from tabstop.policy.model import Policy
from tabstop.session_key import session_key
from tabstop.usage import Usage
from tabstop.wire import StartAnswer


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a request. new, known: usages. rejected: records of calls that could not be read, and why."""

    new: int = 0
    known: int = 0
    rejected: int = 0
    why: str = ""


@dataclass(slots=True)
class ThreadHeard:
    """What a request tells of one client's session (the vendor's own id)."""

    agent: str
    thread: str
    usages: list[Usage] = field(default_factory=list)
    commits: list[CommitMade] = field(default_factory=list)

    @property
    def evidence(self) -> Evidence:
        """The first that its calls tell of where they were made."""
        return next((usage.evidence for usage in self.usages if usage.evidence.repository), NOWHERE)


def take_telemetry(world: World, token: EngineerToken, records: Sequence[LogRecord]) -> Taken:
    """Store what the records tell. Raises `ApiError`; sent again, in whole or in part, it changes nothing."""
    now = world.now()
    threads, rejected = _by_thread(world, records, now)
    if sum(len(one.usages) for one in threads) > MOST_CALLS:
        raise ApiError(413, "This is too much telemetry at once.", f"At most {MOST_CALLS} calls are taken.")
    organization, engineer = _who(world, token, now)
    new = known = 0
    for one in threads:
        recorded = _record(world, organization, engineer, one, now)
        new, known = new + recorded.new, known + recorded.known
    why = "; ".join(f"{reason} ({count})" for reason, count in sorted(rejected.items()))
    return Taken(new, known, rejected.total(), why[:1_000])


def _by_thread(world: World, records: Sequence[LogRecord], now: datetime) -> tuple[list[ThreadHeard], Counter[str]]:
    """What the records tell, by client's session, and why others could not be read."""
    threads: dict[tuple[str, str], ThreadHeard] = {}
    rejected: Counter[str] = Counter()
    for record, behind in zip(records, (*records[1:], None), strict=False):
        try:
            told = heard(record, behind)
        except RowError as error:
            rejected[str(error)] += 1
            continue
        if told is None:
            continue
        why = too_many_tokens(world, told.usage.model, told.usage.tokens) if told.usage else ""
        if why:
            rejected[why] += 1
        else:
            _add(threads.setdefault((told.agent, told.session), ThreadHeard(told.agent, told.session)), told, now)
    return list(threads.values()), rejected


def _add(thread: ThreadHeard, told: Heard, now: datetime) -> None:
    if told.usage is not None:
        thread.usages.append(replace(told.usage, occurred_at=not_too_old(told.usage.occurred_at, now)))
    if told.commit is not None:
        thread.commits.append(commit_within(told.commit, now))


def _who(world: World, token: EngineerToken, now: datetime) -> tuple[Organization, Engineer]:
    with world.store.look(token.organization_id) as books:
        organization, engineer = books.organization(), books.engineer(token.engineer_id)
        names = Names(books.policy_in_force(NO_REPOSITORY).policy, world.settings.github_url)
    if engineer is None or not organization.active or organization.installation_id is None:
        raise not_installed(organization.login)
    github = world.github.installation(organization.installation_id)
    engineer = checked(engineer, engineer.github_id, engineer.login, organization, github, now)
    return organization, same_person(world, engineer, organization, github, names)


def _record(
    world: World, organization: Organization, engineer: Engineer, heard_of: ThreadHeard, now: datetime
) -> Recorded:
    """One transaction: its session is found or opened, and its calls are charged. They are priced before it."""
    with world.store.look(organization.id) as books:
        prices = _policy(books, engineer, heard_of).prices
        found = plausible(world, _known(books, engineer, heard_of), heard_of.usages, now)
    costs = {usage: world.price(usage, prices) for usage in found.calls}
    with world.store.open(organization.id) as books:
        engineer = books.save_engineer(engineer)
        session = _known(books, engineer, heard_of) or _opened(world, books, engineer, heard_of, now)
        policy = books.policy_in_force(session.repository_id).policy
        report = Report(
            usages=found.calls,
            totals=(),
            policy=policy,
            price=lambda usage: costs.get(usage) or world.price(usage, policy.prices),
            login=engineer.login,
            commits=heard_of.commits,
        )
        recorded = record_usage(books, session, report, now)
        if recorded.new:  # sent again, it has been noted
            note_implausible(books, session, found, now)
        return recorded


def _policy(books: Transaction, engineer: Engineer, heard_of: ThreadHeard) -> Policy:
    session = _known(books, engineer, heard_of)
    if session is not None:
        return books.policy_in_force(session.repository_id).policy
    repository = _repository(books, heard_of.evidence)
    return books.policy_in_force(repository.id if repository else NO_REPOSITORY).policy


def _known(books: Transaction, engineer: Engineer, heard_of: ThreadHeard) -> SessionRow | None:
    """The session of this thread, if anybody told of it."""
    known = books.session_of_thread(engineer.id, heard_of.agent, heard_of.thread)
    return books.session(known) if known else None


def _opened(world: World, books: Transaction, engineer: Engineer, heard_of: ThreadHeard, now: datetime) -> SessionRow:
    """A new one, after the fact."""
    start = _start(world, books, engineer, heard_of)
    times = [usage.occurred_at for usage in heard_of.usages] + [made.at for made in heard_of.commits if made.at]
    attempt = take_in(books, start, min(times, default=now), now, _nobody_asked)
    session = books.session(attempt.session_id)
    if session is None:
        raise LookupError(f"session {attempt.session_id} is not in the books")
    books.keep_thread(engineer.id, heard_of.agent, heard_of.thread, session.id)
    return session


def _start(world: World, books: Transaction, engineer: Engineer, heard_of: ThreadHeard) -> Start:
    """A start as its engineer's own token would have asked for it, had anybody asked."""
    repository, branch = _repository(books, heard_of.evidence), heard_of.evidence.branch
    if repository is None or is_default(books, repository, branch, world.now()):
        branch = ""
    named = repository.full_name if repository else ""
    in_force = books.policy_in_force(repository.id if repository else NO_REPOSITORY)
    if repository is None:
        reason, confidence = "its telemetry names no repository of the organization", Confidence.ENGINEER_ONLY
    else:
        reason = "named by the telemetry of the engineer's own client"
        confidence = Confidence.CLAIMED if branch else Confidence.REPOSITORY_ONLY
    return Start(
        key=f"engineer {engineer.id}:{session_key(heard_of.agent, heard_of.thread, named)}",
        token_id="",
        session_id=world.new_session_id(),
        repository_id=repository.id if repository else NO_REPOSITORY,
        branch=branch,
        engineer_id=engineer.id,
        person=draws_on(engineer),
        policy=in_force.policy,
        policy_commit=in_force.commit,
        agent=heard_of.agent,
        place_reason=reason,
        place_confidence=confidence,
        login=engineer.login,
        head_sha=heard_of.evidence.commit,
        repository_name=named,
    )


def _repository(books: Transaction, evidence: Evidence) -> Repository | None:
    """The organization's repository that is named."""
    repository = books.repository_by_name(evidence.repository) if evidence.repository else None
    return repository if repository is not None and repository.active else None


def _nobody_asked(session: SessionRow) -> StartAnswer:
    return StartAnswer(TOLD_LATE, session.id, lease_until=session.lease_until)
