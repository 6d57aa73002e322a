"""The socket that hooks and commands of this user ask: one question and one answer a connection, each in a thread.

A question is a line of words, the last the length of what follows it, and then so many bytes. Who listens decides what the
first word may be; a hook's is `hook AGENT EVENT SESSION LENGTH`, SESSION being `-` where none was given to it.
"""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

LARGEST = 64 * 1024 * 1024
"""Bytes of a question; Gemini's BeforeModel carries the whole conversation."""

SECONDS = 10.0
"""For a question to arrive, and for its answer to be taken."""

AT_ONCE = 64
"""Questions answered at once; more wait to be let in."""

_LONGEST_LINE = 4096

Answer = Callable[[tuple[str, ...], bytes], bytes | Iterable[bytes]]
"""From the words behind the first and the body to the answer, whole or in parts; a hook that is to be held longer than a few
seconds is sent a `STILL_HERE` now and then. What it raises goes to the log; the asker gets nothing."""

STILL_HERE = b" "

Log = Callable[[str], None]


class UnsafeFolderError(OSError):
    """The folder for sockets belongs to somebody else, or others may write to it."""


class NobodyError(OSError):
    """Nobody listens there, or whoever does gave no answer in time."""


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """What a hook does: print `text` after `wait` seconds and exit with `code`."""

    text: str = ""
    wait: float = 0.0
    code: int = 0

    def encode(self) -> bytes:
        """As `tabstop.beside.hook` reads it."""
        body = self.text.encode("utf-8", "replace")
        return b"%d %.3f %d\n" % (self.code, self.wait, len(body)) + body


class HookSocket:
    """Listens from `open` to `close`."""

    def __init__(self, path: Path, answers: Mapping[str, Answer], log: Log) -> None:
        """answers: by the question's first word."""
        self.path = path
        self._answers = answers
        self._log = log
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._listener: socket.socket | None = None
        self._closed = threading.Event()

    def open(self) -> None:
        """Listen. Raises `OSError`, among them `UnsafeFolderError`. A socket that a dead process left is replaced."""
        make_private(self.path.parent)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with suppress(FileNotFoundError):
                self.path.unlink()
            listener.bind(str(self.path))
            self.path.chmod(0o600)
            listener.listen(AT_ONCE * 2)
        except OSError:
            listener.close()
            raise
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name="hook socket", daemon=True).start()

    def close(self) -> None:
        """Stop listening; questions being answered are answered. Closing twice is harmless."""
        self._closed.set()
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # ends a waiting accept
            listener.close()
            with suppress(OSError):
                self.path.unlink()

    def __enter__(self) -> Self:
        """Open it."""
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        while not self._closed.is_set():
            self._places.acquire()
            try:
                connection, _ = listener.accept()
            except OSError as error:
                self._places.release()
                if not self._closed.is_set():
                    self._log(f"the socket failed: {error}")
                    self._closed.wait(0.1)
                continue
            threading.Thread(target=self._serve, args=(connection,), name="hook", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.settimeout(SECONDS)
                first, words, body = _question(connection)
                answer = self._answers[first](words, body)
                for part in (answer,) if isinstance(answer, bytes) else answer:
                    connection.sendall(part)
        except Exception as error:  # noqa: BLE001 - one bad question must not end the governor
            self._log(f"a question was not answered: {type(error).__name__}: {error}")
        finally:
            self._places.release()


def ask(path: Path, first: str, words: tuple[str, ...] = (), body: bytes = b"", seconds: float = SECONDS) -> bytes:
    """Ask whoever listens there. Raises `NobodyError`."""
    return b"".join(relay(path, first, words, body, seconds))


def relay(
    path: Path, first: str, words: tuple[str, ...] = (), body: bytes = b"", seconds: float = SECONDS
) -> Iterator[bytes]:
    """The answer of whoever listens there, each part as it comes. Raises `NobodyError`, also after so many silent seconds."""
    came = False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(seconds)
            connection.connect(str(path))
            connection.sendall(" ".join([first, *words, str(len(body))]).encode() + b"\n" + body)
            while part := connection.recv(65536):
                came = True
                yield part
    except OSError as error:
        raise NobodyError(f"nobody answers at {path}: {error}") from error
    if not came:
        raise NobodyError(f"{path} gave no answer")


def make_private(folder: Path) -> None:
    """Make the folder, for this user only. Raises `UnsafeFolderError` when it is not that afterwards."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
        raise UnsafeFolderError(f"{folder} belongs to somebody else; remove it, or set TMPDIR to a folder of your own")
    if about.st_mode & 0o077:
        folder.chmod(0o700)


def is_private(folder: Path) -> bool:
    """Whether it is this user's own and nobody else may enter: only who listens there is handed what an agent said."""
    try:
        about = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid() and not about.st_mode & 0o077


def _question(connection: socket.socket) -> tuple[str, tuple[str, ...], bytes]:
    held = b""
    while b"\n" not in held:
        part = connection.recv(65536)
        if not part or len(held) > _LONGEST_LINE:
            raise ValueError("no question")
        held += part
    line, _, begun = held.partition(b"\n")
    first, *words, length = line.decode("ascii").split(" ")
    size = int(length)
    if not 0 <= size <= LARGEST:
        raise ValueError(f"a question of {size} bytes")
    parts, missing = [begun], size - len(begun)
    while missing > 0:
        part = connection.recv(min(1 << 20, missing))
        if not part:
            raise ValueError("a question that was cut off")
        parts.append(part)
        missing -= len(part)
    return first, tuple(words), b"".join(parts)[:size]
