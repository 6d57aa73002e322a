"""Sending what the queue of `tabstop sync` holds: nothing that the server will not take stands in the way of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from tabstop.beside.hook_records import name_of
from tabstop.beside.server import NotAcceptedError, Server, UnreachableError
from tabstop.beside.session_folder import Record, create
from tabstop.beside.sync.queue import Part, Queue
from tabstop.beside.sync.sending import Sent, Ways, send
from tabstop.evidence import CommitMade, Evidence, PullRequestLink
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.usage import Tokens, Usage
from tabstop.verdict import Verdict
from tabstop.wire import StartAnswer, StartRequest, UsageBatch
from tests.beside.fake_server import FakeServer
from tests.beside.picky_server import Picky, fine
from tests.governor.builders import at

ADDRESS = "https://tabstop.example"
FIRST, SECOND = Part("claude-code", "one", "acme/widget"), Part("claude-code", "two", "acme/widget")
OTHER = Part("codex", "three", "acme/gadget")
NOW = at(1_000)


@dataclass
class Machine:
    """A queue, and a server to send it to."""

    queue: Queue
    folder: Path
    server: Picky = field(default_factory=Picky)

    def used(self, part: Part, *keys: str, second: float = 1, branch: str = "fix") -> None:
        """Calls of a part, a second apart."""
        evidence = Evidence(part.repository, branch)
        calls = [
            (part, Usage((key,), "m", Tokens(output=10), at(second + number), part.agent, evidence=evidence))
            for number, key in enumerate(keys)
        ]
        self.queue.take(Path(part.session, *keys), "seen", 0, calls, (), (), (), lambda _: None)

    def saw(self, part: Part, *links: PullRequestLink, commits: tuple[CommitMade, ...] = ()) -> None:
        """What its client saw."""
        told = [(part, one) for one in links], [(part, one) for one in commits]
        self.queue.take(Path(part.session, "links"), "seen", 0, (), *told, (), lambda _: None)

    def send(self, *parts: Part, after: float = 0, gauges: tuple[GaugeReading, ...] = ()) -> Sent:
        """Send everything that waits, or these. after: seconds since `NOW`."""
        sent = Sent()
        server = Server(ADDRESS, self.server, lambda _seconds: None)
        ways = Ways(server, "acme", "tabstop_eng_a", self.folder / "sessions", gauges=gauges)
        send(self.queue, parts or self.queue.waiting(), ways, NOW + timedelta(seconds=after), sent)
        return sent

    def admitted(self, part: Part, **changes: object) -> None:
        """Its hooks asked the server while it ran."""
        record = Record("x", at(0), StartRequest(part.agent, part.repository, "fix"), server=ADDRESS, key="k" * 16)
        folder = create(self.folder / "sessions", replace(record, id=name_of(part.agent, part.session)))
        folder.write_record(replace(folder.record(), **changes))  # type: ignore[arg-type]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """See `Machine`."""
    found = Machine(Queue(tmp_path / "q.db"), tmp_path)
    yield found
    found.queue.close()


@pytest.mark.parametrize(
    ("what", "status"), [("sessions", 400), ("sessions", 409), ("usage", 404), ("usage", 403), ("end", 410)]
)
def test_a_session_that_is_not_taken(machine: Machine, what: str, status: int) -> None:
    """Is kept with the server's reason, and the next one is sent all the same; a later pass tries again."""
    for number, part in enumerate((FIRST, SECOND, OTHER)):
        machine.used(part, part.session, second=10 * number)
    asked: list[str] = []

    def first_one(path: str, _body: dict[str, object]) -> int:
        asked.append(path)
        return status if path == what and asked.count(what) == 1 else 0

    machine.server.fault = first_one
    sent = machine.send(after=3_600)
    assert sent.failed == {FIRST: f"It is not taken. Fault of {what}."}
    assert machine.server.keys[-2:] == ["two", "three"]
    assert len(machine.server.ends) == 2
    again = machine.send(FIRST, after=3_600)
    assert (again.failed, again.sessions) == ({}, 1)
    assert sorted(machine.server.keys) == ["one", "three", "two"]
    assert len(machine.server.ends) == 3


