"""`gauges`: how full the engineers' vendor windows are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import click

from app.cli.columns import columns, minute
from app.cli.opening import Opened, OperatorError, opened
from app.registry import Organization
from tabstop.gauge import GaugeReading, percent_of
from tabstop.gauge_account import with_accounts
from tabstop.gauge_outlook import outlook
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
    reading: GaugeReading


@click.command()
@click.option("--engineer", metavar="LOGIN", help="Only of this one.")
@click.option("--organization", "login", metavar="ORG", help="Only of this one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line; what is used in ten-thousandths.")
def gauges(engineer: str | None, login: str | None, as_json: bool) -> None:
    """Show how full the vendors' own windows (5 hours, a week) were when a session last told of them."""
    with opened() as here:
        organizations = here.organizations(login)
        found = [of for one in organizations if (of := _rows(here, one, engineer)) is not None]
        now = here.now()
    if engineer is not None and not found:
        raise OperatorError(f"Tabstop has not met {engineer}: no session of theirs was started or charged here.")
    rows = [row for of in found for row in of]
    if as_json:
        for row in rows:
            seen = outlook(row.reading, now)
            expected = {"used_now": seen.used, "an_hour": seen.an_hour, "full_at": to_json(seen.full_at)}
            click.echo(json.dumps({"engineer": row.engineer, **to_json(row.reading), **expected}))
    elif not rows:
        click.echo("No gauge is known. Where sessions on a plan are told of: docs/windows.md.")
    else:
        click.echo(columns(_HEADINGS, [_cells(row, now) for row in rows]))


def _rows(here: Opened, organization: Organization, login: str | None) -> list[_Row] | None:
    """By engineer; None where the organization has nobody of this login."""
    with here.store.look(organization.id) as books:
        if login is not None:
            person = books.engineer_by_login(login)
            return (
                None
                if person is None
                else [_Row(person.login, one) for one in with_accounts(books.gauges_of(person.id))]
            )
        told: dict[int, list[GaugeReading]] = {}
        for whose, reading in books.all_gauges():
            told.setdefault(whose, []).append(reading)
        people = {engineer_id: books.engineer(engineer_id) for engineer_id in told}
    rows = [
        _Row(person.login if (person := people[whose]) else str(whose), reading)
        for whose, theirs in told.items()
        for reading in with_accounts(theirs)
    ]
    return sorted(rows, key=lambda row: (row.engineer.lower(), row.reading.gauge))


def _cells(row: _Row, now: datetime) -> list[str]:
    read, seen = row.reading, outlook(row.reading, now)
    used = "unknown" if seen.used is None else percent_of(seen.used)
    rate = "" if seen.an_hour is None else percent_of(seen.an_hour)
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
