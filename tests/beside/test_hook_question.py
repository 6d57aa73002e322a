"""The question whether a session may begin, by itself: what becomes of one that the server knows, and of one that nobody waits for."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from tabstop.beside.admission import Asked, NotAdmittedError
from tabstop.beside.gauge_file import keep_gauges, machine_gauges
from tabstop.beside.hook_question import NOTHING_TOLD, Question
from tabstop.beside.payer import StartedWith
from tabstop.beside.session_folder import Record
from tabstop.beside.transport import Request, Response, Transport
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.governor.settings import OnFull, Settings, Windows
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

    def __init__(
        self,
        record: Record,
        transport: Transport,
        environ: Mapping[str, str] = ENVIRON,
        started: StartedWith = NOTHING_TOLD,
        patience: float = 60.0,
    ) -> None:
        """Ask."""
        self.said: list[str] = []
        self.environ = environ
        before = {*threading.enumerate()}
        super().__init__(
            record, environ, BEGUN, self.said.append, started=started, transport=transport, patience=patience
        )
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


def read(environ: Mapping[str, str], used: int) -> None:
    """The machine has read its plan's window."""
    reading = GaugeReading("anthropic", "", "5h", used, BEGUN, GaugeSource.STATUS_LINE, BEGUN + timedelta(hours=1), 300)
    keep_gauges(machine_gauges(environ), [reading])


def deferred(
    record: Record, transport: Transport, folder: Path, *, used: int = 9_700, patience: float = 60.0
) -> Asking:
    """Asked on a machine that has read its plan's window, under a policy that defers at a full one."""
    environ = {**ENVIRON, "HOME": str(folder), "TABSTOP_STATE": str(folder / "state")}
    (folder / "state").mkdir(exist_ok=True)
    read(environ, used)
    settings = replace(record.settings, windows=Windows(OnFull.DEFER))
    return Asking(replace(record, settings=settings), transport, environ, StartedWith(folder=folder), patience)


def test_while_the_server_is_away_a_full_window_defers_at_once(tmp_path: Path) -> None:
    """The first prompt, which waits for no second try; and that is the answer, whatever comes of the other tries."""
    question = deferred(NEW, FakeServer(away=True), tmp_path)
    answer = question.wait()
    assert isinstance(answer, NotAdmittedError)
    assert answer.verdict.retry_at == BEGUN + timedelta(hours=1)
    assert question.over() is answer


def test_while_the_server_is_slow_a_full_window_defers_too(tmp_path: Path) -> None:
    """Where it admits the session later, that is told that it did not begin."""
    slow = Slow(FakeServer())
    question = deferred(NEW, slow, tmp_path, patience=0.05)
    assert isinstance(question.wait(), NotAdmittedError)
    slow.go.set()
    question.over()
    assert [one.outcome for one in slow.server.ends] == ["not started"]


def test_what_the_server_knows_is_not_deferred_here(tmp_path: Path) -> None:
    """It was let in there; it goes on."""
    slow = Slow(FakeServer())
    question = deferred(KNOWN, slow, tmp_path, patience=0.05)
    assert question.wait() is None
    slow.go.set()
    assert isinstance(question.over(), Asked)


def test_who_was_let_through_is_reported_later() -> None:
    """Nobody answered, and this machine has nothing against it: the record keeps which server to tell."""
    question = Asking(NEW, FakeServer(away=True))
    assert question.wait() is None
    answer = question.over()
    assert (answer.record.server, answer.record.start.repository) == (SERVER, "acme/widget")


def test_who_was_let_through_is_not_refused_by_this_machine_later(tmp_path: Path) -> None:
    """What it reads of the windows meanwhile changes nothing: the session is reported when the server is back."""
    slow = Slow(FakeServer(away=True))
    question = deferred(NEW, slow, tmp_path, used=100, patience=0.05)
    assert question.wait() is None
    read(question.environ, 9_700)
    slow.go.set()
    answer = question.over()
    assert answer.record.server == SERVER
    assert answer.said.endswith("is reported later.")


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