def test_a_repository_that_is_not_the_servers(machine: Machine) -> None:
    """Is asked about once; its sessions wait, with the reason, and other repositories' are sent."""
    for number, part in enumerate((FIRST, SECOND, OTHER)):
        machine.used(part, part.session, second=10 * number)
    machine.server.fault = lambda what, body: 403 if body.get("repository") == "acme/widget" else 0
    sent = machine.send()
    assert sent.not_covered == {"acme/widget": "It is not taken. Fault of sessions."}
    assert (len(machine.server.keys_asked), machine.server.keys) == (2, ["three"])
    assert [one.part for one in machine.queue.unsent()] == [FIRST, SECOND]


def test_a_session_that_a_verdict_refuses(machine: Machine) -> None:
    """An answer without a session is a refusal too."""
    machine.used(FIRST, "a")
    machine.server.admits = StartAnswer(Verdict())
    assert machine.send().failed == {FIRST: "The server did not take the session."}


def test_a_token_that_is_good_no_more(machine: Machine) -> None:
    """Nothing else is tried with it."""
    machine.used(FIRST, "a")
    machine.used(SECOND, "b")
    machine.server.fault = lambda *_: 401
    with pytest.raises(NotAcceptedError):
        machine.send()
    assert len(machine.server.keys_asked) == 1


def test_a_session_over_which_the_server_falls(machine: Machine) -> None:
    """An answer of 500 may mean that it is away, so the pass ends; the next one tells the others first."""
    for number, part in enumerate((FIRST, SECOND, OTHER)):
        machine.used(part, part.session, second=10 * number)
    machine.server.fault = lambda _what, body: 500 if body.get("thread") == "one" else 0
    for keys in ([], ["two", "three"]):
        with pytest.raises(UnreachableError, match="HTTP 500"):
            machine.send()
        assert machine.server.keys == keys
    machine.server.fault = fine
    machine.used(SECOND, "more", second=40)
    machine.send()
    assert machine.server.keys == ["two", "three", "more", "one"]
    assert machine.queue.deferred() == frozenset()


def test_one_bad_call_is_found_and_left_out(machine: Machine) -> None:
    """The batch is cut in two down to it; it is not sent again, and links and commits arrive but for a bad one."""
    machine.used(FIRST, *"abcdefg")
    links = [PullRequestLink("acme/widget", number, at=at(number)) for number in range(1, 6)]
    machine.saw(FIRST, *links, commits=(CommitMade("abc1234", "acme/widget", at=at(9)),))

    def bad(batch: UsageBatch) -> str:
        numbers = [one.number for one in batch.pull_requests]
        return "bad" if any(one.keys == ("e",) for one in batch.calls) or 3 in numbers else ""

    machine.server.refuse = bad
    sent = machine.send()
    assert (sent.calls, sent.refused, sent.failed) == (6, 1, {})
    assert sorted(machine.server.keys) == list("abcdfg")
    assert [one.number for batch in machine.server.batches for one in batch.pull_requests] == [1, 2, 4, 5]
    assert [one.sha for batch in machine.server.batches for one in batch.commits] == ["abc1234"]
    assert machine.queue.waiting() == []


def test_a_link_alone_is_no_session(machine: Machine) -> None:
    """Its calls were made elsewhere: nothing is asked."""
    machine.saw(FIRST, PullRequestLink("acme/widget", 1))
    assert machine.send().sessions == 0
    assert machine.server.asked == []


def test_the_end_is_told_once(machine: Machine) -> None:
    """Half an hour after the last call; a link that is found later is told without it."""
    machine.used(FIRST, "a")
    machine.send()
    assert machine.server.ends == []
    machine.send(FIRST, after=3_600)
    machine.saw(FIRST, PullRequestLink("acme/widget", 1, at=at(5)))
    machine.send(after=3_600)
    assert len(machine.server.ends) == 1
    assert [len(one.pull_requests) for one in machine.server.batches] == [0, 1]


def test_a_session_that_was_admitted_while_it_ran(machine: Machine) -> None:
    """What its log tells goes to that same session, by its own key; whoever watched it says its end."""
    machine.admitted(FIRST)
    machine.used(FIRST, "a")
    sent = machine.send(after=3_600)
    assert (machine.server.keys_asked, sent.calls, machine.server.ends) == (["k" * 16], 1, [])
    assert machine.server.starts[0].unadmitted_since == at(0)
    assert machine.queue.open_parts() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"server": "https://another.example"},
        {"key": ""},
        {"start": StartRequest("claude-code", "acme/gadget")},
    ],
)
def test_another_servers_or_repositorys_session(machine: Machine, changes: dict[str, object]) -> None:
    """Is not this one."""
    machine.admitted(FIRST, **changes)
    machine.used(FIRST, "a")
    assert machine.send().calls == 1
    assert machine.server.keys_asked != ["k" * 16]


