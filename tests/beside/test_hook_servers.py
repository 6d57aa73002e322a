"""One governor, sessions with servers of their own: each session's environment decides whom it asks, whatever the governor was started with."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tabstop.beside import hook_desk, hook_question
from tabstop.beside.hook_records import name_of
from tabstop.beside.session_folder import SessionFolder
from tabstop.beside.spool import pending, spool_root
from tabstop.beside.transport import NoAnswerError, Response
from tests.action.fake_tabstop import FakeTabstop, LoopbackTabstop, spent_tab
from tests.beside.hook_machine import Machine, machine
from tests.support.hook_payloads import payload
from tests.support.waiting import until

__all__ = ["machine"]

ONE, TWO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
OFF = {"TABSTOP_SERVER": "off"}


class Office:
    """A server of somebody's, and what it was asked. away: it does not answer."""

    def __init__(self, name: str) -> None:
        self.fake = FakeTabstop()
        self.fake.names = name
        asked = count()
        self.fake.identify = lambda _token: str(next(asked))  # one person's token, good for any number of sessions
        self.fake.fault = self._heard
        self.heard: list[str] = []
        self.away = False
        self.loopback = LoopbackTabstop(self.fake)
        self.environ = {
            "TABSTOP_SERVER": self.loopback.address, "TABSTOP_TOKEN": f"token of {name}", "TABSTOP_REPOSITORY": "acme/widget",
        }  # fmt: skip

    def _heard(self, route: str) -> Response | None:
        if self.away:
            raise NoAnswerError("away")
        self.heard.append(route)
        return None

    @property
    def tokens(self) -> list[str]:
        """Who asked it to let a session begin."""
        return [one.token for one in self.fake.asked]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is about time: a busy machine is waited for."""
    monkeypatch.setattr(hook_question, "PATIENCE", 60.0)
    monkeypatch.setattr(hook_question, "MOMENT", 60.0)


@pytest.fixture
def a() -> Iterator[Office]:
    """A server."""
    office = Office("a")
    with office.loopback:
        yield office


@pytest.fixture
def b() -> Iterator[Office]:
    """Another one."""
    office = Office("b")
    with office.loopback:
        yield office


class Client:
    """One session of an agent, in its environment, over a machine where nothing is set and nobody logged in."""

    def __init__(self, machine: Machine, environ: dict[str, str], session: str = ONE) -> None:
        self.machine = machine
        self.environ = {"TABSTOP_SERVER": "", "TABSTOP_TOKEN": "", "HOME": str(machine.folder / session), **environ}
        self.transcript = machine.folder / f"{session}.jsonl"
        self.session = session
        self.answers = 0

    def says(self, event: str, **fields: Any) -> dict[str, Any]:
        """The hook's reply."""
        body = payload(event, self.transcript, **fields) | {"session_id": self.session}
        return self.machine.hook(body, self.environ) or {}

    def uses(self, tokens: int) -> None:
        """Its model answers."""
        self.answers += 1
        message = {
            "id": f"msg_{self.answers}",
            "model": "claude-opus-5-5",
            "usage": {"input_tokens": tokens},
            "content": [],
        }
        row = {"type": "assistant", "sessionId": self.session, "requestId": f"req_{self.answers}", "message": message}
        with self.transcript.open("a") as stream:
            stream.write(json.dumps({**row, "timestamp": datetime.now(UTC).isoformat()}) + "\n")
        self.says("Stop")

    @property
    def folder(self) -> SessionFolder:
        """Where the governor keeps it."""
        return SessionFolder(self.machine.state / "sessions" / name_of("claude-code", self.session))


def test_off_is_off_beside_a_governor_with_a_server(machine: Machine, a: Office) -> None:
    """Nobody is asked or told, and nothing else is promised."""
    a.fake.decide = lambda _request: spent_tab()
    client = Client(machine, OFF)
    with machine.governor(a.environ):
        assert "Your server" not in client.says("SessionStart")["systemMessage"]
        assert client.says("UserPromptSubmit") == {}
        client.uses(1_000)
        client.says("SessionEnd")
    assert a.heard == []


def test_a_session_has_its_server_beside_a_governor_without_one(machine: Machine, a: Office) -> None:
    """Its red cap binds, by its own token, which lies on no disk."""
    a.fake.decide = lambda _request: spent_tab()
    client = Client(machine, a.environ)
    with machine.governor(OFF):
        assert "Your server is asked" in client.says("SessionStart")["systemMessage"]
        assert client.says("UserPromptSubmit")["decision"] == "block"
    assert a.tokens == ["token of a"]
    assert kept(machine, "token of a") == []


def test_each_session_has_its_own(machine: Machine, a: Office, b: Office) -> None:
    """From its start over its reports to its end, and when it is resumed."""
    clients = [Client(machine, a.environ), Client(machine, b.environ, TWO)]
    with machine.governor(a.environ):
        for client in clients:
            client.says("SessionStart")
            assert "decision" not in client.says("UserPromptSubmit")
        for client, tokens in zip(clients, (1_000, 2_000), strict=True):
            client.uses(tokens)
            client.says("SessionEnd")
        until(lambda: "end" in a.heard and "end" in b.heard)
        before = list(a.heard), list(b.heard)
        clients[1].says("SessionStart", source="resume")
        clients[1].says("UserPromptSubmit")
    assert (a.tokens, b.tokens) == (["token of a"], ["token of b"])
    assert [one.fake.sessions[f"{one.fake.names}1"].tokens.total for one in (a, b)] == [1_000, 2_000]
    assert (a.heard, b.heard[len(before[1])]) == (before[0], "resume")
    assert kept(machine, "token of b") == []


