"""`serve`: migrates the database, says where to look, and serves until told to stop."""

from __future__ import annotations

import os
import secrets
from dataclasses import replace

import click

from app.cli.opening import OperatorError, environment, explained
from app.secrets_store import SecretKeyError
from app.serving import PortTakenError, check_port
from app.serving import serve as run
from app.settings import Settings
from app.store.migrate import upgrade
from app.store.open import open_store
from app.wiring import with_kept_credentials


@click.command()
def serve() -> None:
    """Migrate the database, then serve and do jobs until SIGTERM or Ctrl-C.

    Without credentials of a GitHub App it prints a link to /setup, which makes the App with one button. SIGHUP replaces
    the worker process without closing the port.
    """
    settings = environment()
    try:
        check_port(settings.host, int(settings.port))
        with explained():
            upgrade(settings.database_url)
            settings = ready(settings)
        click.echo(greeting(settings), err=True)
        run(settings)
    except (PortTakenError, SecretKeyError) as error:
        raise OperatorError(str(error)) from error


def ready(settings: Settings) -> Settings:
    """The settings with credentials, or with a token that opens `/setup`; the worker process inherits it.

    Raises `OperatorError`, `SecretKeyError`.
    """
    store = open_store(settings.database_url)
    try:
        found = with_kept_credentials(settings, store)
    finally:
        store.close()  # the worker process is a fork of this one
    try:
        _ = found.private_key
    except OSError as error:
        raise OperatorError(
            f"TABSTOP_GITHUB_PRIVATE_KEY names a file that cannot be read: {error.filename}: {error.strerror}."
        ) from error
    if found.github_app_id or settings.setup_token:
        return found
    token = secrets.token_hex(16)
    os.environ["TABSTOP_SETUP_TOKEN"] = token
    return replace(found, setup_token=token)


def greeting(settings: Settings) -> str:
    """What is printed at the start: where it listens, and what to open next."""
    lines = [f"Tabstop serves {settings.public_url} (listening on {settings.host}:{settings.port}). Ctrl-C stops it."]
    if not settings.github_app_id:
        lines += [
            "There is no GitHub App yet. Make it here, with one button (the token changes at every start):",
            f"  {settings.page('/setup')}?token={settings.setup_token}",
        ]
    elif settings.setup_token:
        lines.append(f"/setup is open to whoever has TABSTOP_SETUP_TOKEN: {settings.page('/setup')}")
    return "\n".join(lines)
