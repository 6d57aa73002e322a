"""The resident governor: one process of this user that all bare hooks ask. Takes sessions up by the agents' own session ids.

It is started by the gate step, by `tabstop install`'s hooks when none runs, or by `tabstop governor`; it ends by itself when
nobody has asked for a while. Everything it knows is in the sessions' journals, so that ending loses nothing.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.governor_call import governor_socket, hooks_folder
from tabstop.beside.hook_desk import HookDesk
from tabstop.beside.hook_question import question_about
from tabstop.beside.hook_socket import Answer, HookSocket, make_private
from tabstop.beside.reporting import Reporter, reporter_for
from tabstop.beside.session_folder import Record, SessionFolder, sessions_root

IDLE_SECONDS = 15 * 60.0
"""Without a question for so long, it ends."""

TICK_SECONDS = 15.0
"""Between two looks at the clock for sessions that run."""

EXIT_OK, EXIT_FAULT = 0, 75
LARGEST_LOG = 1024 * 1024


class Governor:
    """The process, around a desk that answers hooks."""

    def __init__(
        self,
        environ: Mapping[str, str],
        now: Callable[[], datetime],
        *,
        idle_seconds: float = IDLE_SECONDS,
        tick_seconds: float = TICK_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """idle_seconds, tick_seconds, monotonic: so that tests need not wait."""
        self._environ = environ
        self._hooks = hooks_folder(environ)
        self._socket = governor_socket(environ)
        self._idle = idle_seconds
        self._tick = tick_seconds
        self._monotonic = monotonic
        # A pipe, because a signal may come in the moment before a wait: then only what it wrote still ends that wait.
        self._told, self.wake = os.pipe()
        os.set_blocking(self.wake, False)
        self._asked = monotonic()
        self.desk = HookDesk(
            sessions_root(environ),
            environ,
            now,
            self.log,
            self._socket,
            self._reporter,
            lambda record, payload: question_about(record, payload, environ, now(), self.log),
        )

    def run(self) -> int:
        """Serve until nobody asks any more or `end` is called; the exit code. One at a time: a second one ends at once."""
        try:
            make_private(self._hooks)
            make_private(self._socket.parent)
            lock = os.open(self._socket.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
        answers: dict[str, Answer] = {
            "hook": self._asked_by_hook,
            "ping": lambda _words, _body: b"here",
            "fact": self.desk.fact,
            "end": self._end_session,
        }
        self.log(f"began, process {os.getpid()}")
        try:
            with HookSocket(self._socket, answers, self.log):
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
        return not told and self._monotonic() - self._asked < self._idle

    def _reporter(self, record: Record, session: GovernedSession, folder: SessionFolder) -> Reporter | None:
        return reporter_for(record, session, folder, self._environ, log=self.log)

    def _end_session(self, words: tuple[str, ...], _body: bytes) -> Iterator[bytes]:
        """`end SESSION`: a settle step takes over. What hooks kept for it is taken in first."""
        (name,) = words
        self.desk.take_in_waiting(self._hooks / "waiting")
        left = self.desk.let_go(name)
        yield b"over"
        if not left:
            self.end()

    def _asked_by_hook(self, words: tuple[str, ...], body: bytes) -> bytes | Iterator[bytes]:
        self._asked = self._monotonic()
        try:
            return self.desk.hook(words, body)
        finally:
            self._asked = self._monotonic()


def main() -> int:
    """Run it in this process until it is told to end or has nothing to do."""
    governor = Governor(os.environ, lambda: datetime.now(UTC))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(governor.wake)
    return governor.run()
