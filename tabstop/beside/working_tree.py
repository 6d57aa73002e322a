"""The working tree as the governor sees it: a text that changes when a file of the repository does. git is asked, beside the agent."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tabstop.beside.git import git_says
from tabstop.beside.governed_session import GovernedSession
from tabstop.governor.facts import Probed

EVERY = 10.0
"""Seconds between two looks."""

FILES, SIZE = 500, 256 * 1024
"""So many changed files are read, each up to so many bytes; of a longer one its size and time count."""

_PATH_AT = {b"1": 8, b"2": 9, b"u": 10, b"?": 1}
"""Where the path begins in a record of `git status --porcelain=v2 -z`, counted in spaces."""


class TreeWatch:
    """Looks at one working tree now and then, in a thread of its own, and tells the governor what it saw."""

    def __init__(self, governed: GovernedSession, folder: str, key: bytes, every: float = EVERY) -> None:
        """folder: where the agent works. key: for the digest, so that it tells nothing of the files."""
        self._governed = governed
        self._folder = folder
        self._key = key
        self._every = every
        self._due = 0.0
        self._busy = self._blind = False

    def nudge(self) -> None:
        """Look, unless that was done a moment ago or is under way, or there is nothing to see. Returns at once."""
        now = time.monotonic()
        if self._blind or self._busy or now < self._due:
            return
        self._busy, self._due = True, now + self._every
        threading.Thread(target=self._look, name="working tree", daemon=True).start()

    def _look(self) -> None:
        try:
            seen = look(self._folder, self._key)
            self._blind = not seen
            if seen:
                self._governed.tell(Probed(self._governed.now(), seen))
        except (OSError, ValueError):
            self._blind = True  # its journal is closed or cannot be written
        finally:
            self._busy = False


def look(folder: str, key: bytes) -> str:
    """A digest of the commit and of every file that differs from it; ignored files are left out.

    Empty where there is no repository or no git, or it takes too long.
    """
    root = git_says(folder, "rev-parse", "--show-toplevel")
    status = git_says(folder, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all") if root else b""
    if not status:
        return ""
    digest = hashlib.blake2b(status, key=key[: hashlib.blake2b.MAX_KEY_SIZE], digest_size=16)
    top = Path(os.fsdecode(root.removesuffix(b"\n")))
    for count, path in enumerate(_changed(status)):
        if count >= FILES:
            break
        digest.update(_content(top / path))
    return digest.hexdigest()


def _changed(status: bytes) -> Iterator[str]:
    for record in status.split(b"\0"):
        at = _PATH_AT.get(record[:1])
        if at is not None and record[1:2] == b" ":
            yield os.fsdecode(record.split(b" ", at)[-1])


def _content(path: Path) -> bytes:
    """What stands in the file, or what else tells that it changed; empty when it is gone."""
    try:
        found = path.lstat()
        if stat.S_ISREG(found.st_mode) and found.st_size <= SIZE:
            return path.read_bytes()
    except OSError:
        return b""
    return f"{found.st_size} {found.st_mtime_ns}".encode()