@pytest.mark.parametrize("status", [403, 404, 409])
def test_an_admitted_session_that_is_forgotten(machine: Machine, status: int) -> None:
    """Or was refused: the calls were made all the same, and are a session of their own."""
    machine.admitted(FIRST)
    machine.used(FIRST, "a")
    asked: list[str] = []

    def first_start(what: str, _body: dict[str, object]) -> int:
        asked.append(what)
        return status if asked == ["sessions"] else 0

    machine.server.fault = first_start
    sent = machine.send()
    assert (len(machine.server.keys_asked), sent.calls, sent.failed, sent.not_covered) == (2, 1, {}, {})


def test_an_admitted_session_that_is_refused_now(machine: Machine) -> None:
    """By a verdict, or for a reason that would be the same for any other: the calls wait."""
    machine.admitted(FIRST)
    machine.used(FIRST, "a")
    machine.server.fault = lambda *_: 422
    assert list(machine.send().failed) == [FIRST]
    assert len(machine.server.keys_asked) == 1
    machine.server.fault, machine.server.admits = fine, StartAnswer(Verdict())
    assert list(machine.send().failed) == [FIRST]
    assert len(machine.server.keys_asked) == 3


def test_a_forks_branch_is_not_the_repositorys(machine: Machine) -> None:
    """The session names no branch of the organization's; each call names the clone it was made in."""
    part = replace(FIRST, agent="codex")
    usage = Usage(("a",), "m", Tokens(output=10), at(1), "codex", evidence=Evidence("alice/widget", "fix", "abc1234"))
    machine.queue.take(Path("a"), "seen", 0, [(part, usage)], (), (), (), lambda _: None)
    machine.send()
    (start,) = machine.server.starts
    assert (start.repository, start.branch, start.head_sha, start.model) == ("acme/widget", "", "", "m")
    (call,) = machine.server.batches[0].calls
    assert (call.repository, call.branch, call.commit) == ("alice/widget", "fix", "abc1234")


WEEK = GaugeReading("anthropic", "org_1", "weekly", 9_100, at(5), GaugeSource.STATUS_LINE)
CODEX = GaugeReading("openai", "", "5h", 1_200, at(6), GaugeSource.EVENT)


def gauges_of(server: FakeServer) -> list[tuple[GaugeReading, ...]]:
    """Of each batch that has any."""
    return [one.gauges for one in server.batches if one.gauges]


def test_windows_are_told_once(machine: Machine) -> None:
    """With the newest session of the vendor's own agent; anew once they have moved; not where no session is told."""
    machine.used(FIRST, "a")
    machine.used(SECOND, "b", second=20)
    machine.send(gauges=(WEEK, CODEX))
    assert gauges_of(machine.server) == [(WEEK,)]
    machine.used(OTHER, "c")
    machine.used(FIRST, "d", second=2)
    machine.send(gauges=(WEEK, CODEX))
    assert gauges_of(machine.server) == [(WEEK,), (CODEX,)]
    fuller = replace(WEEK, used=9_200, observed_at=at(8))
    machine.send(gauges=(fuller, CODEX))
    machine.used(FIRST, "e", second=3)
    machine.send(gauges=(fuller, CODEX))
    assert gauges_of(machine.server) == [(WEEK,), (CODEX,), (fuller,)]


@pytest.mark.parametrize(("status", "times"), [(400, 1), (404, 2)])
def test_windows_that_are_not_taken(machine: Machine, status: int, times: int) -> None:
    """Hold nothing else up; they are sent again only where that may help."""
    asked: list[object] = []

    def not_gauges(_what: str, body: dict[str, object]) -> int:
        if not body.get("gauges"):
            return 0
        asked.append(body)
        return status

    machine.server.fault = not_gauges
    for key in ("a", "b"):
        machine.used(FIRST, key)
        assert machine.send(gauges=(WEEK,)).failed == {}
    assert len(asked) == times
