"""`unplaced`: what is on no pull request and no branch, session by session, and how each is put where it belongs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from app.cli.amounts import TIME
from app.cli.columns import minute
from app.cli.opening import Opened, OperatorError, opened, repository_named
from app.ledger.postings import Sums
from app.ledger.unplaced import UnplacedPart
from app.ledger.unplaced import unplaced as look
from app.registry import Organization, Transaction
from app.render.session_table import amounts
from tabstop.quantity import tokens as show_tokens

NOBODY = "nobody known"


@dataclass(frozen=True, slots=True)
class _Shown:
    """A session as people call its parts. repository, engineer: empty for none."""

    organization: str
    repository: str
    engineer: str
    part: UnplacedPart

    @property
    def command(self) -> str:
        """What puts it where it belongs, once NUMBER and WHY are filled in."""
        name = self.repository.partition("/")[2] or "REPOSITORY"
        return f"python -m app.cli assign {self.part.session.id} --unplaced --to {name}#NUMBER --why WHY"


@click.command()
@click.option("--repository", metavar="REPO", help="Only of this one.")
@click.option("--organization", "login", metavar="ORG", help="Only of this one.")
@click.option("--since", type=TIME, metavar="TIME", help="Only what was used from then on.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line; money in nano-dollars.")
def unplaced(repository: str | None, login: str | None, since: datetime | None, *, as_json: bool) -> None:
    """List spend that is on no pull request and no branch, and the command that puts it on one. TIME is 2026-11-21, in UTC."""
    found: list[_Shown] = []
    parts: list[tuple[str, Sums, Sums]] = []
    with opened() as here:
        for organization in _organizations(here, repository, login):
            with here.store.look(organization.id) as books:
                where = repository_named(books, organization, repository) if repository else None
                seen = look(books, since=since, repository_id=where.id if where else None)
                found += [_shown(books, organization, row) for row in seen.rows]
            parts.append((where.full_name if where else organization.login, seen.unplaced, seen.whole))
    if as_json:
        for one in found:
            click.echo(json.dumps(_as_json(one)))
        return
    for one in found:
        click.echo("\n".join([*_lines(one), ""]))
    for name, lies, whole in parts:
        click.echo(_total(name, lies, whole, since))


def _organizations(here: Opened, repository: str | None, login: str | None) -> list[Organization]:
    """A repository is one organization's: the one its full name or `--organization` says, or the only one there is."""
    if login is None and repository is not None and "/" in repository:
        login = repository.partition("/")[0]
    found = here.organizations(login)
    if repository is not None and len(found) > 1:
        raise OperatorError(
            f"There are several organizations. Write ORG/{repository}, or name one with --organization."
        )
    return found


def _shown(books: Transaction, organization: Organization, row: UnplacedPart) -> _Shown:
    repository = books.repository(row.repository_id) if row.repository_id is not None else None
    engineer = books.engineer(row.engineer_id) if row.engineer_id is not None else None
    name = repository.full_name if repository else ""
    return _Shown(organization.login, name, engineer.login if engineer else "", row)


def _lines(one: _Shown) -> Iterator[str]:
    row = one.part
    where = one.repository or "no repository"
    branches = f", on {', '.join(row.branches)}" if row.branches else ""
    yield f"{row.session.id}  {_amounts(row.sums)}  {one.engineer or NOBODY}  {where}{branches}  {minute(row.session.admitted_at)}"
    yield f"  {row.confidence}: {row.reason}" if row.reason else f"  {row.confidence}"
    yield f"  {one.command}"


def _total(name: str, lies: Sums, whole: Sums, since: datetime | None) -> str:
    back = f" since {minute(since)}" if since else ""
    if lies == Sums():
        return f"{name}{back}: nothing is unplaced; {_amounts(whole)} in all."
    return "\n".join(
        [
            f"{name}{back}: {_amounts(whole)} in all.",
            f"  On no pull request or branch: {_amounts(lies)}.",
            f"  On one: {_amounts(whole.less(lies))}.",
        ]
    )


def _amounts(sums: Sums) -> str:
    return f"{amounts(sums.nano, sums.notional, sums.unknown)}, {show_tokens(sums.tokens)} tokens"


def _as_json(one: _Shown) -> dict[str, Any]:
    row = one.part
    return {
        "session": row.session.id,
        "organization": one.organization,
        "repository": one.repository or None,
        "engineer": one.engineer or None,
        "branches": list(row.branches),
        "began_at": row.session.admitted_at.isoformat(),
        "nano_dollars": row.sums.nano,
        "notional_nano_dollars": row.sums.notional,
        "tokens": row.sums.tokens,
        "unpriced_calls": row.sums.unknown,
        "confidence": row.confidence,
        "reason": row.reason,
        "assign": one.command,
    }