@pytest.mark.parametrize("ended", [True, False])
def test_one_that_is_resumed_without_its_server_is_told_to_nobody(machine: Machine, a: Office, ended: bool) -> None:
    """Also where its client was killed, so that the governor still reports it."""
    client = Client(machine, a.environ)
    with machine.governor({}):
        client.says("SessionStart")
        client.says("UserPromptSubmit")
        if ended:
            client.says("SessionEnd")
            until(lambda: "end" in a.heard)
        client.environ |= OFF
        client.says("SessionStart", source="resume")
        before = list(a.heard)
        client.says("UserPromptSubmit")
        client.uses(1_000)
        client.says("SessionEnd")
    assert a.heard == before != []
    assert client.folder.record().server == ""


def test_one_that_is_resumed_at_another_server_begins_there(machine: Machine, a: Office, b: Office) -> None:
    """The first one hears no more of it."""
    client = Client(machine, a.environ)
    with machine.governor({}):
        client.says("SessionStart")
        client.says("UserPromptSubmit")
        client.says("SessionEnd")
        until(lambda: "end" in a.heard)
        before = list(a.heard)
        client.environ |= b.environ
        client.says("SessionStart", source="resume")
        client.says("UserPromptSubmit")
        assert client.folder.record().server_session == "b1"
    assert a.heard == before != []
    assert b.tokens == ["token of b"]


def test_what_could_not_be_told_is_brought_along_to_its_own_server(machine: Machine, a: Office, b: Office) -> None:
    """By the next session that reaches it, wherever that one's home is; one with another server leaves it alone."""
    a.away = True
    late = Client(machine, a.environ)
    with machine.governor(b.environ):
        late.says("SessionStart")
        assert "decision" not in late.says("UserPromptSubmit")
        late.uses(200)  # while it is still being tried
        until(lambda: "could not be asked" in json.dumps(late.says("UserPromptSubmit")))
        late.uses(1_000)
        late.says("SessionEnd")
        until(lambda: pending(spool_root(machine.environ)))
        a.away = False
        for office in (b, a):
            client = Client(machine, office.environ, TWO)
            client.says("SessionStart")
            client.says("UserPromptSubmit")
            client.says("SessionEnd")
        until(lambda: not pending(spool_root(machine.environ)))
    assert sorted(known.tokens.total for known in a.fake.sessions.values()) == [0, 1_200]
    assert {known.tokens.total for known in b.fake.sessions.values()} == {0}


def test_what_was_used_without_it_is_told_to_no_server(machine: Machine, a: Office) -> None:
    """Not when the session comes back to it, though that had not heard all of what was before."""
    client = Client(machine, a.environ)
    with machine.governor({}):
        client.says("SessionStart")
        client.says("UserPromptSubmit")
        a.away = True
        client.uses(1_000)
    assert client.folder.unreported.exists()
    with machine.governor({}):
        client.environ |= OFF
        client.says("SessionStart", source="resume")
        client.says("UserPromptSubmit")
        client.uses(500)
        client.says("SessionEnd")
        a.away = False
        client.environ |= a.environ
        client.says("SessionStart", source="resume")
        client.says("UserPromptSubmit")
        client.uses(20)
        client.says("SessionEnd")
        until(lambda: "a2" in a.fake.sessions and a.fake.sessions["a2"].end)
    assert a.fake.sessions["a2"].tokens.total == 20


def test_a_last_report_that_takes_long_holds_up_nobody(
    machine: Machine, a: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other sessions are answered meanwhile, and its own has left its server whenever it is taken up."""
    monkeypatch.setattr(hook_desk, "_CLOSING_SECONDS", 0.05)
    client, goes_on = Client(machine, a.environ), threading.Event()

    def slowly(route: str) -> None:
        assert goes_on.wait(60)
        a.heard.append(route)

    with machine.governor({}):
        client.says("SessionStart")
        client.says("UserPromptSubmit")
        a.fake.fault = slowly
        client.uses(1_000)
        client.environ |= OFF
        client.says("SessionStart", source="resume")
        assert "may use" in Client(machine, OFF, TWO).says("SessionStart")["systemMessage"]
        goes_on.set()
        until(lambda: a.fake.sessions["a1"].end)
        until(lambda: client.says("PostToolUse") is not None and not client.folder.record().server)
        before = list(a.heard)
        client.uses(300)
        client.says("SessionEnd")
    assert a.heard == before
    assert a.fake.sessions["a1"].tokens.total == 1_000


def test_what_was_used_before_a_late_answer_is_told(
    machine: Machine, a: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prompt does not wait for ever: what came of it is the server's all the same, once it has answered. Nothing from before is."""
    monkeypatch.setattr(hook_question, "PATIENCE", 0.01)
    client = Client(machine, OFF)
    answers = threading.Event()

    def in_time(_route: str) -> None:
        assert answers.wait(60)

    with machine.governor({}):
        client.says("SessionStart")
        client.says("UserPromptSubmit")
        client.uses(100)
        client.says("SessionEnd")
        client.environ |= a.environ
        a.fake.fault = in_time
        client.says("SessionStart", source="resume")
        assert "decision" not in client.says("UserPromptSubmit")
        client.uses(1_000)
        answers.set()
        until(lambda: a.fake.asked)
        until(lambda: client.says("PreToolUse") is not None and client.folder.record().server_session)
        client.uses(10)
        client.says("SessionEnd")
        until(lambda: a.fake.sessions["a1"].end)
    assert a.fake.sessions["a1"].tokens.total == 1_010


def kept(machine: Machine, secret: str) -> list[Path]:
    """Files of the machine that hold it, plain or as a hook tells it."""
    files = [path for path in machine.folder.rglob("*") if path.is_file()]
    return [
        one
        for one in files
        if any(text in one.read_bytes() for text in (secret.encode(), secret.encode().hex().encode()))
    ]
