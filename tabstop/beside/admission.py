"""Admission without a gate: a session that begins on a laptop, or in a program, asks the server itself where one is configured.

    asked = ask(record, tighten, os.environ, now)  # as it was where nobody is logged in and nothing is set
    folder.write_record(asked.record)              # from here on `reporter_for` reports it

A session that a gate asked for is never asked about again, nor is what runs inside another session. Who is logged in is asked
about their organization's repositories only: what they do elsewhere is nobody's business.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tabstop.beside.checkout import checkout_of, repositories_of
from tabstop.beside.credentials import Credentials, Login
from tabstop.beside.fork import Place, owner_of, place_of
from tabstop.beside.hook_records import policy_of
from tabstop.beside.late_reports import bring_along
from tabstop.beside.local_windows import local_start
from tabstop.beside.payer import StartedWith, payer_of
from tabstop.beside.server import NotAcceptedError, Server, ServerError, UnreachableError
from tabstop.beside.server_access import NO_SERVER, ServerAccess, server_named
from tabstop.beside.session_folder import Record
from tabstop.beside.spool import spool_root
from tabstop.beside.transport import Transport, UrllibTransport
from tabstop.evidence import Evidence
from tabstop.explain import explain, refusal
from tabstop.governor.settings import settings_of
from tabstop.policy.model import Unreachable
from tabstop.session import Limits
from tabstop.tightened import tightened
from tabstop.usage import Billing
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tabstop.wire import Allowance, StartRequest

LONGEST_PAUSE = 1.0
"""Seconds between two tries: somebody waits for the agent to start."""

_OFFLINE = f"To run without a server, set TABSTOP_SERVER={NO_SERVER}."
_HALF_SET = "TABSTOP_SERVER is set, TABSTOP_TOKEN is not, and nobody is logged in there: no server is asked."


class NotAdmittedError(Exception):
    """The session may not begin; the verdict says why, in sentences."""

    def __init__(self, verdict: Verdict, now: datetime, begun: Asked | None = None) -> None:
        """Keep the verdict; the text has all its reasons. begun: what holds of a session that has begun all the same."""
        self.verdict = worded(verdict, now)
        self.begun = begun
        super().__init__(" ".join(refusal(self.verdict, now)))


@dataclass(frozen=True, slots=True)
class Asked:
    """The record to go on with. said: what people should know, such as a budget that is nearly full; mostly empty."""

    record: Record
    said: str = ""


def ends_elsewhere(record: Record) -> bool:
    """Whether a gate asked for it, so that its settle step tells the server how it ended."""
    return bool(record.start.run_id)


def asks_itself(record: Record, environ: Mapping[str, str]) -> bool:
    """Whether it is neither admitted, nor a gate's, nor part of another session."""
    inside = environ.get("TABSTOP_SESSION", "") not in {"", record.id}
    return not (record.server_session or ends_elsewhere(record) or inside)


