"""Git, asked: what one of its commands prints, without a lock, a monitor or a wait that could be felt."""

from __future__ import annotations

LONGEST = 5.0
"""Seconds git may take."""


def git_says(folder: str, *words: str) -> bytes:
    """What git prints; empty when it fails or takes too long (`LONGEST`).

    It takes no lock the agent's own git may want, and starts no monitor.
    """
    import shutil  # noqa: PLC0415 - 5 ms, and a status line or a hook often has nothing to ask git
    import subprocess  # noqa: PLC0415

    git = shutil.which("git")
    if git is None:
        return b""
    argv = (git, "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", folder, *words)
    try:
        done = subprocess.run(  # noqa: S603 (our own words; the folder is one of them, after -C)
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""
