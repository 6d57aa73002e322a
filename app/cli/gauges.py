"""`gauges`: how full the engineers' vendor windows are."""

from __future__ import annotations

import json
from dataclasses import dataclass

import click

from app.cli.columns import columns, minute
from app.cli.opening import Opened, OperatorError, opened
from app.ledger.gauges import readings_of
from app.registry import Organization
from tabstop.gauge import percent_of
from tabstop.gauge_account import with_accounts
from tabstop.gauge_rate import Outlook, outlook
from tabstop.wire import gauge_now
from tabstop.wire_json import to_json

_HEADINGS = (
    "engineer",
    "vendor",
    "account",
    "window",
    "used",
    "an hour",
    "full",
    "begins anew",
    "read",
    "from",
    "plan",
    "status",
)


@dataclass(frozen=True, slots=True)
class _Row:
    engineer: str
    seen: Outlook


@click.command()
@click.option("--engineer", metavar="LOGIN", help="Only of this one.")
@click.option("--organization", "login", metavar="ORG", help="Only of this one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line; what is used in ten-thousandths.")
def gauges(engineer: str | None, login: str | None, as_json: bool) -> None:
    """Show how full the vendors' own windows (5 hours, a week) were when a session last told of them."""
    with opened() as here:
        organizations = here.organizations(login)
        found = [of for one in organizations if (of := _rows(here, one, engineer)) is not None]
    if engineer is not None and not found:
        raise OperatorError(f"Tabstop has not met {engineer}: no session of theirs was started or charged here.")
    rows = [row for of in found for row in of]
    if as_json:
        for row in rows:
            click.echo(json.dumps({"engineer": row.engineer, **to_json(gauge_now(row.seen))}))
    elif not rows:
        click.echo("No gauge is known. Where sessions on a plan are told of: docs/windows.md.")
    else:
        click.echo(columns(_HEADINGS, [_cells(row) for row in rows]))


def _rows(here: Opened, organization: Organization, login: str | None) -> list[_Row] | None:
    """By engineer; None where the organization has nobody of this login."""
    now = here.now()
    with here.store.look(organization.id) as books:
        if login is None:
            told = {whose for whose, _ in books.all_gauges()}
            people = {whose: person.login if (person := books.engineer(whose)) else str(whose) for whose in told}
        elif person := books.engineer_by_login(login):
            people = {person.id: person.login}
        else:
            return None
        known = {whose: readings_of(books, whose) for whose in people}
    rows = [
        _Row(people[whose], outlook(reading, now, theirs))
        for whose, theirs in known.items()
        for reading in with_accounts(theirs)
    ]
    return sorted(rows, key=lambda row: (row.engineer.lower(), row.seen.reading.gauge))


def _cells(row: _Row) -> list[str]:
    seen, read = row.seen, row.seen.reading
    used = "unknown" if seen.used is None else percent_of(seen.used)
    rate = "" if seen.an_hour is None else f"{percent_of(seen.an_hour)}{' on average' if seen.average else ''}"
    told = [read.source.value, read.plan, read.status]
    return [
        row.engineer,
        read.vendor,
        read.account,
        read.window,
        used,
        rate,
        minute(seen.full_at),
        minute(read.resets_at),
        minute(read.observed_at),
        *told,
    ]
