"""Processes: what descends from us, so that nothing an ended agent started is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")


def adopt_orphans() -> None:
    """Have processes whose parent has ended become our children, not init's (Linux; prctl(2)), so that none gets out of sight."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - elsewhere it has no use

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def family(root: int) -> set[int]:
    """Every process that descends from `root`, without it."""
    children: dict[int, list[int]] = {}
    for process, parent in _parents().items():
        children.setdefault(parent, []).append(process)
    found: set[int] = set()
    waiting = [root]
    while waiting:
        fresh = {*children.get(waiting.pop(), ())} - found  # a number given anew between two looks may close a circle
        found |= fresh
        waiting.extend(fresh)
    return found


def reap() -> None:
    """Let adopted processes that have ended go."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def end_all(patience: float = 1.0) -> int:
    """End everything that descends from us: SIGTERM, and SIGKILL to what is left. How many there were.

    Each look at the list finds what was started since the last one; it ends when there is nothing more.
    """
    reap()
    remaining = family(os.getpid())
    count = len(remaining)
    told: set[int] = set()
    began = time.monotonic()
    # What is left after that belongs to somebody else: a program that changed its user.
    while remaining and (passed := time.monotonic() - began) < 2 * patience:
        for one in remaining - told if passed < patience else remaining:
            _signal(one, signal.SIGTERM if passed < patience else signal.SIGKILL)
            _signal(one, signal.SIGCONT)
        told |= remaining
        time.sleep(0.02)
        reap()
        remaining = family(os.getpid())
    return count


def kill_all() -> None:
    """SIGKILL to everything that descends from us."""
    for one in family(os.getpid()):
        _signal(one, signal.SIGKILL)


def end_group(group: int, patience: float = 1.0) -> bool:
    """End what is left of a process group. Whether there was anything."""
    reap()
    if not _signal_group(group, signal.SIGTERM):
        return False
    until = time.monotonic() + patience
    while time.monotonic() < until:
        reap()
        if not _signal_group(group, signal.SIGCONT):
            return True
        time.sleep(0.02)
    _signal_group(group, signal.SIGKILL)
    reap()
    return True


def _signal(process: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(process, number)


def _signal_group(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _parents() -> dict[int, int]:
    """The parent of every process."""
    if not (_PROC / "self" / "stat").exists():
        listed = subprocess.run(["/bin/ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
        rows = [line.split() for line in listed.splitlines()]
        return {int(row[0]): int(row[1]) for row in rows if len(row) == 2}
    found = {}
    for path in _PROC.glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            # The name, in parentheses, may hold anything; what follows the last one is ours to read (proc(5)).
            about = (path / "stat").read_text(errors="replace").rpartition(")")[2]
            found[int(path.name)] = int(about.split()[1])
    return found
