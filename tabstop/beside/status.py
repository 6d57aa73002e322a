"""The status line's effects: where the client works, what its branch has cost, and what is kept once the line is written."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tabstop.beside.git_folder import branch_now, common_folder, git_folder, own_folder, shown, tree_of
from tabstop.beside.plan_sessions import is_marked, is_on_plan, mark_plan_session
from tabstop.beside.status_windows import earlier_windows, keep_windows
from tabstop.beside.tab_file import is_due, make_tabs, read_tab, tab_file
from tabstop.status_line import Status, line, read_status

AGENT = "claude-code"

LONGEST_PAYLOAD = 1024 * 1024
"""Bytes; the client tells less than two thousand."""


def run() -> None:
    """Read standard input, write the line. Nothing that goes wrong is more than a plain line."""
    colour = not os.environ.get("NO_COLOR")
    rest = None
    try:
        given = b"" if sys.stdin.isatty() else sys.stdin.buffer.read(LONGEST_PAYLOAD + 1)
        text, rest = status_line(given, os.environ, datetime.now(UTC), colour=colour)
    except Exception as error:  # noqa: BLE001 - a status line that fails loudly would stand in a person's way
        text = f"tabstop: {type(error).__name__}"
    with suppress(OSError):
        sys.stdout.buffer.write(f"{text}\n".encode())
        sys.stdout.buffer.flush()
    if rest is not None:
        with suppress(OSError):
            detached(rest)


def status_line(
    given: bytes, environ: Mapping[str, str], now: datetime, *, colour: bool
) -> tuple[str, Callable[[], None] | None]:
    """The line for this payload, and what is left to be done once it is written; None for nothing. Never raises."""
    payload = _parsed(given)
    if payload is None:
        return "tabstop: what the client told could not be read", None
    status = read_status(payload, now)
    told = status.on_plan
    if not told and is_on_plan(environ, AGENT, status.session):  # before a first answer the client tells of no windows
        status = replace(status, on_plan=True)
    if status.gauges:
        status = replace(status, earlier=earlier_windows(environ))
    repository, branch = _place(status, environ)
    tabs = tab_file(environ)
    tab = read_tab(tabs, repository, branch) if tabs and repository and branch else None
    text = line(status, branch, tab, now, None, colour=colour)
    due = tabs is not None and is_due(tabs, time.time())
    gauges = told and not is_marked(environ, AGENT, status.session, _told(status))
    if not (due or gauges):
        return text, None

    def rest() -> None:
        if gauges:
            keep_status_gauges(status, environ)
        if due:
            make_tabs(environ)

    return text, rest


def keep_status_gauges(status: Status, environ: Mapping[str, str]) -> None:
    """Keep the windows for the next line, and where reports find them: in a governed session's own folder, and for this machine."""
    from tabstop.beside.gauge_file import keep_gauges, machine_gauges  # noqa: PLC0415 - not quick to load; the line is written
    from tabstop.beside.hook_records import name_of  # noqa: PLC0415
    from tabstop.beside.session_folder import NoSessionError, SessionFolder, find, sessions_root  # noqa: PLC0415

    mark_plan_session(environ, AGENT, status.session, _told(status))
    root = sessions_root(environ)
    own = SessionFolder(root / name_of(AGENT, status.session))
    if given := environ.get("TABSTOP_SESSION"):
        with suppress(NoSessionError):
            own = find(root, given)
    machine = machine_gauges(environ)
    with suppress(OSError):
        keep_windows(environ, status.gauges)
    with suppress(OSError):
        machine.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    for folder in (own, machine):
        if folder.path.is_dir():
            with suppress(OSError):
                keep_gauges(folder, status.gauges)


def detached(work: Callable[[], None]) -> None:
    """Do it in a process of its own that nobody waits for: whoever reads the line has it already. What fails there is not heard of."""
    if os.fork():
        return
    try:
        os.setsid()
        with open(os.devnull, "r+b", buffering=0) as nothing:  # noqa: PTH123 - a descriptor is all we want
            for stream in (0, 1, 2):
                os.dup2(nothing.fileno(), stream)
        os.nice(10)
        work()
    finally:
        os._exit(0)


def _place(status: Status, environ: Mapping[str, str]) -> tuple[str, str]:
    """Repository and branch of where the client works, as `tabstop cost` names them."""
    folder = status.folder
    if not folder.startswith("/"):
        return status.repository, ""
    home = Path(environ["HOME"]) if environ.get("HOME", "").startswith("/") else None
    tree = tree_of(Path(folder))
    if tree is None:
        return status.repository, ""
    return status.repository or shown(own_folder(common_folder(tree)), home), branch_now(git_folder(tree))


def _told(status: Status) -> str:
    """What is said of the windows: a whole percent more is news, or another time of reset."""
    return "".join(f"{one.window} {one.used // 100} {one.resets_at}\n" for one in status.gauges)


def _parsed(given: bytes) -> Any:
    try:
        payload = json.loads(given) if len(given) <= LONGEST_PAYLOAD else None
    except (ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None
