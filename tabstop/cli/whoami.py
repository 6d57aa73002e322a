"""`tabstop whoami`: which servers know this machine, as whom, and where the tokens are kept."""

from __future__ import annotations

import os
import time

import click

from tabstop.beside.credentials import Credentials
from tabstop.beside.server import NotAcceptedError, Server, ServerError
from tabstop.beside.server_access import ServerAccess
from tabstop.beside.transport import UrllibTransport
from tabstop.cli.login import said_by


@click.command()
def whoami() -> None:
    """Show who you are to the server, what your token is good for, and where it is kept."""
    credentials = Credentials.from_environ(os.environ)
    rows = _by_environment() + [
        (one.server, (found.token if (found := credentials.with_token(one)) else ""), credentials.place_of(one))
        for one in credentials.logins()
    ]
    if not rows:
        raise click.ClickException("Nobody is logged in. `tabstop login --server URL` changes that.")
    well = [_show(*row) for row in rows]
    if not any(well):
        raise click.exceptions.Exit(1)


def _by_environment() -> list[tuple[str, str, str]]:
    token = os.environ.get("TABSTOP_TOKEN", "").strip()
    access = ServerAccess.from_environ(os.environ) if token else None
    return [(access.address, token, "TABSTOP_TOKEN, which counts before any login")] if access else []


def _show(server: str, token: str, place: str) -> bool:
    if not token:
        click.echo(f"{server}: the keyring does not give the token. Unlock it, or run `tabstop login` again.")
        return False
    try:
        found = Server(server, UrllibTransport(), time.sleep).who_am_i(token=token)
    except NotAcceptedError as error:
        click.echo(f"{server}: {said_by(server, error)}")
        return False
    except ServerError as error:
        click.echo(f"{server}: could not be asked ({error}). The token is in {place}.")
        return False
    scopes = ", ".join(found.scopes)
    named = f", named {found.name}" if found.name else ""
    click.echo(f"{found.login} in {found.organization} at {server}\n  good for: {scopes}\n  token: {place}{named}")
    return True
