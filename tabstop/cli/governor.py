"""`tabstop governor`: the resident process that hooks ask. They start it by themselves; people run it to look at a fault."""

from __future__ import annotations

import sys

import click

from tabstop.beside import governor_process


@click.command(hidden=True)
def governor() -> None:
    """Answer the hooks of this user's agents until nobody asks any more."""
    if governor_process.is_running():
        click.echo(f"It runs already and answers at {governor_process.governor_socket()}.")
        return
    sys.exit(governor_process.main())
