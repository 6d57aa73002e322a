"""`session`: a running session paused and let go on, and given more than its limits (`overdrive grant --session`)."""

from __future__ import annotations

from uuid import uuid4

import click

from app.api.overdrive import Approver, check_request, granted
from app.api.problems import ApiError
from app.cli.columns import minute
from app.cli.opening import Opened, OperatorError, opened
from app.ledger.session_pause import go_on
from app.ledger.session_pause import pause as pause_session
from app.registry import Organization
from tabstop.event_words import limits_now, raised_by
from tabstop.explain import refusal
from tabstop.markdown import plain
from tabstop.session import Limits
from tabstop.wire import OverdriveAnswer, OverdriveRequest


@click.group()
def session() -> None:
    """Single sessions. More than its limits for one: `overdrive grant --session ID`."""


@session.command()
@click.argument("session_id", metavar="ID")
@click.option("--why", required=True, help="Shown in the audit log.")
def pause(session_id: str, why: str) -> None:
    """Have the session ID stop resumably at its next report, within a minute or so; it keeps its totals."""
    with opened() as here, here.store.open(organization_of(here, session_id).id) as books:
        found = books.session(session_id)
        done = found is not None and pause_session(books, found, why=why, now=here.now())
    if not done:
        click.echo(f"{session_id} is already paused.")
        return
    click.echo(
        f"{session_id} is paused: it is suspended when it reports next. `session resume {session_id}` ends the pause."
    )


@session.command()
@click.argument("session_id", metavar="ID")
@click.option("--why", default="", help="Shown in the audit log.")
def resume(session_id: str, why: str) -> None:
    """End the pause of the session ID: one that runs goes on by itself, one that ended may be resumed where it ran."""
    with opened() as here, here.store.open(organization_of(here, session_id).id) as books:
        found = books.session(session_id)
        done = found is not None and go_on(books, found, why=why, now=here.now())
    click.echo(f"{session_id} is not paused any more." if done else f"{session_id} is not paused.")


def raise_session(session_id: str, by_how_much: Limits, seconds: int | None, why: str, by: str) -> str:
    """Give a session more than its limits, as an operator; what the operator reads. Raises `OperatorError`."""
    asked = OverdriveRequest(by_how_much, why, seconds)
    try:
        check_request(asked)
        with opened() as here:
            with here.store.open(organization_of(here, session_id).id) as books:
                person = books.engineer_by_login(by)
                approver = Approver(person.login if person else by, person.id if person else None)
                key = f"operator:{uuid4().hex}"
                answer = granted(books, session_id, key, asked, approver, here.now())
            said = refusal(answer.verdict, here.now()) if not answer.overdrive else []
    except ApiError as error:
        problem = error.problem
        raise OperatorError(
            " ".join(part for part in (problem.title, problem.detail, problem.remedy) if part)
        ) from error
    if said:
        raise OperatorError("Not raised: the session ended and could not take a hold again.\n" + plain("\n".join(said)))
    return _raised(session_id, by_how_much, answer)


def _raised(session_id: str, by_how_much: Limits, answer: OverdriveAnswer) -> str:
    now = limits_now(by_how_much, answer.limits or Limits())
    return (
        f"Session {session_id} may use {raised_by(by_how_much)} more, until {minute(answer.expires_at)}. {now}\n"
        "If its agent runs it goes on at its next report; if not, its engineer resumes it."
    )


def organization_of(here: Opened, session_id: str) -> Organization:
    """The organization that has this session. Raises `OperatorError`."""
    for found in here.store.organizations():
        with here.store.look(found.id) as books:
            if books.session(session_id) is not None:
                return found
    raise OperatorError(f"There is no session {session_id}. The check of its pull request and the audit log name it.")
