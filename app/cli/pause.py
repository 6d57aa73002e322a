"""`pause` and `resume`: no new session starts in an organization until an operator says so; running ones go on."""

from __future__ import annotations

from dataclasses import replace

import click

from app.cli.opening import opened
from app.ledger.books import AuditRow


@click.command()
@click.argument("organization", metavar="ORG")
@click.option("--why", required=True, help="Shown in the audit log.")
def pause(organization: str, why: str) -> None:
    """Refuse every new session in ORG. Running sessions go on; checks and usage too."""
    _set(organization, paused=True, why=why)


@click.command()
@click.argument("organization", metavar="ORG")
@click.option("--why", default="", help="Shown in the audit log.")
def resume(organization: str, why: str) -> None:
    """Let sessions start in ORG again."""
    _set(organization, paused=False, why=why)


def _set(login: str, *, paused: bool, why: str) -> None:
    with opened() as here:
        found = here.organization(login)
        with here.store.open(found.id) as books:
            organization = books.organization()
            if organization.paused is paused:
                click.echo(f"{organization.login} {'is already paused' if paused else 'is not paused'}.")
                return
            books.save_organization(replace(organization, paused=paused))
            kind = "organization.paused" if paused else "organization.resumed"
            books.audit(AuditRow(kind, here.now(), str(organization.id), {"why": why}))
    if paused:
        click.echo(f"{organization.login} is paused: new sessions are refused until `resume {organization.login}`.")
    else:
        click.echo(f"{organization.login} is not paused any more: sessions start again.")
