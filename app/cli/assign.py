"""`assign`, `split`, `unassign`: an operator says which tab, repository or engineer a session's calls belong to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import click

from app.cli.amounts import TIME
from app.cli.assign_target import Part, divided, parts, target
from app.cli.columns import columns, minute
from app.cli.opening import OperatorError, opened
from app.cli.session import organization_of
from app.ledger import assign as ledger
from app.ledger.assign import Done, Word
from app.ledger.books import SessionRow, UsageRow
from app.ledger.postings import sums_of, together
from app.registry import Organization, Transaction
from app.render.session_table import amounts
from tabstop.quantity import plural
from tabstop.quantity import tokens as show_tokens

_SESSION = click.argument("session_id", metavar="SESSION")
_WHY = click.option("--why", required=True, help="The reason; it stands in the ledger and in the audit log.")
_BY = click.option("--by", default="", metavar="LOGIN", help="Who decided it, if it is an engineer here.")
_LATER = "What it uses from now on lies where it is made."
_KEPT = "What it uses from now on goes where the session was assigned as a whole."


@click.command()
@_SESSION
@click.option("--to", "written", required=True, metavar="REPO#PR|REPO@BRANCH|REPO|engineer", help="Where it belongs.")
@_WHY
@_BY
@click.option("--calls-since", "since", type=TIME, metavar="TIME", help="Only calls made from then on.")
@click.option("--calls-until", "until", type=TIME, metavar="TIME", help="Only calls made before.")
@click.option("--unplaced", is_flag=True, help="Only calls that are on no pull request and no branch.")
def assign(
    session_id: str,
    *,
    written: str,
    why: str,
    by: str,
    since: datetime | None,
    until: datetime | None,
    unplaced: bool,
) -> None:
    """Put the calls of SESSION on another tab, on a repository alone, or on its engineer alone.

    Without times and --unplaced it is the session as a whole: what it uses later goes there too. TIME is
    2026-11-21T14:30, in UTC.
    """
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--calls-since has to be before --calls-until.")
    with _desk(session_id, why, by) as desk:
        to, called = target(desk.books, desk.organization, desk.session, written)
        rows = ledger.usages_to_place(desk.books, desk.session)
        chosen = ledger.chosen(desk.books, rows, since, until, unplaced=unplaced)
        whole = since is None and until is None and not unplaced
        if not whole and not chosen:
            raise OperatorError(_none_unplaced(session_id) if unplaced else _no_calls(session_id, rows))
        lasting = desk.session.assigned_place is not None
        done = ledger.assign(
            desk.books, desk.session, to, desk.word, desk.now, since=since, until=until, unplaced=unplaced
        )
    click.echo(_assigned(session_id, called, chosen, len(rows), done, whole=whole, lasting=lasting))


@click.command()
@_SESSION
@click.option(
    "--to", "written", required=True, multiple=True, metavar="TARGET=PART", help="A target and its part; twice or more."
)
@_WHY
@_BY
def split(session_id: str, *, written: Sequence[str], why: str, by: str) -> None:
    """Divide the calls of SESSION among several targets, each call in exactly one.

    TARGET is as in `assign`. PART is a share (60%), or branch:NAME, since:TIME, until:TIME, rest. Whole calls are
    moved, so a share is reached as nearly as they allow; the answer says how nearly.
    """
    with _desk(session_id, why, by) as desk:
        found = parts(desk.books, desk.organization, desk.session, written)
        rows = ledger.usages_to_place(desk.books, desk.session)
        if not rows:
            raise OperatorError(f"Session {session_id} has no calls to be split. `assign` says where later ones go.")
        lists = divided(desk.books, found, rows)
        wanted = {part.to: [row.id for row in its] for part, its in zip(found, lists, strict=True)}
        done = ledger.split(desk.books, desk.session, wanted, desk.word, desk.now)
    click.echo(_split(session_id, found, lists, rows, done))


@click.command()
@_SESSION
@_WHY
@_BY
def unassign(session_id: str, *, why: str, by: str) -> None:
    """Take back what `assign` and `split` did to SESSION: its calls lie where the evidence says."""
    with _desk(session_id, why, by) as desk:
        done = ledger.unassign(desk.books, desk.session, desk.word, desk.now)
    if not done.changed:
        click.echo(f"Nothing of session {session_id} was assigned by hand. Nothing was changed.")
        return
    click.echo(f"Session {session_id} goes by its own evidence again: {plural(done.moved, 'call')} moved.")


@dataclass(frozen=True, slots=True)
class _Desk:
    """One open transaction with the session that a command is about."""

    books: Transaction
    organization: Organization
    session: SessionRow
    word: Word
    now: datetime


@contextmanager
def _desk(session_id: str, why: str, by: str) -> Iterator[_Desk]:
    """Raises `OperatorError` for a session or a person nobody knows."""
    if not why.strip():
        raise click.UsageError("--why is empty. Say in a few words why.")
    with opened() as here:
        organization = organization_of(here, session_id)
        with here.store.open(organization.id) as books:
            session = books.session(session_id)
            if session is None:
                raise OperatorError(f"There is no session {session_id} any more.")
            engineer = books.engineer_by_login(by) if by else None
            if by and engineer is None:
                raise OperatorError(f"Tabstop has not met {by}. Leave --by out and name them in --why.")
            word = Word(why.strip(), engineer.id if engineer else None)
            yield _Desk(books, organization, session, word, here.now())


def _assigned(
    session_id: str, called: str, chosen: Sequence[UsageRow], of: int, done: Done, *, whole: bool, lasting: bool
) -> str:
    which = f"Session {session_id}" if whole else f"{len(chosen)} of {plural(of, 'call')} of session {session_id}"
    lies = "lies" if whole or len(chosen) == 1 else "lie"
    if not done.changed:
        return f"{which} {lies} on {called} by hand already. Nothing was changed."
    had = f"{_sums(chosen)}; {plural(done.moved, 'call')} moved" if chosen else "it has no calls yet"
    later = "What it uses from now on goes there too." if whole else _KEPT if lasting else _LATER
    return f"{which} {lies} on {called}: {had}.\n{later} `unassign {session_id}` takes it back."


def _split(
    session_id: str, found: Sequence[Part], lists: Sequence[list[UsageRow]], rows: Sequence[UsageRow], done: Done
) -> str:
    table = [
        (part.called, part.which, *_reached(its, rows), str(len(its)), _sums(its))
        for part, its in zip(found, lists, strict=True)
    ]
    said = (
        f"{plural(done.moved, 'call')} moved, each as a whole."
        if done.changed
        else "It was so already; nothing was changed."
    )
    return "\n".join(
        [
            f"Session {session_id} is split. {said}",
            columns(("to", "asked", "of dollars", "of tokens", "calls", "what"), table),
            f"Together {_sums(rows)}, as before.",
            f"{_LATER} `unassign {session_id}` takes it back.",
        ]
    )


def _reached(its: Sequence[UsageRow], rows: Sequence[UsageRow]) -> tuple[str, str]:
    """The shares of dollars and of tokens that these usages are: of real dollars where there are any, else of notional ones."""
    notional = all(row.billing.notional for row in rows if row.cost)
    return (
        _percent(*(sum(row.cost for row in some if row.billing.notional is notional) for some in (its, rows))),
        _percent(*(sum(row.tokens.total for row in some) for some in (its, rows))),
    )


def _percent(part: int, whole: int) -> str:
    return f"{part * 100 / whole:.1f}%" if whole else "-"


def _sums(rows: Sequence[UsageRow]) -> str:
    sums = together([sums_of(row) for row in rows]) if rows else None
    if sums is None:
        return "nothing"
    return f"{amounts(sums.nano, sums.notional, sums.unknown)}, {show_tokens(sums.tokens)} tokens"


def _none_unplaced(session_id: str) -> str:
    return (
        f"No such call of session {session_id} is unplaced: each is on a pull request or a branch. Nothing was changed."
    )


def _no_calls(session_id: str, rows: Sequence[UsageRow]) -> str:
    if not rows:
        return f"Session {session_id} has no calls. Without --calls-since and --calls-until it is assigned as a whole."
    first, last = min(row.occurred_at for row in rows), max(row.occurred_at for row in rows)
    return (
        f"Session {session_id} made no call in that time. Its {plural(len(rows), 'call')}: from {minute(first)} to "
        f"{minute(last)}. Nothing was changed."
    )
