"""The real transport, over loopback: answers of any status, silence as one error, and no redirect followed with a token."""

from __future__ import annotations

import socket
import threading

import pytest

from tabstop.beside.transport import LONGEST_ANSWER, NoAnswerError, Request, Response, UrllibTransport
from tests.action.fake_tabstop import FakeTabstop, LoopbackTabstop, times


@pytest.fixture
def fake() -> FakeTabstop:
    return FakeTabstop()


def post(address: str) -> Request:
    return Request("POST", f"{address}/api/v1/sessions", {"Authorization": "Bearer t"}, b"{}")


@pytest.mark.parametrize("status", [200, 201, 302, 403, 404, 500])
def test_every_status_is_an_answer(fake: FakeTabstop, status: int) -> None:
    """The caller judges statuses; a redirect is handed back and its target never sees the token."""
    fake.fault = times(99, Response(status, b'{"a": 1}', 7))
    with LoopbackTabstop(fake) as server:
        answer = UrllibTransport().send(post(server.address), 5)
    assert (answer.status, answer.body, answer.retry_after) == (status, b'{"a": 1}', 7)


def test_nobody_there(fake: FakeTabstop) -> None:
    """A closed port is said in words."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(NoAnswerError, match="Connection refused"):
        UrllibTransport().send(post(f"http://127.0.0.1:{port}"), 5)


def test_a_connection_that_ends_early() -> None:
    """Broken off before the status line is one kind of silence."""
    with LoopbackOnce(b"") as address, pytest.raises(NoAnswerError):
        UrllibTransport().send(post(address), 5)


def test_something_that_is_no_http() -> None:
    """Nonsense on the line is another."""
    with LoopbackOnce(b"SSH-2.0-OpenSSH_9.6\r\n\r\n") as address, pytest.raises(NoAnswerError):
        UrllibTransport().send(post(address), 5)


def test_too_late() -> None:
    """Past the time there is no answer."""
    with LoopbackOnce(None) as address, pytest.raises(NoAnswerError, match="no answer in time"):
        UrllibTransport().send(post(address), 0.2)


@pytest.mark.parametrize("token", ["a\nX-Other: b", "\ud800", "€"])
def test_a_token_that_cannot_be_sent_is_not_shown(token: str) -> None:
    """A header that HTTP does not allow is an error without the header in it."""
    request = Request("POST", "http://127.0.0.1:9/", {"Authorization": f"Bearer {token}"}, b"")
    with pytest.raises(NoAnswerError) as caught:
        UrllibTransport().send(request, 1)
    assert token not in str(caught.value)
    assert caught.value.__cause__ is None or not isinstance(caught.value.__cause__, ValueError)


def test_an_endless_answer_is_cut() -> None:
    """Memory is bounded by the longest answer there can be."""
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    with LoopbackOnce(head + b"x" * (LONGEST_ANSWER + 1000)) as address:
        assert len(UrllibTransport().send(post(address), 5).body) == LONGEST_ANSWER


class LoopbackOnce:
    """Accepts one connection and says these bytes; None says nothing until the end."""

    def __init__(self, said: bytes | None) -> None:
        self._said = said
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(5)
        self._listening.close()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with connection:
            connection.recv(65536)
            if self._said is None:
                self._over.wait(5)
                return
            try:
                connection.sendall(self._said)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):  # closing with something unread would reset the connection
                    pass
            except OSError:  # the other side had enough
                return
