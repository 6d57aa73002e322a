"""`tabstop install` and `tabstop uninstall`: an agent's hooks, put into its settings and taken out again."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tabstop.agents.dialect import AGENTS
from tabstop.beside import hook_installation as hooks

ENFORCEMENT = {
    "claude-code": (
        "At a limit its turn ends, at most one model call late for each agent that runs at once.",
        "Subagents count and are stopped too. Its model cannot be changed by a hook; a new subagent's can.",
    ),
    "codex": (
        "At a limit new prompts and all tools are refused. A hook cannot end a turn of Codex: its model may answer a",
        "few times more. For a firm limit run it as `tabstop run --proxy -- codex …`.",
        "Codex asks once whether you trust these hooks; until then they do not run.",
    ),
    "gemini": (
        "At a limit it stops before its next model call. Near one it is switched to a cheaper model.",
        "What of a prompt came from the cache is not told to hooks, so costs count a little high.",
    ),
}
"""How firmly each agent is bound, as people read it."""


class NotInstalled(click.ClickException):
    """Nothing was changed."""


@click.command()
@click.argument("agent", type=click.Choice(AGENTS))
@click.option("--user", "scope", flag_value="user", default=True, help="In your own settings.  [default]")
@click.option("--project", "scope", flag_value="project", help="In the settings of the project you are in.")
@click.option("--statusline", is_flag=True, help="Claude Code's status line too: tab, session, windows.")
def install(agent: str, scope: str, statusline: bool) -> None:
    """Put Tabstop's hooks into the settings of AGENT. Everything else in them stays as it is."""
    place = _place(agent, scope)
    try:
        done = hooks.install(place, os.environ, status_line=statusline)
    except hooks.NotInstalledError as error:
        raise NotInstalled(str(error)) from error
    if done.changed:
        click.echo(f"{done.path}: {len(done.events)} hooks put in ({', '.join(done.events)}).")
    else:
        click.echo(f"{done.path}: the hooks were there already; nothing was changed.")
    if done.status_line:
        click.echo("Its status line shows this branch's tab, the session and the vendor's windows.")
    if done.backup:
        click.echo(f"The file as it was: {done.backup}")
    for line in (*ENFORCEMENT[agent], *done.warnings):
        click.echo(line)
    if scope == "project":
        click.echo("The commands name paths of this machine: keep the file out of git, or have others run this too.")
    click.echo(f"To take them out: tabstop uninstall {agent}{' --project' if scope == 'project' else ''}")


@click.command()
@click.argument("agent", type=click.Choice(AGENTS))
@click.option("--user", "scope", flag_value="user", default=True, help="From your own settings.  [default]")
@click.option("--project", "scope", flag_value="project", help="From the settings of the project you are in.")
def uninstall(agent: str, scope: str) -> None:
    """Take Tabstop's hooks out of the settings of AGENT, and leave everything else."""
    place = _place(agent, scope)
    try:
        done = hooks.uninstall(place)
    except hooks.NotInstalledError as error:
        raise NotInstalled(str(error)) from error
    if not done.changed:
        click.echo(f"{done.path}: no hooks of Tabstop are in it; nothing was changed.")
    elif done.removed:
        click.echo(f"{done.path}: removed; it held nothing but Tabstop's hooks.")
    else:
        click.echo(f"{done.path}: the hooks are out, everything else is as it was.")
    if done.backup:
        click.echo(f"The file was changed since; as it was before the hooks came: {done.backup}")


def _place(agent: str, scope: str) -> hooks.Place:
    project = None
    if scope == "project":
        here = Path.cwd()
        project = next((one for one in (here, *here.parents) if (one / ".git").exists()), here)
    return hooks.place_of(agent, os.environ, project)
