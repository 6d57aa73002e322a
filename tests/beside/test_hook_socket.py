"""The socket: one question, one answer, for this user alone, whatever the other side does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tabstop.beside.hook_socket import (
    HookAnswer,
    HookSocket,
    NobodyError,
    UnsafeFolderError,
    ask,
    is_private,
    make_private,
)
from tests.beside.short_folder import short_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as path:
        yield path / "own"


class Listening(HookSocket):
    """Answers `echo` with what it was told, `fail` with a fault; keeps its log."""

    def __init__(self, path: Path) -> None:
        self.said: list[str] = []
        answers = {"echo": lambda words, body: " ".join(words).encode() + b"|" + body, "fail": self._fail}
        super().__init__(path, answers, self.said.append)

    def _fail(self, words: tuple[str, ...], body: bytes) -> bytes:
        raise KeyError("a fault")

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 60
        while not any(text in line for line in self.said):
            assert time.monotonic() < deadline, self.said
            time.sleep(0.01)


def test_questions_are_answered(folder: Path) -> None:
    """Short ones, ones of several megabytes, and many at once; the socket and its folder are this user's alone."""
    with Listening(folder / "s") as listening:
        assert ask(listening.path, "echo", ("a", "b"), b"body") == b"a b|body"
        big = b"x" * (5 * 1024 * 1024)
        assert ask(listening.path, "echo", (), big) == b"|" + big
        answers: list[bytes] = []
        threads = [threading.Thread(target=lambda: answers.append(ask(listening.path, "echo"))) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [b"|"] * 100
        assert listening.path.stat().st_mode & 0o777 == 0o600
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not listening.path.exists()
    listening.close()


@pytest.mark.parametrize(
    "question",
    [
        b"", b"echo", b"\n", b"echo x\n", b"echo -1\n", b"echo 99999999999\n", b"echo 10\nshort", b"none 0\n", b"\xff 0\n",
        b"x" * 5000, b"fail 0\n",
    ],
)  # fmt: skip
def test_a_bad_question_gets_nothing_and_the_next_is_answered(folder: Path, question: bytes) -> None:
    """It is logged, once, and harms nobody else."""
    with Listening(folder / "s") as listening:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(listening.path))
            connection.sendall(question)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100) == b""
        listening.wait_for("a question was not answered")
        assert ask(listening.path, "echo") == b"|"


def test_nobody(folder: Path) -> None:
    """No socket, a socket nobody listens at, and one that closes without a word are all nobody."""
    with pytest.raises(NobodyError):
        ask(folder / "s", "echo")
    with Listening(folder / "s") as listening:
        with pytest.raises(NobodyError):
            ask(listening.path, "fail")
        kept = folder / "kept"
        kept.hardlink_to(listening.path)
    with pytest.raises(NobodyError):
        ask(kept, "echo")


def test_what_a_dead_process_left_is_replaced(folder: Path) -> None:
    """A socket file without a listener is no reason not to begin."""
    make_private(folder)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "s"))
    with Listening(folder / "s") as listening:
        assert ask(listening.path, "echo") == b"|"


def test_a_folder_of_somebody_else_is_refused(folder: Path) -> None:
    """A link could lead anywhere; one of ours that others may enter is closed to them."""
    elsewhere = folder.with_name("elsewhere")
    elsewhere.mkdir(mode=0o755)
    folder.symlink_to(elsewhere)
    with pytest.raises(UnsafeFolderError):
        Listening(folder / "s").open()
    make_private(elsewhere)
    assert elsewhere.stat().st_mode & 0o777 == 0o700


def test_what_is_handed_on_goes_to_a_private_folder(folder: Path) -> None:
    """Of this user, closed to others, and no link."""
    assert not is_private(folder)
    make_private(folder)
    assert is_private(folder)
    folder.with_name("link").symlink_to(folder)
    assert not is_private(folder.with_name("link"))
    folder.chmod(0o750)
    assert not is_private(folder)


def test_a_path_too_long_is_said(folder: Path) -> None:
    """The fault is told to whoever opens it, and nothing is left open."""
    with pytest.raises(OSError, match="path too long"):
        Listening(folder / ("s" * 120)).open()


def test_a_failing_listener_is_logged_and_goes_on(folder: Path) -> None:
    """Running out of descriptors passes; the governor outlives it."""
    listening = Listening(folder / "s")
    listening.open()
    assert listening._listener is not None
    listening._listener.shutdown(socket.SHUT_RDWR)
    listening.wait_for("the socket failed")
    listening.close()


def test_an_answer_is_a_line_and_a_text() -> None:
    """Exit code, seconds, length, text: what the hook reads without parsing anything else."""
    assert HookAnswer("é", 1.5, 2).encode() == b"2 1.500 2\n\xc3\xa9"
