"""The resident governor: one process of this user that all bare hooks ask. Takes sessions up by the agents' own session ids.

It is started by the gate step, by `tabstop install`'s hooks when none runs, or by `tabstop governor`; it ends by itself when
nobody has asked for a while. Everything it knows is in the sessions' journals, so that ending loses nothing.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from tabstop.beside.hook_desk import HookDesk
from tabstop.beside.hook_socket import HookSocket, NobodyError, ask, make_private
from tabstop.beside.session_folder import sessions_root, socket_root

IDLE_SECONDS = 15 * 60.0
"""Without a question for so long, it ends."""

TICK_SECONDS = 15.0
"""Between two looks at the clock for sessions that run."""

EXIT_OK, EXIT_FAULT = 0, 75
LARGEST_LOG = 1024 * 1024


def governor_socket() -> Path:
    """Where it listens; `tabstop.beside.hook` finds the same path by itself."""
    return socket_root() / "governor.sock"


def governor_command(python: str = sys.executable, *, with_packages: bool = True) -> list[str]:
    """How to start it. with_packages: whether this Python's installed packages may be used; a runner has none of ours."""
    launcher = str(Path(__file__).resolve().with_name("governor_start.py"))
    return [python, "-I", *([] if with_packages else ["-S"]), launcher]


def start_governor(environ: Mapping[str, str], command: Sequence[str] | None = None, seconds: float = 5.0) -> bool:
    """Start it in the background, unless it runs, and wait until it answers. False when it does not within so many seconds. Raises `OSError` when it cannot be
    started at all.

    environ: its environment: where its state lies, and whether this is CI. It outlives its caller.
    """
    if is_running():
        return True
    hooks = sessions_root(environ).parent / "hooks"
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
        if is_running():
            return True
        time.sleep(0.02)
    return False


def is_running() -> bool:
    """Whether it answers."""
    try:
        return ask(governor_socket(), "ping", seconds=2.0) == b"here"
    except NobodyError:
        return False


class Governor:
    """The process, around a desk that answers hooks."""

    def __init__(
        self,
        environ: Mapping[str, str],
        now: Callable[[], datetime],
        *,
        idle_seconds: float = IDLE_SECONDS,
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        """idle_seconds, tick_seconds: so that tests need not wait."""
        self._hooks = sessions_root(environ).parent / "hooks"
        self._idle = idle_seconds
        self._tick = tick_seconds
        # A pipe, because a signal may come in the moment before a wait: then only what it wrote still ends that wait.
        self._told, self.wake = os.pipe()
        os.set_blocking(self.wake, False)
        self._asked = time.monotonic()
        self.desk = HookDesk(sessions_root(environ), environ, now, self.log, governor_socket())

    def run(self) -> int:
        """Serve until nobody asks any more or `end` is called; the exit code. One at a time: a second one ends at once."""
        try:
            make_private(self._hooks)
            make_private(governor_socket().parent)
            lock = os.open(governor_socket().with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self.log(f"cannot begin: {error}")
            return EXIT_FAULT
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return EXIT_OK
        else:
            return self._serve()
        finally:
            os.close(lock)

    def end(self) -> None:
        """Have `run` return."""
        os.write(self.wake, b"!")

    def log(self, text: str) -> None:
        """A line for people, in a file that does not grow without end."""
        path = self._hooks / "governor.log"
        with suppress(OSError), path.open("a", encoding="utf-8", errors="replace") as stream:
            if stream.tell() > LARGEST_LOG:
                stream.truncate(0)
            stream.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}\n")

    def _serve(self) -> int:
        self.desk.take_in_waiting(self._hooks / "waiting")
        answers = {"hook": self._asked_by_hook, "ping": lambda _words, _body: b"here", "fact": self.desk.fact}
        self.log(f"began, process {os.getpid()}")
        try:
            with HookSocket(governor_socket(), answers, self.log):
                while self._goes_on():
                    self.desk.take_in_waiting(self._hooks / "waiting")
                    self.desk.tick()
        except OSError as error:
            self.log(f"cannot listen: {error}")
            return EXIT_FAULT
        finally:
            self.desk.close()
        self.log("ended")
        return EXIT_OK

    def _goes_on(self) -> bool:
        """After a while, whether there is a reason to."""
        told, _, _ = select.select([self._told], [], [], self._tick)
        return not told and time.monotonic() - self._asked < self._idle

    def _asked_by_hook(self, words: tuple[str, ...], body: bytes) -> bytes:
        self._asked = time.monotonic()
        try:
            return self.desk.hook(words, body)
        finally:
            self._asked = time.monotonic()


def main() -> int:
    """Run it in this process until it is told to end or has nothing to do."""
    governor = Governor(os.environ, lambda: datetime.now(UTC))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(governor.wake)
    return governor.run()
