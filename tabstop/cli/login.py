"""`tabstop login`: prove to GitHub who you are, and keep the server's own token on this machine."""

from __future__ import annotations

import os
import socket
import time

import click

from tabstop.beside.credentials import Credentials, Login
from tabstop.beside.device_flow import DeviceFlow, DeviceFlowError
from tabstop.beside.server import NotAcceptedError, Server, ServerError
from tabstop.beside.server_access import problem_of_address
from tabstop.beside.transport import UrllibTransport
from tabstop.wire_login import LoginAnswer, LoginRequest


class NotLoggedIn(click.ClickException):
    """Nothing was kept."""


@click.command()
@click.option("--server", metavar="URL", help="Your Tabstop server.  [TABSTOP_SERVER, else the one logged in at]")
@click.option("--organization", default="", metavar="ORG", help="Only for this one; else for each you are a member of.")
@click.option(
    "--name", default="", metavar="NAME", help="How to tell this machine's token from your others.  [its host name]"
)
def login(server: str | None, organization: str, name: str) -> None:
    """Log in at your team's Tabstop server with your GitHub account.

    From then on your sessions in the organization's repositories ask that server, and `tabstop sync` uploads what was used.
    """
    credentials = Credentials.from_environ(os.environ)
    address = _address(server, credentials)
    asked = Server(address, UrllibTransport(), time.sleep)
    try:
        offer = asked.login_offer()
        if problem := problem_of_address(offer.github, "The server's GitHub"):
            raise NotLoggedIn(f"{problem}. Tell the people who run the server.")
        flow = DeviceFlow(offer.github.rstrip("/"), offer.client_id, UrllibTransport(), time.sleep, time.monotonic)
        code = flow.code()
        click.echo(f"Open {code.page} and type the code {code.user_code}\nWaiting …")
        machine = name or socket.gethostname()
        answer = asked.login(LoginRequest(flow.token(code), machine, organization))
    except DeviceFlowError as error:
        raise NotLoggedIn(str(error)) from error
    except ServerError as error:
        raise NotLoggedIn(said_by(address, error)) from error
    # With their tokens now: what is kept under the same name takes their place in a keyring too.
    before = [credentials.with_token(one) for one in credentials.logins() if one.server == address]
    given = {one.organization.lower() for one in answer.tokens}
    for one in _kept(address, answer, credentials):
        click.echo(f"Logged in as {one.login} in {one.organization}. The token is in {credentials.place_of(one)}.")
    for earlier in before:
        if earlier is not None and earlier.organization.lower() in given:
            _end(earlier, asked)


def said_by(address: str, error: ServerError) -> str:
    """What went wrong at the server, and what to do."""
    if isinstance(error, NotAcceptedError):
        problem = error.problem
        return " ".join(part for part in (problem.title, problem.detail, problem.remedy) if part)
    return f"{address} could not be asked: {error}. Check the address and the network, and try again."


def _address(server: str | None, credentials: Credentials) -> str:
    known = credentials.logins()
    address = (server or os.environ.get("TABSTOP_SERVER", "") or (known[0].server if known else "")).strip().rstrip("/")
    if not address:
        raise click.UsageError("Say which server: `tabstop login --server https://tabstop.example.com`.")
    if problem := problem_of_address(address, "--server"):
        raise NotLoggedIn(f"{problem}.")
    return address


def _kept(address: str, answer: LoginAnswer, credentials: Credentials) -> list[Login]:
    """Kept, the first one given last, so that it counts where no organization is named."""
    kept: list[Login] = []
    try:
        for one in reversed(answer.tokens):
            login_there = Login(address, one.organization, answer.login, one.token, one.scopes, formerly=one.formerly)
            kept.insert(0, credentials.keep(login_there))
    except OSError as error:
        raise NotLoggedIn(
            f"The token cannot be kept: {error}. Set XDG_CONFIG_HOME to a folder of yours and log in again."
        ) from error
    return kept


def _end(earlier: Login, server: Server) -> None:
    """A machine that logs in again leaves no token behind."""
    try:
        server.logout(token=earlier.token)
    except NotAcceptedError:
        return  # it was ended already
    except ServerError:
        click.echo("This machine's earlier token could not be ended; `token list` on the server shows it.", err=True)
