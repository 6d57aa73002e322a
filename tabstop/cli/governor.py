"""`tabstop governor`: the resident process that hooks ask. They start it by themselves; people run it to look at a fault."""

from __future__ import annotations

import os
import sys

import click

from tabstop.beside import governor_call, governor_process


@click.command(hidden=True)
def governor() -> None:
    """Answer the hooks of this user's agents until nobody asks any more."""
    if governor_call.is_running(os.environ):
        click.echo(f"It runs already and answers at {governor_call.governor_socket(os.environ)}.")
        return
    sys.exit(governor_process.main())
