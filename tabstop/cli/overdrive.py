"""`tabstop overdrive` and `tabstop release`: a person lets a session have more, or go on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from uuid import uuid4

import click

from tabstop.beside.control import NotHeardError, Told, tell, who
from tabstop.beside.credentials import Credentials
from tabstop.beside.fork import owner_of
from tabstop.beside.server import NotAcceptedError, Server, ServerError
from tabstop.beside.server_access import ServerAccess
from tabstop.beside.session_folder import NoSessionError, Record, SessionFolder, find, sessions_root
from tabstop.beside.session_view import view
from tabstop.beside.transport import UrllibTransport
from tabstop.cli import amounts
from tabstop.cli.session_report import after_raise, after_raise_elsewhere, after_release
from tabstop.governor.facts import Raised, Released, ServerSaid
from tabstop.governor.limits import UNITS, option
from tabstop.money import show_exact
from tabstop.session import Limits
from tabstop.wire import OverdriveAnswer, OverdriveRequest

_AT_THE_SERVER = "ses_"
"""How the server's own ids of sessions begin."""


class NotDone(click.ClickException):
    """Nothing was changed."""


@click.command()
@click.argument("session", metavar="SESSION")
@click.argument("dollars", type=amounts.DOLLARS, required=False, metavar="[DOLLARS]")
@click.option("--tokens", type=amounts.TOKENS, metavar="TOKENS", help="So many tokens more.")
@click.option("--iterations", type=amounts.COUNT, metavar="NUMBER", help="So many model calls more.")
@click.option("--tool-calls", type=amounts.COUNT, metavar="NUMBER", help="So many tool calls more.")
@click.option("--wall-clock", type=amounts.DURATION, metavar="TIME", help="So much longer.")
@click.option("--why", default="", metavar="TEXT", help="The reason, for the audit log.")
def overdrive(
    session: str,
    dollars: int | None,
    tokens: int | None,
    iterations: int | None,
    tool_calls: int | None,
    wall_clock: int | None,
    why: str,
) -> None:
    """Let SESSION have more than its limits: `tabstop overdrive claude-1a2b '$5'` (quote the dollar sign, or leave it away).

    What it used so far stays counted. A session that a server admitted is raised there, by an approver's own token in TABSTOP_TOKEN;
    from any machine, by the server's id of it: `tabstop overdrive ses_1a2b '$5' --why 'the reason'`. A login raises nothing.
    """
    more = Limits(tokens, tool_calls, iterations, wall_clock, dollars)
    if all(getattr(more, one.name) is None for one in fields(Limits)):
        raise click.UsageError(
            "Say how much more: `tabstop overdrive SESSION '$5'`, or --tokens, --iterations, --tool-calls, --wall-clock."
        )
    if session.startswith(_AT_THE_SERVER) and not _is_here(session):
        for line in after_raise_elsewhere(session, _ask_server(_elsewhere(session, os.environ), more, why)):
            click.echo(line)
        return
    folder, record = _found(session)
    _must_bind(folder, more)
    if record.server_session:
        answer = _ask_server(_admitted(record, os.environ), more, why)
        _tell(folder, ServerSaid(_now(), answer.verdict, limits=answer.limits and record.binding(answer.limits)))
        more = Limits()  # the server's limits hold the raise already; this lifts the stop
    told = _tell(folder, Raised(_now(), more, who(os.environ), why))
    for line in after_raise(view(folder), told):
        click.echo(line)


@click.command()
@click.argument("session", metavar="SESSION")
def release(session: str) -> None:
    """Let SESSION go on after its breaker opened, a tool kept failing or it was paused. Limits stay as they are."""
    folder, _ = _found(session)
    told = _tell(folder, Released(_now(), who(os.environ)))
    for line in after_release(view(folder), told):
        click.echo(line)


def _found(name: str) -> tuple[SessionFolder, Record]:
    try:
        folder = find(sessions_root(os.environ), name)
        return folder, folder.record()
    except NoSessionError as error:
        raise NotDone(f"{error}. `tabstop sessions` lists them; nothing was changed.") from error


def _is_here(name: str) -> bool:
    try:
        find(sessions_root(os.environ), name)
    except NoSessionError:
        return False
    return True


