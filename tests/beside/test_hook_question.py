"""The question whether a session may begin, by itself: what becomes of one that the server knows, and of one that nobody waits for."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tabstop.beside.admission import Asked, NotAdmittedError
from tabstop.beside.hook_question import Question
from tabstop.beside.session_folder import Record
from tabstop.beside.transport import Request, Response, Transport
from tabstop.governor.settings import Settings
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tabstop.wire import Problem, ResumeAnswer, StartRequest
from tabstop.wire_json import to_json
from tests.beside.fake_server import FakeServer
from tests.governor.builders import BEGUN

SERVER = "https://tabstop.example"
ENVIRON = {"TABSTOP_SERVER": SERVER, "TABSTOP_TOKEN": "t", "TABSTOP_REPOSITORY": "acme/widget"}
NEW = Record("s1", BEGUN, StartRequest("claude-code"), Settings(session="s1"))
KNOWN = replace(NEW, server=SERVER, server_session="ses_1", token="t0", key="k" * 16)
SPENT = Finding(Signal.BUDGET, Outcome.STOP, "tab", "The tab's budget of $2 is spent.")


@dataclass
class Forgetful(FakeServer):
    """It has lost what it knew of sessions that ended."""

    def send(self, request: Request, timeout: float) -> Response:
        """See `FakeServer`."""
        if request.url.endswith("/resume"):
            return Response(404, json.dumps(to_json(Problem("No such session."))).encode())
        return super().send(request, timeout)


class Slow:
    """A server that answers only when `go` is set."""

    def __init__(self, server: FakeServer) -> None:
        """Not yet."""
        self.server = server
        self.go = threading.Event()

    def send(self, request: Request, timeout: float) -> Response:
        """See `FakeServer`."""
        assert self.go.wait(60)
        return self.server.send(request, timeout)


class Asking(Question):
    """A question whose threads can be waited for; what is logged is kept."""

    def __init__(self, record: Record, transport: Transport) -> None:
        """Ask."""
        self.said: list[str] = []
        before = {*threading.enumerate()}
        super().__init__(record, ENVIRON, BEGUN, self.said.append, transport=transport, patience=60.0)
        self.before = before

    def over(self) -> Any:
        """Its answer, when nothing of it runs any more."""
        for thread in {*threading.enumerate()} - self.before:
            if thread.name == "tabstop-question":
                thread.join(60)
        return self.answer


def test_a_session_that_the_server_knows_goes_on_there() -> None:
    """No new one is begun; it is told with the token that the server gave now."""
    server = FakeServer()
    assert Asking(KNOWN, server).over() == Asked(replace(KNOWN, token="fresh"))
    assert (server.asked, server.tokens) == (["resume"], ["t0"])


def test_one_that_ended_goes_on_only_where_it_could_begin() -> None:
    """The server's no is a no here, with its reason."""
    answer = Asking(KNOWN, FakeServer(resumed=ResumeAnswer(Verdict((SPENT,))))).over()
    assert isinstance(answer, NotAdmittedError)
    assert str(answer).startswith("The tab's budget of $2 is spent.")


def test_one_that_the_server_has_forgotten_begins_anew() -> None:
    """As a session of its own there."""
    server = Forgetful()
    answer = Asking(KNOWN, server).over()
    assert (answer.record.server_session, answer.record.token) == ("ses_9", "t9")
    assert len(server.starts) == 1


def test_one_that_nobody_can_be_asked_about_goes_on_as_it_was() -> None:
    """The server hears of it when it is back; people are told that."""
    answer = Asking(KNOWN, FakeServer(away=True)).over()
    assert answer.record == KNOWN
    assert answer.said.startswith("https://tabstop.example could not be asked (no route to host).")


def test_one_that_nobody_can_be_asked_about_is_refused_where_the_policy_says_so(tmp_path: Path) -> None:
    """`server_unreachable: block` is about every session, one that the server knows too; a prompt waits for the last try."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / "tabstop.yml").write_text("server_unreachable: block\n")
    for record in (NEW, KNOWN):
        answer = Asking(replace(record, cwd=str(tmp_path)), FakeServer(away=True)).wait()
        assert isinstance(answer, NotAdmittedError)
        assert "could not be asked (no route to host), and `server_unreachable: block` is set." in str(answer)


def test_what_nobody_waits_for_any_more_holds_nothing() -> None:
    """Answered already or not, the server is told that it did not begin."""
    for early in (True, False):
        server = FakeServer()
        slow = Slow(server)
        question = Asking(NEW, slow)
        if early:
            slow.go.set()
            assert question.over() is not None
        question.abandon()
        slow.go.set()
        assert question.over() is None
        assert [one.outcome for one in server.ends] == ["not started"]
        assert server.tokens[-1] == "t9"


def test_of_what_was_not_admitted_nothing_is_ended() -> None:
    """Refused, or begun without the server: there is nothing to give back."""
    refuses = FakeServer()
    refuses.admits = replace(refuses.admits, verdict=Verdict((SPENT,)), session="")
    for server in (refuses, FakeServer(away=True)):
        slow = Slow(server)
        question = Asking(NEW, slow)
        question.abandon()
        slow.go.set()
        assert question.over() is None
        assert "end" not in server.asked
        assert question.said == []


def test_an_end_that_cannot_be_told_is_logged() -> None:
    """The server ends it itself when its lease is over."""
    server = FakeServer()
    question = Asking(NEW, server)
    assert question.over() is not None
    server.status = 401
    question.abandon()
    question.over()
    assert question.said == ["the server does not know that s1 did not begin: Not now."]
