"""`breaker`: which breakers are open, and closing one by hand."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click

from app.cli.columns import columns, minute
from app.cli.opening import Opened, OperatorError, opened, repository_named
from app.ledger import breakers
from app.registry import Organization, Transaction
from tabstop.breaker_memory import RememberedBreaker
from tabstop.breaker_words import measured
from tabstop.markdown import plain


@click.group()
def breaker() -> None:
    """Breakers of a repository and agent that tripped in a session and refuse the next ones."""


@breaker.command("list")
@click.option("--organization", "login", metavar="ORG", help="Only of this one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_breakers(login: str | None, as_json: bool) -> None:
    """List the breakers that are not closed: open until their cooldown ends, then half-open until a probe ends well."""
    with opened() as here:
        rows = [row for found in here.organizations(login) for row in _rows(here, found)]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
    elif not rows:
        click.echo("No breaker is open.")
    else:
        keys = ("repository", "agent", "state", "open_until", "probe", "tripped", "session", "why")
        headings = [key.replace("_", " ") for key in keys]
        click.echo(columns(headings, [[str(row[key]) for key in keys] for row in rows]))


@breaker.command()
@click.argument("repository")
@click.argument("agent")
@click.option("--organization", "login", metavar="ORG", help="Needed where REPOSITORY is not written with its owner.")
@click.option("--why", required=True, help="Shown in the audit log.")
@click.option("--by", default="", metavar="LOGIN", help="Who decided it.  [operator]")
def clear(repository: str, agent: str, login: str | None, why: str, by: str) -> None:
    """Close the breaker of AGENT in REPOSITORY: its next session starts as if nothing had tripped."""
    owner = login or repository.rpartition("/")[0]
    if not owner:
        raise click.UsageError("Write the repository with its owner: acme/web, or add --organization.")
    with opened() as here, here.store.open(here.organization(owner).id) as books:
        found = repository_named(books, books.organization(), repository)
        person = books.engineer_by_login(by) if by else None
        if by and person is None:
            raise OperatorError(f"Tabstop has not met {by}: no session of theirs was started or charged here.")
        cleared = breakers.clear(
            books, found.id, agent, why=why, now=here.now(), engineer_id=person.id if person else None
        )
        others = [of for (_, of), one in books.breakers(found.id).items() if one.trip is not None]
    if cleared is None or cleared.trip is None:
        there = f" Not closed there: {', '.join(others)}." if others else " `breaker list` shows those that are not."
        raise OperatorError(f"The breaker of {agent} in {found.full_name} is closed.{there}")
    click.echo(f"The breaker of {agent} in {found.full_name} is closed. It had tripped at {minute(cleared.trip.at)}.")


def _rows(here: Opened, organization: Organization) -> list[dict[str, Any]]:
    with here.store.look(organization.id) as books:
        return [
            _row(books, repository_id, agent, found, here.now())
            for (repository_id, agent), found in books.breakers().items()
            if found.trip is not None
        ]


def _row(books: Transaction, repository_id: int, agent: str, found: RememberedBreaker, now: datetime) -> dict[str, Any]:
    repository = books.repository(repository_id)
    trip = found.trip
    return {
        "repository": repository.full_name if repository else str(repository_id),
        "agent": agent,
        "state": found.stands_at(now).value,
        "open_until": minute(found.open_until),
        "probe": found.probe,
        "tripped": minute(trip.at) if trip else "",
        "session": trip.session if trip else "",
        "why": plain(measured(trip)) if trip else "",
    }
