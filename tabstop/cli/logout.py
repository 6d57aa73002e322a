"""`tabstop logout`: end this machine's tokens at the server, and forget them here."""

from __future__ import annotations

import os
import time

import click

from tabstop.beside.credentials import Credentials, Login
from tabstop.beside.server import NotAcceptedError, Server, ServerError
from tabstop.beside.transport import UrllibTransport


@click.command()
@click.option("--server", default="", metavar="URL", help="Only at this server.")
@click.option("--organization", default="", metavar="ORG", help="Only of this organization.")
def logout(server: str, organization: str) -> None:
    """Log out: the token is revoked at the server and removed from this machine."""
    credentials = Credentials.from_environ(os.environ)
    leaving = [
        one
        for one in credentials.logins()
        if server.strip().rstrip("/") in {"", one.server} and organization.lower() in {"", one.organization.lower()}
    ]
    if not leaving:
        click.echo("Nobody is logged in there; nothing was changed.")
        return
    for one in leaving:
        ended = _ended(credentials.with_token(one))
        try:
            credentials.forget(one)
        except OSError as error:
            raise click.ClickException(f"{credentials.path} cannot be changed: {error}.") from error
        click.echo(f"Logged out of {one.organization} at {one.server}. {ended}")
    if os.environ.get("TABSTOP_TOKEN"):
        click.echo("TABSTOP_TOKEN is set and goes on to count.", err=True)


def _ended(login: Login | None) -> str:
    """What became of the token at the server."""
    by_hand = "It is removed here and still good there: have an operator end it (`token list`, `token revoke`)."
    if login is None:
        return f"The keyring did not give the token, so it could not be revoked. {by_hand}"
    try:
        Server(login.server, UrllibTransport(), time.sleep).logout(token=login.token)
    except NotAcceptedError:
        return "The token was revoked already."
    except ServerError as error:
        return f"The server could not be reached ({error}). {by_hand}"
    return "The token is revoked."
