"""The client of the server: repeats what can be repeated, with one key; tells a refusal from a problem from silence."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tabstop.beside.server import NotAcceptedError, Server, UnreachableError
from tabstop.beside.transport import NoAnswerError, Request, Response
from tabstop.verdict import Outcome
from tabstop.wire import EndRequest, Problem, StartRequest, UsageBatch
from tests.action.fake_tabstop import FakeClock, FakeTabstop, InProcess, problem, spent_tab, times

ADDRESS = "https://tabstop.acme.example"
QUESTION = StartRequest(agent="claude-code", repository="acme/widget", branch="claude/fix")


class Peer:
    """A server and a client that talks to it."""

    def __init__(self) -> None:
        self.fake = FakeTabstop()
        self.clock = FakeClock()
        self.transport = InProcess({ADDRESS: self.fake.answer})
        self.client = Server(ADDRESS + "/", self.transport, self.clock.sleep)

    def start(self, key: str = "key-1") -> str:
        return self.client.start(QUESTION, token="token-1", key=key).session


@pytest.fixture
def peer() -> Peer:
    return Peer()


def test_a_session_from_start_to_end(peer: Peer) -> None:
    """The three calls carry what the wire says, under the session's own token."""
    answer = peer.client.start(QUESTION, token="token-1", key="key-1")
    assert answer.session == "s1"
    peer.client.usage("s1", UsageBatch(), token=answer.token)
    ended = peer.client.end("s1", EndRequest("finished"), token=answer.token)
    assert ended.tokens == 0
    assert peer.fake.sessions["s1"].start == QUESTION
    assert [request.method for request in peer.transport.sent] == ["POST"] * 3


def test_a_refusal_is_an_answer(peer: Peer) -> None:
    """403 with a verdict is no error: it has findings and no session."""
    peer.fake.decide = lambda _request: spent_tab()
    answer = peer.client.start(QUESTION, token="token-1", key="key-1")
    assert answer.session == ""
    assert answer.verdict.outcome is Outcome.STOP


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_passes_is_tried_again(peer: Peer, status: int) -> None:
    """A passing fault is not the end; the pauses grow."""
    peer.fake.fault = times(3, Response(status))
    assert peer.start() == "s1"
    assert peer.clock.slept == [1, 2, 4]


def test_silence_ends_after_all_tries(peer: Peer) -> None:
    """Four tries, then it says how the last one ended."""
    peer.fake.fault = times(99, NoAnswerError("Connection refused"))
    with pytest.raises(UnreachableError, match="Connection refused"):
        peer.start()
    assert len(peer.transport.sent) == 4


def test_an_answer_lost_on_the_way_starts_no_second_session(peer: Peer) -> None:
    """The server did it, the answer was lost: the repeated request has the same key and gets the same session."""

    def lost_once(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
        lost = [True]

        def reply(request: Request) -> Response:
            response = answer(request)
            if lost.pop() if lost else False:
                raise NoAnswerError("Connection reset by peer")
            return response

        return reply

    peer.transport.routes[ADDRESS] = lost_once(peer.fake.answer)
    assert peer.start() == "s1"
    assert list(peer.fake.sessions) == ["s1"]


@pytest.mark.parametrize(("after", "slept"), [(3, [3]), (20, [20]), (21, [])])
def test_the_servers_own_pause_is_kept_unless_too_long(peer: Peer, after: int, slept: list[int]) -> None:
    """`Retry-After` is obeyed; a step of a job does not sit out minutes."""
    peer.fake.fault = times(1, Response(503, b"", after))
    if slept:
        assert peer.start() == "s1"
    else:
        with pytest.raises(UnreachableError, match="HTTP 503") as caught:
            peer.start()
        assert caught.value.retry_after == after
    assert peer.clock.slept == slept


def test_a_problem_is_not_tried_again(peer: Peer) -> None:
    """A 4xx with its explanation would be the same the next time."""
    said = Problem("This token has already asked.", "why", "do this")
    peer.fake.fault = times(99, problem(409, said))
    with pytest.raises(NotAcceptedError, match="already asked") as caught:
        peer.start()
    assert (caught.value.status, caught.value.problem) == (409, said)
    assert len(peer.transport.sent) == 1


FOREIGN = {
    "login page": Response(200, b"<html>"),
    "redirect": Response(302),
    "default backend": Response(404, b"404 page not found"),
    "other JSON": Response(200, b'{"ok": true}'),
    "other 403": Response(403, b'{"message": "Forbidden"}'),
    "list": Response(200, b"[]"),
    "half a body": Response(201, b'{"verdict": {"findings": ['),
    "verdict of nonsense": Response(403, b'{"verdict": {"findings": [{"signal": "weather"}]}}'),
    "problem of nonsense": Response(400, b'{"title": 3}'),
    "deep": Response(200, b"[" * 200_000),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_not_tabstop_is_no_answer(peer: Peer, name: str) -> None:
    """Whatever stands between is neither an admission nor a refusal."""
    peer.fake.fault = times(99, FOREIGN[name])
    with pytest.raises(UnreachableError):
        peer.start()


def test_the_session_cannot_change_the_path(peer: Peer) -> None:
    """An id from elsewhere stays one segment."""
    with pytest.raises(NotAcceptedError):
        peer.client.end("../../admin?x=", EndRequest("finished"), token="t")
    assert peer.transport.sent[0].url == f"{ADDRESS}/api/v1/sessions/..%2F..%2Fadmin%3Fx%3D/end"


def test_tokens_are_not_in_representations(peer: Peer) -> None:
    """A request that lands in a traceback shows no bearer."""
    peer.start()
    assert "token-1" not in repr(peer.transport.sent[0])
    assert json.loads(peer.transport.sent[0].body or b"")["agent"] == "claude-code"
