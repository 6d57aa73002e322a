"""Calling the resident governor: where it listens, how it is started, whether it is there, and that a session is over.

Standard library only, so that a runner and a hook's installer need nothing else.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tabstop.beside.hook_socket import NobodyError, ask
from tabstop.beside.session_folder import sessions_root, socket_root

LONGEST_PATH = 100
"""Bytes of a socket's path; the systems allow 103 (macOS) or 107 (Linux)."""

LETTING_GO_SECONDS = 20.0
"""How long a session's last report may take, and some more."""


def governor_socket(environ: Mapping[str, str]) -> Path:
    """Where it listens; `tabstop.beside.hook` finds the same path by itself.

    Each job of a runner has its own, in its temporary folder: another job's governor knows nothing of its sessions.
    """
    if environ.get("RUNNER_TEMP") and not environ.get("TABSTOP_STATE"):
        path = hooks_folder(environ) / "governor.sock"
        if len(os.fsencode(path)) <= LONGEST_PATH:
            return path
    return socket_root() / "governor.sock"


def hooks_folder(environ: Mapping[str, str]) -> Path:
    """What hooks and the governor keep for each other: logs, standing orders, payloads that nobody took."""
    return sessions_root(environ).parent / "hooks"


def governor_command(python: str = sys.executable, *, with_packages: bool = True) -> list[str]:
    """How to start it. with_packages: whether this Python's installed packages may be used; a runner has none of ours."""
    launcher = str(Path(__file__).resolve().with_name("governor_start.py"))
    return [python, "-I", *([] if with_packages else ["-S"]), launcher]


def start_governor(environ: Mapping[str, str], command: Sequence[str] | None = None, seconds: float = 5.0) -> bool:
    """Start it in the background, unless it runs, and wait until it answers. False when it does not within so many seconds.

    environ: its environment: where its state lies, and whether this is CI. It outlives its caller. Raises `OSError` when it
    cannot be started at all.
    """
    if is_running(environ):
        return True
    hooks = hooks_folder(environ)
    hooks.mkdir(parents=True, exist_ok=True, mode=0o700)
    start = list(command or governor_command())
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(hooks / "governor.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    os.posix_spawn(start[0], start, dict(environ), file_actions=files, setsid=True)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if is_running(environ):
            return True
        time.sleep(0.02)
    return False


def is_running(environ: Mapping[str, str]) -> bool:
    """Whether it answers."""
    try:
        return ask(governor_socket(environ), "ping", seconds=2.0) == b"here"
    except NobodyError:
        return False


def end_session(environ: Mapping[str, str], name: str) -> bool:
    """Have it let go of this session, and end when it watches no other. False when nobody answers."""
    try:
        return ask(governor_socket(environ), "end", (name,), seconds=LETTING_GO_SECONDS) == b"over"
    except NobodyError:
        return False
