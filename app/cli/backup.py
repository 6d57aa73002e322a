"""`backup`: a copy of the database while the server runs."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.opening import OperatorError, environment, explained
from app.store.backup import BackupError
from app.store.backup import backup as back_up


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Copy the database to FILE while the server runs: one state, checked, never over an existing file.

    TABSTOP_SECRET_KEY is not in it; keep that elsewhere.
    """
    settings = environment()
    try:
        with explained():
            how = back_up(settings.database_url, file)
    except BackupError as error:
        raise OperatorError(str(error)) from error
    click.echo(f"{file}: {file.stat().st_size:,} bytes, whole and checked. To restore: {how}")
    click.echo("Keep TABSTOP_SECRET_KEY too: it is not in there.")
