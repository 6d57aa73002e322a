"""The agent's process: started in a process group of its own with our own input and output, signalled as a group, waited for."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tabstop.beside.exit_codes import code_of_signal

_LAUNCH = Path(__file__).with_name("launch.py")
_RESTORED = {
    getattr(signal, name)
    for name in (
        "SIGINT",
        "SIGQUIT",
        "SIGTERM",
        "SIGHUP",
        "SIGPIPE",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGCHLD",
        "SIGXFSZ",
    )
    if hasattr(signal, name)
}
"""What we handle or Python ignores is the default again for the agent."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How the process ended. code: its own, or 128 + the signal's number. by_signal: 0 when it exited."""

    code: int
    by_signal: int = 0


@dataclass(frozen=True, slots=True)
class Halted:
    """The process was stopped, not ended: by us, or by the user's Ctrl-Z."""


class Child:
    """One process group."""

    def __init__(
        self,
        argv: Sequence[str],
        environ: Mapping[str, str],
        *,
        stdin: int = 0,
        stdout: int = 1,
        stderr: int = 2,
        terminal: int = -1,
    ) -> None:
        """Start it. stdin, stdout, stderr: descriptors it gets as 0, 1 and 2. terminal: whose foreground it becomes; -1 for none."""
        python = [sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid()), str(terminal)]
        actions = [
            (os.POSIX_SPAWN_DUP2, ours, theirs)
            for ours, theirs in ((stdin, 0), (stdout, 1), (stderr, 2))
            if ours != theirs
        ]
        self.pid = os.posix_spawn(
            sys.executable,
            [*python, *argv],
            dict(environ),
            file_actions=actions,
            setpgroup=0,
            setsigmask=(),
            setsigdef=_RESTORED,
        )
        self.ended: Ended | None = None

    def poll(self) -> Ended | Halted | None:
        """What became of it since the last time; None for nothing. Adopted processes that have ended are let go as well."""
        news: Ended | Halted | None = self.ended
        while self.ended is None:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            if not pid:
                break
            if pid != self.pid:
                continue
            if os.WIFSTOPPED(status):
                news = Halted()
            elif os.WIFSIGNALED(status):
                number = os.WTERMSIG(status)
                self.ended = news = Ended(code_of_signal(number), number)
            else:
                self.ended = news = Ended(os.WEXITSTATUS(status))
        return news

    def signal(self, number: int) -> None:
        """Send a signal to its whole group. Nobody there is no fault."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