def ask(
    record: Record,
    tighten: Limits,
    environ: Mapping[str, str],
    now: datetime,
    *,
    block: bool = False,
    started: StartedWith | None = None,
    transport: Transport | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Asked:
    """Ask whether it may begin: the server, where one is configured, else what this machine knows of the vendor's windows.

    tighten: limits that a person or a program chose: what the server allows is tightened by them, never widened. block: do not
    begin where the server cannot be asked, as `server_unreachable: block` in the checked-out policy says too; else it goes on
    within the limits it has, and is reported later. started: what the agent was started with, where `environ` may be another session's:
    an API key that it does not show would be real dollars that do not count. Raises `NotAdmittedError`.
    """
    if not asks_itself(record, environ):
        return Asked(record)
    credentials = Credentials.from_environ(environ)
    access = ServerAccess.from_environ(environ, credentials=credentials)
    if access is None:
        return of_this_machine(_unconfigured(record, environ, credentials, now, block=block), environ, now, started)
    by = transport or UrllibTransport()

    def server_of(one: ServerAccess) -> Server:
        return Server(one.address, by, lambda seconds: sleep(min(seconds, LONGEST_PAUSE)))

    found = checkout_of(record.cwd)
    access = ServerAccess.from_environ(environ, found.repository, credentials) or access
    place = _place(record, access, found.repository, credentials.at(server_named(environ)), server_of)
    if place.is_fork:
        access = ServerAccess.from_environ(environ, place.told, credentials) or access
    if not access.speaks_for(place.told):
        return of_this_machine(Asked(record), environ, now, started)
    who_pays = _payer(record, environ, now, started)
    found = replace(found, repository=place.told, branch=place.branch(found.branch))
    start = _question(record, access, found, who_pays, now)
    key, fork, server = secrets.token_hex(16), place.own if place.is_fork else "", server_of(access)
    record = replace(record, server=access.address, start=start, key=key, fork=fork)
    try:
        answer = server.start(start, token=access.token, key=key)
    except NotAcceptedError as error:
        said = " ".join(part for part in (str(error), error.problem.detail, error.problem.remedy, _OFFLINE) if part)
        raise NotAdmittedError(_no(Signal.ACCESS, f"{access.address} did not take the question.", said), now) from error
    except UnreachableError as error:
        return of_this_machine(unanswered(record, error, now, block=block), environ, now, started)
    if not answer.session or answer.allowance is None:
        raise NotAdmittedError(answer.verdict, now)
    bring_along(spool_root(environ), server, access.token)
    bound = _bound(record, answer.allowance, tighten)
    admitted = replace(bound, server_session=answer.session, token=answer.token)
    return Asked(admitted, " ".join(explain(one, now) for one in answer.verdict.reasons))


def _unconfigured(
    record: Record, environ: Mapping[str, str], credentials: Credentials, now: datetime, *, block: bool
) -> Asked:
    """Nobody can be asked: nothing is set, half of it, or a login gives no token. Raises `NotAdmittedError` where that blocks."""
    server = server_named(environ)
    if server == NO_SERVER:
        return Asked(record)
    named = environ.get("TABSTOP_REPOSITORY", "").strip()
    problem = credentials.problem(server, lambda: owner_of(named or checkout_of(record.cwd).repository))
    if not problem:
        return Asked(record, _HALF_SET if server else "")
    said = f"No server can be asked: {problem}"
    remedy = "Unlock or mend it, or run `tabstop login` again."
    if block or blocks(record):
        raise blocked(said, remedy, now)
    return Asked(record, f"{said}. {remedy}")


def of_this_machine(asked: Asked, environ: Mapping[str, str], now: datetime, started: StartedWith | None) -> Asked:
    """Where no server says anything of the vendor's windows, by what was read here. Raises `NotAdmittedError`."""
    record = asked.record
    found = local_start(record, lambda: _payer(record, environ, now, started)[0], environ, now)
    if found.verdict.outcome is Outcome.STOP:
        raise NotAdmittedError(found.verdict, now, asked)
    said = " ".join([asked.said, *(explain(one, now) for one in found.verdict.reasons)]).strip()
    return Asked(replace(record, settings=replace(record.settings, limits=found.limits)), said)


def unanswered(record: Record, error: UnreachableError, now: datetime, *, block: bool = False) -> Asked:
    """It begins all the same. Raises `NotAdmittedError` where it may not."""
    said = f"{record.server} could not be asked ({error})"
    if block or blocks(record):
        raise blocked(said, "Try again later.", now) from error
    return Asked(record, f"{said}. The session keeps the limits it has and is reported later.")


def blocks(record: Record) -> bool:
    """Whether the checked-out policy wants no session that the server cannot be asked about."""
    return bool(record.cwd) and policy_of(Path(record.cwd)).policy.unreachable is Unreachable.BLOCK


def blocked(said: str, remedy: str, now: datetime) -> NotAdmittedError:
    """Why such a session may not begin. said: what came of asking, a sentence without its end. remedy: when to ask again."""
    sentence = f"{said}, and `server_unreachable: block` is set."
    return NotAdmittedError(_no(Signal.SILENCE, sentence, f"{remedy} {_OFFLINE}"), now)


def worded(verdict: Verdict, now: datetime) -> Verdict:
    """The same with sentences: a server sends numbers, and its reader finds the words."""
    return Verdict(
        tuple(
            replace(one, sentence=one.sentence or explain(replace(one, remedy="", why=""), now))
            for one in verdict.findings
        )
    )


def _payer(
    record: Record, environ: Mapping[str, str], now: datetime, started: StartedWith | None
) -> tuple[Billing, str]:
    """As the start states it, else as the agent's login tells."""
    if record.start.billing is not Billing.UNKNOWN:
        return record.start.billing, record.start.billing_evidence
    return payer_of(record.start.agent, record.cwd, environ, now, started)


def _place(
    record: Record,
    access: ServerAccess,
    own: str,
    logins: Iterable[Login],
    server_of: Callable[[ServerAccess], Server],
) -> Place:
    """Whose repository it is about. own: that of the clone; where its owner is nobody we speak for, the one it is a fork of.

    logins: those at the server.
    """
    if access.repository:
        return Place(access.repository, access.repository)
    if not own or access.problem or (access.organization and access.speaks_for(own)):
        return Place(own, own)
    names = repositories_of(record.cwd)
    if names == (own,):
        return Place(own, own)
    if access.organization:
        return place_of(names, {owner for one in logins for owner in one.owners}, own)
    try:  # only the server knows whose token the environment has
        return place_of(names, {server_of(access).who_am_i(token=access.token).organization.lower()}, own)
    except ServerError:
        return Place(own, own)


def _question(
    record: Record, access: ServerAccess, where: Evidence, who_pays: tuple[Billing, str], now: datetime
) -> StartRequest:
    """Who works where, and who pays. Raises `NotAdmittedError` for what cannot be asked so."""
    if access.problem:
        raise NotAdmittedError(_no(Signal.ACCESS, f"{access.problem}.", _OFFLINE), now)
    if not where.repository:
        raise NotAdmittedError(
            _no(
                Signal.ACCESS,
                f"The server has to know whose repository this is, and {record.cwd or 'this folder'} has no git remote `origin`.",
                f"Set TABSTOP_REPOSITORY to its `owner/name`. {_OFFLINE}",
            ),
            now,
        )
    billing, evidence = who_pays
    return replace(
        record.start,
        repository=where.repository,
        branch=where.branch,
        head_sha=where.commit,
        billing=billing,
        billing_evidence=evidence,
        thread=record.agent_session,
    )


def _bound(record: Record, allowance: Allowance, tighten: Limits) -> Record:
    """What binds it now: the server's limits, rules and prices."""
    mine = record.settings
    limits = tightened(allowance.limits, tighten)
    settings = settings_of(allowance.governor, limits, mine.session, ci=mine.ci, can_summarize=mine.can_summarize)
    return replace(record, settings=settings, admitted=allowance.limits, price_card=dict(allowance.price_card))


def _no(signal: Signal, sentence: str, remedy: str) -> Verdict:
    return Verdict((Finding(signal, Outcome.STOP, "server", sentence, remedy=remedy),))
