"""`tabstop statusline`: one line for Claude Code's status line: this branch's tab, the session, the vendor's windows."""

from __future__ import annotations

import click


@click.command()
def statusline() -> None:
    """Write one line for Claude Code's status line, from the JSON it gives on standard input.

    Set it up with `tabstop install claude-code --statusline`. It reads no log: the branch's tab is what `tabstop cost` knows, at
    most a minute old, brought up to date behind the line.
    """
    from tabstop.beside.status import run  # noqa: PLC0415

    run()
