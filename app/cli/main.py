"""The operator's command line. Each subcommand's module is imported when it is called: `token list` needs no web server."""

from __future__ import annotations

from importlib import import_module

import click

_COMMANDS = {
    "serve": "app.cli.serve",
    "worker": "app.cli.worker",
    "migrate": "app.cli.migrate",
    "doctor": "app.cli.doctor",
    "token": "app.cli.tokens",
    "overdrive": "app.cli.overdrive",
    "breaker": "app.cli.breaker",
    "session": "app.cli.session",
    "unplaced": "app.cli.unplaced",
    "assign": "app.cli.assign",
    "split": "app.cli.assign",
    "unassign": "app.cli.assign",
    "gauges": "app.cli.gauges",
    "pause": "app.cli.pause",
    "resume": "app.cli.pause",
    "audit": "app.cli.audit",
    "jobs": "app.cli.jobs",
    "backup": "app.cli.backup",
}
"""Subcommand: the module that has a click command of its name, in the order people need them."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name]), cmd_name)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def operator() -> None:
    """Run Tabstop's server and look after it. Settings come from the environment: docs/configuration.md lists them.

    Commands that write can be used while the server runs, on SQLite too.
    """
