"""`tabstop run`: an agent, or any command, under a session's limits."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

import click

from tabstop.agents.command_line import PROGRAMS
from tabstop.beside.exit_codes import ExitCode
from tabstop.beside.session_folder import sessions_root
from tabstop.beside.wrapper.opening import NotOpenedError, Wanted
from tabstop.beside.wrapper.start import Options, run_agent
from tabstop.cli import amounts


@click.command(context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False})
@click.option("--session", default="", metavar="ID", help="Go on with this session, its totals carried over.")
@click.option("--cost", type=amounts.COST_LIMIT, metavar="DOLLARS", help="Most it may cost.")
@click.option("--tokens", type=amounts.TOKEN_LIMIT, metavar="TOKENS", help="Most tokens.")
@click.option("--tool-calls", type=amounts.COUNT_LIMIT, metavar="NUMBER", help="Most tool calls.")
@click.option("--iterations", type=amounts.COUNT_LIMIT, metavar="NUMBER", help="Most model calls.")
@click.option("--wall-clock", type=amounts.TIME_LIMIT, metavar="TIME", help="Longest it may run.")
@click.option("--silence", type=amounts.TIME_LIMIT, metavar="TIME", help="Longest it may show nothing.  [default: 30m]")
@click.option(
    "--grace",
    type=amounts.DURATION,
    default="10s",
    metavar="TIME",
    help="Between two signals to end it.  [default: 10s]",
)
@click.option("--agent", type=click.Choice(list(PROGRAMS)), help="Whose command it is, where its name does not tell.")
@click.option("--no-hooks", is_flag=True, help="Put no hooks in, and let installed ones go on unheard.")
@click.option("--proxy", is_flag=True, help="Have its model calls go through the metering proxy: exact limits.")
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND…")
@click.pass_context
def run(
    ctx: click.Context,
    /,
    command: tuple[str, ...],
    session: str,
    silence: int | None,
    grace: int,
    agent: str | None,
    no_hooks: bool,
    proxy: bool,
    **limits: int | None,
) -> None:
    """Run COMMAND, an agent such as `claude -p …`, and end it at the first limit it reaches.

    Limits not given come from the gate, or from the server that TABSTOP_SERVER names, else from the repository's
    .github/tabstop.yml, else from the defaults.
    The exit code is the agent's own where it ended by itself; 70 to 75 are ours (docs/running.md).
    """
    given = {name: value for name, value in limits.items() if _given(ctx, name)}
    names = {"wall_clock": "wall_clock_seconds"}
    options = Options(
        Wanted(session, {names.get(name, name): value for name, value in given.items()}),
        agent=agent or "",
        hooks=not no_hooks,
        proxy=proxy,
        grace=grace,
        silence=(silence or 0) if _given(ctx, "silence") else None,
    )
    try:
        sys.exit(run_agent(command, options, os.environ, lambda: datetime.now(UTC)))
    except NotOpenedError as error:
        click.echo(f"tabstop: {error}", err=True)
        sys.exit(error.code)
    except OSError as error:
        where = error.filename or sessions_root(os.environ).parent
        click.echo(
            f"tabstop: the agent was not started, or was ended, because what bounds it cannot be kept: {error.strerror or error} ({where}). "
            "Make room there, or set TABSTOP_STATE to a folder that has some, and try again.",
            err=True,
        )
        sys.exit(ExitCode.UNBOUNDED)


def _given(ctx: click.Context, name: str) -> bool:
    """Whether it stands on the command line: None also means `unlimited`, written out."""
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
