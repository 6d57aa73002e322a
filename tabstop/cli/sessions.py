"""`tabstop sessions` and `tabstop session`: what ran on this machine, how far each is, and why one stands still."""

from __future__ import annotations

import json
import os

import click

from tabstop.beside.session_folder import NoSessionError, everything, find, sessions_root
from tabstop.beside.session_view import SessionView, events, view
from tabstop.cli.session_report import as_json, details, listing
from tabstop.wire_json import to_json

NEWEST = 20
"""Sessions that are listed unless all are asked for."""


class NotFound(click.ClickException):
    """There is no such session."""


@click.command()
@click.option("--json", "for_programs", is_flag=True, help="As JSON; money in nano-dollars.")
@click.option("--all", "every", is_flag=True, help="All of them.  [default: the newest 20]")
def sessions(for_programs: bool, every: bool) -> None:
    """List the sessions on this machine, newest first: state, and what each used of its limits."""
    folders = everything(sessions_root(os.environ))
    found: list[SessionView] = []
    shown = folders if every else folders[:NEWEST]
    for folder in shown:
        try:
            found.append(view(folder))
        except NoSessionError:
            continue
    if for_programs:
        click.echo(json.dumps([as_json(one) for one in found], indent=2))
        return
    for line in listing(found):
        click.echo(line)
    if len(folders) > len(shown):
        click.echo(f"{len(folders) - len(shown)} older: --all")


@click.command()
@click.argument("name", metavar="SESSION")
@click.option("--json", "for_programs", is_flag=True, help="As JSON; money in nano-dollars.")
def session(name: str, for_programs: bool) -> None:
    """Show one SESSION: its meters, why it stands still, its runs and its log. The beginning of its name is enough."""
    try:
        one = view(find(sessions_root(os.environ), name))
    except NoSessionError as error:
        raise NotFound(f"{error}. `tabstop sessions` lists them.") from error
    told = events(one.folder)
    if for_programs:
        click.echo(json.dumps({**as_json(one), "events": [to_json(event) for event in told]}, indent=2))
        return
    for line in details(one, told):
        click.echo(line)