def _must_bind(folder: SessionFolder, more: Limits) -> None:
    """More of a limit the session does not have would change nothing, and look as if it did."""
    limits = view(folder).limits
    names = {"cost": "cost", "wall_clock_seconds": "wall clock", "tool_calls": "tool calls"}
    unbound = [
        names.get(one.name, one.name)
        for one in fields(Limits)
        if getattr(more, one.name) is not None and getattr(limits, one.name) is None
    ]
    if unbound:
        raise NotDone(f"This session has no limit of {', '.join(unbound)}; nothing was changed.")


def _tell(folder: SessionFolder, fact: Raised | Released | ServerSaid) -> Told:
    try:
        return tell(folder, fact, _now)
    except NotHeardError as error:
        raise NotDone(f"Nothing was changed: {error}") from error
    except OSError as error:
        raise NotDone(f"Nothing was changed: the session cannot be written ({error.strerror}).") from error


@dataclass(frozen=True, slots=True)
class _Admitted:
    """A session that a server admitted. session: its id there. token: of whoever asks; empty for nobody."""

    server: str
    session: str
    token: str = field(repr=False)


def _ask_server(of: _Admitted, more: Limits, why: str, sleep: Callable[[float], None] = time.sleep) -> OverdriveAnswer:
    if not of.token:
        raise NotDone(
            f"This session was admitted by {of.server}, so an approver raises it there, and no token says who you are. "
            f"{_whom_to_ask(of, more)} Nothing was changed."
        )
    if not why.strip():
        raise NotDone("The audit log keeps why: add --why 'the reason'. Nothing was changed.")
    server = Server(of.server, UrllibTransport(), sleep)
    try:
        answer = server.overdrive(of.session, OverdriveRequest(more, why), token=of.token, key=uuid4().hex)
    except NotAcceptedError as error:
        problem = error.problem
        remedy = problem.remedy or (_whom_to_ask(of, more) if error.status in {401, 403} else "")
        said = " ".join(one for one in (problem.title, problem.detail, remedy) if one)
        raise NotDone(f"The server did not raise it: {said}") from error
    except ServerError as error:
        raise NotDone(f"{of.server} could not be asked: {error}. Try again later; nothing was changed.") from error
    if answer.limits is None:
        said = " ".join(one.sentence for one in answer.verdict.reasons if one.sentence)
        raise NotDone(f"The server did not raise it: {said or 'a budget above this session has no room.'}")
    return answer


def _admitted(record: Record, environ: Mapping[str, str]) -> _Admitted:
    """With the environment's token, else that of the login at the session's server."""
    given = environ.get("TABSTOP_TOKEN", "").strip()
    owner = owner_of(record.start.repository)
    login = None if given else Credentials.from_environ(environ).find(record.server, owner)
    return _Admitted(record.server, record.server_session, login.token if login else given)


def _elsewhere(session: str, environ: Mapping[str, str]) -> _Admitted:
    """One that runs on another machine, at the server that the environment or a login names."""
    access = ServerAccess.from_environ(environ)
    if access is None:
        raise NotDone(
            f"There is no session {session} on this machine. To raise one that runs elsewhere, set TABSTOP_SERVER, and "
            "TABSTOP_TOKEN to an approver's own token with the scope `approve`. Nothing was changed."
        )
    if access.problem:
        raise NotDone(f"{access.problem}. Nothing was changed.")
    return _Admitted(access.address, session, access.token)


def _whom_to_ask(of: _Admitted, more: Limits) -> str:
    return (
        "A login raises no limits: an agent on the same machine could use it. An approver can, on a machine of their own, with "
        f"TABSTOP_SERVER={of.server} and, in TABSTOP_TOKEN, a token of theirs with the scope `approve`: "
        f"`tabstop overdrive {of.session} {_options(more, '')} --why 'the reason'`. So can an operator, at the server: "
        f"`python -m app.cli overdrive grant --session {of.session} {_options(more, '--amount ')} --why 'the reason'`."
    )


def _options(more: Limits, dollars: str) -> str:
    """As they are typed. dollars: what stands before an amount of them."""
    cost = [f"{dollars}'{show_exact(more.cost)}'"] if more.cost is not None else []
    given = ((name, getattr(more, name)) for name in UNITS if name != "cost")
    return " ".join([*cost, *(option(name, count) for name, count in given if count is not None)])


def _now() -> datetime:
    return datetime.now(UTC)
