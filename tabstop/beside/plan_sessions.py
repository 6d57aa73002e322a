"""Sessions that a plan pays for, as the agents' own status line told: a small file each, so that `tabstop cost` knows."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


def state_folder(environ: Mapping[str, str]) -> Path | None:
    """Where this user's programs keep what they learned (XDG Base Directory); None without a home."""
    named, home = environ.get("XDG_STATE_HOME", ""), environ.get("HOME", "")
    folder = Path(named) if named.startswith("/") else Path(home, ".local", "state") if home.startswith("/") else None
    return folder and folder / "tabstop"


def is_marked(environ: Mapping[str, str], agent: str, session: str, told: str) -> bool:
    """Whether the session is remembered with just this said of its windows; also where there is nothing to remember it by."""
    path = _path(environ, agent, session)
    if path is None:
        return True
    try:
        return path.read_bytes() == told.encode()
    except OSError:
        return False


def is_on_plan(environ: Mapping[str, str], agent: str, session: str) -> bool:
    """Whether the session is remembered, whatever was said of its windows."""
    path = _path(environ, agent, session)
    return path is not None and path.is_file()


def mark_plan_session(environ: Mapping[str, str], agent: str, session: str, told: str) -> None:
    """Remember it, as far as the disk lets us. told: what was said of its windows, in any form."""
    path = _path(environ, agent, session)
    if path is not None:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_bytes(told.encode())


def plan_sessions(environ: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """All that are remembered: (agent, session)."""
    root = state_folder(environ)
    found = set()
    with suppress(OSError):
        for folder in (root / "plans").iterdir() if root else ():
            with suppress(OSError):
                found |= {(folder.name, session) for session in os.listdir(folder)}  # noqa: PTH208 - names are all we need
    return frozenset(found)


def _path(environ: Mapping[str, str], agent: str, session: str) -> Path | None:
    root = state_folder(environ)
    return root / "plans" / agent / session if root and _SESSION.fullmatch(session) else None
