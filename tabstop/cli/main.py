"""The command `tabstop`. Each subcommand's module is imported when it is called, so that hooks and wrappers start fast."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

import click

_COMMANDS = {
    "cost": ("tabstop.cli.cost", "cost"),
    "governor": ("tabstop.cli.governor", "governor"),
    "install": ("tabstop.cli.install", "install"),
    "lab": ("tabstop.cli.lab", "lab"),
    "login": ("tabstop.cli.login", "login"),
    "logout": ("tabstop.cli.logout", "logout"),
    "otel-headers": ("tabstop.cli.otel_headers", "otel_headers"),
    "overdrive": ("tabstop.cli.overdrive", "overdrive"),
    "policy": ("tabstop.cli.policy", "policy"),
    "proxy": ("tabstop.cli.proxy", "proxy"),
    "release": ("tabstop.cli.overdrive", "release"),
    "run": ("tabstop.cli.run", "run"),
    "session": ("tabstop.cli.sessions", "session"),
    "sessions": ("tabstop.cli.sessions", "sessions"),
    "statusline": ("tabstop.cli.statusline", "statusline"),
    "sync": ("tabstop.cli.sync", "sync"),
    "uninstall": ("tabstop.cli.install", "uninstall"),
    "whoami": ("tabstop.cli.whoami", "whoami"),
}
"""Subcommand: (module, the click command in it)."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""A disk without room, the output's or our own files'."""


class _Lazy(click.Group):
    def main(self, *args: Any, **extra: Any) -> Any:
        """Click itself is quiet about a reader that went away (`| head -1`); of a full disk it would show a traceback."""
        try:
            return super().main(*args, **extra)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            _end_of_room(error)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command


def _end_of_room(error: OSError) -> NoReturn:
    where = f"{error.filename}: " if error.filename else ""
    with suppress(OSError):
        click.echo(f"Error: {where}{error.strerror}. Make room, or let it write elsewhere, and try again.", err=True)
    with suppress(OSError):
        # What of the output waits to be written would fail once more when Python ends, and say so.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)


def _say_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 (slow, and asked for rarely)

    try:
        click.echo(f"tabstop {version('tabstop')}")
    except PackageNotFoundError:
        click.echo("tabstop, from a checkout")
    ctx.exit()


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_say_version,
    help="Show the version and exit.",
)
def main() -> None:
    """What coding agents cost, per pull request, and the brakes that stop them in time."""
