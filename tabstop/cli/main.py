"""The command `tabstop`. Each subcommand's module is imported when it is called, so that hooks and wrappers start fast."""

from __future__ import annotations

from importlib import import_module

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


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command


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
