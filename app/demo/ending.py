"""The demo's end before its time: a signal only leaves word, which is found where the demo waits and nothing is half done."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tabstop.beside.stop_signal import StopSignal

_LOOK_SECONDS = 0.1


class Ending:
    """Whether somebody wants the demo to end. A signal handler that raises could do so anywhere, even as a child starts."""

    def __init__(self) -> None:
        """Nobody does."""
        self._stop = StopSignal()

    def tell(self, *_signal: object) -> None:
        """Have it end. It may stand for a signal handler."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> None:
        """Let time pass; None: without end. Raises `KeyboardInterrupt` when it is to end, or was before."""
        if self._stop.wait(seconds):
            raise KeyboardInterrupt

    def run(
        self, command: Sequence[str], cwd: Path, environ: Mapping[str, str], seconds: float, *, stderr: int
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, without the terminal's Ctrl-C: that is the demo's to answer. stderr: as `subprocess` has it.

        Raises `subprocess.TimeoutExpired` after so many seconds, `KeyboardInterrupt`; nothing of the command is left then.
        """
        until = time.monotonic() + seconds
        with subprocess.Popen(  # noqa: S603 (commands of our own)
            command,
            cwd=cwd,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            encoding="utf-8",
            start_new_session=True,
        ) as child:
            try:
                while time.monotonic() < until:
                    self.wait(0)
                    with suppress(subprocess.TimeoutExpired):
                        printed, errors = child.communicate(timeout=_LOOK_SECONDS)
                        return subprocess.CompletedProcess(command, child.returncode, printed, errors)
            finally:
                if child.returncode is None:
                    os.killpg(child.pid, signal.SIGKILL)
        raise subprocess.TimeoutExpired(command, seconds)
