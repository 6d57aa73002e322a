"""A question to whoever sits at the terminal: one line, answered with yes or no, or withdrawn."""

from __future__ import annotations

import os
import select
import threading
from contextlib import suppress

_LONGEST = 200


class Question:
    """Asked at once, on the controlling terminal. Without one, nobody is asked and `answer` stays None."""

    def __init__(self, text: str) -> None:
        """text: what is printed."""
        self.answer: bool | None = None
        self._wake, self._withdrawn = os.pipe()
        try:
            self._terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError:
            self._terminal = -1
            self._thread = None
            return
        self._thread = threading.Thread(target=self._ask, args=(text.encode(),), name="question", daemon=True)
        self._thread.start()

    @property
    def asked(self) -> bool:
        """Whether there is a terminal to ask at."""
        return self._terminal >= 0

    def withdraw(self, said: str = "") -> None:
        """Have it end. said: what is printed below it when it was not answered."""
        if self._thread is not None:
            os.write(self._withdrawn, b"x")
            self._thread.join(2.0)
            if self.answer is None:
                self._print(f"\n{said}\n".encode() if said else b"\n")
            os.close(self._terminal)
        os.close(self._wake)
        os.close(self._withdrawn)

    def _ask(self, text: bytes) -> None:
        self._print(text)
        held = b""
        while True:
            ready, _, _ = select.select([self._terminal, self._wake], [], [])
            if self._wake in ready:
                return
            part = b""
            with suppress(OSError):  # a terminal that has gone says no more, and so no
                part = os.read(self._terminal, _LONGEST)
            held += part
            if not part or b"\n" in held or len(held) > _LONGEST:
                self.answer = held.strip().lower() in {b"y", b"yes"}
                return

    def _print(self, text: bytes) -> None:
        with suppress(OSError):
            os.write(self._terminal, text)
