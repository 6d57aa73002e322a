"""`migrate`: bring the database to this version. `serve` does it by itself; with several replicas, run this first."""

from __future__ import annotations

import click

from app.cli.opening import environment, explained
from app.store.migrate import is_current, upgrade


@click.command()
def migrate() -> None:
    """Create the database's tables, or bring them to this version. Doing it again changes nothing."""
    settings = environment()
    with explained():
        before = is_current(settings.database_url)
        upgrade(settings.database_url)
    click.echo("The database was up to date." if before else "The database is now up to date.")
