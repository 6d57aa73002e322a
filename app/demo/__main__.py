"""`python -m app.demo`: the story in the terminal and on a local page; `--once` ends after it. `PORT` chooses the port."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence

from flask import Flask
from rich.console import Console

from app.demo.ending import Ending
from app.demo.page import pages
from app.demo.stage import Stage, stage
from app.demo.story import ACTS, Play, tell
from app.demo.telling import Telling
from app.serving import PortTakenError, check_port

TRUE, NOT_TRUE, CANNOT_START = 0, 1, 2
"""Exit codes: everything came true (or somebody ended it), a step did not, the port cannot be used."""

LOG_LINES = 30

PARTS = (
    ("check and comment", "pull-request"),
    ("Slack messages", "slack"),
    ("the refused run", "refused"),
    ("audit log", "audit"),
)


def main(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Play the story, then show the page until Ctrl-C or SIGTERM."""
    console = Console(highlight=False)
    errors = Console(stderr=True, highlight=False)
    if set(words) - {"--once"}:
        errors.print("usage: python -m app.demo [--once]    (PORT chooses the port)", markup=False)
        return CANNOT_START
    port = _port(environ)
    if isinstance(port, str):
        errors.print(port, markup=False, soft_wrap=True)
        return CANNOT_START
    ending = Ending()
    for one in (signal.SIGINT, signal.SIGTERM):  # a shell's background job begins with Ctrl-C ignored
        signal.signal(one, ending.tell)
    try:
        return _play(console, errors, port, ending, once="--once" in words)
    except KeyboardInterrupt:
        console.print("\n  Ended; nothing is left behind.")
        return TRUE


def _play(console: Console, errors: Console, port: int, ending: Ending, *, once: bool) -> int:
    address = f"http://localhost:{port}"
    console.print("\n  [bold]Tabstop[/bold]: a pull request's tab, from green to red and back.", soft_wrap=True)
    console.print(
        "  Server, action and sessions are real; GitHub and Slack are previews on a local page.", soft_wrap=True
    )
    console.print(f"  page  {address}\n", style="cyan")
    telling = Telling(console)
    plays: list[Play] = []

    def page(there: Stage) -> Flask:
        plays.append(Play(there))
        return pages(plays[0], telling)

    with stage(port, page, ending) as there:
        if not tell(telling, plays[0], ACTS):
            _explain(errors, telling.failed, there)
            return NOT_TRUE
        if not once:
            _point_at(console, address)
            ending.wait()
        return TRUE


def _point_at(console: Console, address: str) -> None:
    console.print("\n  What people see of it:")
    for what, anchor in PARTS:
        console.print(f"      {what:<18} {address}/#{anchor}", style="cyan", soft_wrap=True)
    console.print(f"\n  page at {address} — Ctrl-C ends", style="bold", soft_wrap=True)


def _explain(errors: Console, failed: str, there: Stage) -> None:
    errors.print(f"\n  This did not come true: {failed}", style="red", markup=False, soft_wrap=True)
    lines = there.server_log().splitlines()[-LOG_LINES:]
    said = ["", "  The server said last:", *(f"    {line}" for line in lines)]
    errors.print("\n".join(said), markup=False, soft_wrap=True)


def _port(environ: Mapping[str, str]) -> int | str:
    """The port to use, or the sentence that says why it cannot be used."""
    given = environ.get("PORT", "").strip() or "8000"
    if not (given.isascii() and given.isdigit() and 0 < int(given) < 65_536):
        return f"PORT is {given!r}; it has to be a number from 1 to 65535, such as PORT=8001."
    try:
        check_port("127.0.0.1", int(given))
    except PortTakenError as error:
        return str(error)
    return int(given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
