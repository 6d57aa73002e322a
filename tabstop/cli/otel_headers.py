"""`tabstop otel-headers`: the header with which an agent's own client sends telemetry, as Claude Code's `otelHeadersHelper` wants it."""

from __future__ import annotations

import json
import os

import click

from tabstop.beside.server_access import ServerAccess


@click.command("otel-headers")
@click.option(
    "--repository", default="", metavar="OWNER/NAME", help="Of several organizations, the one of this repository."
)
def otel_headers(repository: str) -> None:
    """Print your token as an HTTP header, in JSON, for an agent's telemetry settings."""
    access = ServerAccess.from_environ(os.environ, repository)
    if access is None:
        raise click.ClickException("Nobody is logged in. `tabstop login --server URL` changes that.")
    click.echo(json.dumps({"Authorization": f"Bearer {access.token}"}))
