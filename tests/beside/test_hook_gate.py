"""Hooks that announce a session ask the gate: what the first prompt is told, and that nobody waits for a server that is away."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tabstop.agents.dialect import AGENTS
from tabstop.beside import admission, hook, hook_question
from tabstop.beside.admission import Asked, NotAdmittedError
from tabstop.beside.credentials import Credentials, Login
from tabstop.beside.hook_desk import HookDesk
from tabstop.beside.hook_question import Question
from tabstop.beside.hook_records import name_of
from tabstop.beside.hook_socket import NobodyError
from tabstop.beside.journal import Journal
from tabstop.beside.reporting import reporter_for
from tabstop.beside.session_folder import Record, SessionFolder, create
from tabstop.beside.spool import pending, spool_root
from tabstop.beside.transport import Request, Response
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tabstop.wire import Allowance, StartAnswer, StartRequest
from tests.beside.fake_server import ALLOWED, FakeServer
from tests.governor.builders import BEGUN
from tests.support.golden import expect
from tests.support.hook_payloads import SESSION, payload, tool
from tests.support.waiting import until

RED = StartAnswer(Verdict((Finding(Signal.BUDGET, Outcome.STOP, "tab", "The tab's budget of $2 is spent."),)))
GREEN = StartAnswer(Verdict(), "ses_9", "t9", Allowance(ALLOWED))
PROMPT = {"claude-code": "UserPromptSubmit", "codex": "UserPromptSubmit", "gemini": "BeforeAgent"}


class Slow:
    """A server that answers only when `go` is set."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.go = threading.Event()

    def send(self, request: Request, timeout: float) -> Response:
        assert self.go.wait(60)
        return self.server.send(request, timeout)


class Awaited(Question):
    """waiting: prompts that began to wait for its answer."""

    def __init__(self, record: Record, gated: Gated) -> None:
        self.waiting = 0
        super().__init__(
            record, gated.environ, BEGUN, gated.said.append, transport=gated.transport, patience=gated.patience
        )

    def wait(self) -> Asked | NotAdmittedError | None:
        self.waiting += 1
        return super().wait()


class Gated:
    """A desk whose questions go to `server`."""

    def __init__(self, folder: Path) -> None:
        self.server = FakeServer(admits=GREEN)
        self.transport: Any = self.server
        self.patience = 60.0
        self.environ = {
            "TABSTOP_STATE": str(folder / "state"), "TABSTOP_SERVER": "https://tabstop.example",
            "TABSTOP_TOKEN": "t", "TABSTOP_REPOSITORY": "acme/widget",
        }  # fmt: skip
        self.folder = folder
        self.said: list[str] = []
        self.asked: list[Awaited] = []
        root = folder / "state" / "sessions"
        self.desk = HookDesk(
            root,
            self.environ,
            lambda: BEGUN,
            self.said.append,
            folder / "g.sock",
            lambda record, session, at: reporter_for(record, session, at, self.environ, transport=self.server),
            self.question,
        )
        self.session = SessionFolder(root / name_of("claude-code", SESSION))

    def question(self, record: Record, _payload: Mapping[str, Any]) -> Question | None:
        if record.server_session:
            return None
        self.asked.append(Awaited(record, self))
        return self.asked[-1]

    def hook(self, event: str, agent: str = "claude-code", **more: Any) -> Any:
        body = {**(tool(event) if event == "PreToolUse" else payload("SessionStart")), **more}
        body |= {"cwd": str(self.folder), "transcript_path": str(self.folder / "t.jsonl"), "hook_event_name": event}
        answer = self.desk.hook((agent, event, "-"), json.dumps(body).encode())
        assert isinstance(answer, bytes)
        text = answer.partition(b"\n")[2]
        return json.loads(text) if text else {}


@pytest.fixture
def gated(tmp_path: Path) -> Iterator[Gated]:
    """See `Gated`."""
    found = Gated(tmp_path)
    yield found
    found.desk.close()


@pytest.mark.parametrize("agent", AGENTS)
def test_a_red_cap_refuses_the_first_prompt(gated: Gated, agent: str) -> None:
    """With its explanation, in every agent's words. The next prompt asks again: somebody may have raised the cap."""
    gated.server.admits = RED
    started = gated.hook("SessionStart", agent)["systemMessage"]
    assert started.endswith("asked whether it may begin, and with what limits; the first prompt gets the answer.")
    for count in (1, 2):
        reply = gated.hook(PROMPT[agent], agent)
        assert reply["decision"] in {"block", "deny"}
        assert reply["reason"].startswith("Tabstop: this session may not begin. The tab's budget of $2 is spent.")
        assert len(gated.server.starts) == count
    gated.server.admits = GREEN
    assert "decision" not in gated.hook(PROMPT[agent], agent)
    assert len(gated.server.starts) == 3


NOBODYS: dict[str, dict[str, str]] = {
    "nobody is logged in": {"TABSTOP_SERVER": "", "TABSTOP_TOKEN": ""},
    "no server is wanted": {"TABSTOP_SERVER": "off"},
    "half of it is set": {"TABSTOP_TOKEN": ""},
    "another organization's login": {"TABSTOP_SERVER": "", "TABSTOP_TOKEN": "", "TABSTOP_REPOSITORY": "dev/widget"},
    "no such address": {"TABSTOP_SERVER": "http://tabstop.example"},
}


@pytest.mark.parametrize("why", NOBODYS)
def test_where_no_server_is_asked_none_is_promised(gated: Gated, why: str) -> None:
    """Its start says what bounds it, and what is wrong with what was set."""
    gated.environ |= {"HOME": str(gated.folder), **NOBODYS[why]}
    if "login" in why:
        logins = Credentials(gated.folder / ".config" / "tabstop" / "credentials.json")
        logins.keep(Login("https://tabstop.example", "acme", "alice", "t"))
    greeting = gated.hook("SessionStart")["systemMessage"]
    if why == "nobody is logged in":
        expect("hooks/start-without-server.txt", greeting + "\n")
    assert "Your server is asked" not in greeting
    assert "decision" not in gated.hook("UserPromptSubmit")
    assert gated.server.starts == []


def test_where_a_server_is_asked_it_is_said(gated: Gated) -> None:
    """Whoever is logged in, or whose token the environment has."""
    gated.transport = slow = Slow(gated.server)
    expect("hooks/start-with-server.txt", gated.hook("SessionStart")["systemMessage"] + "\n")
    slow.go.set()


def test_the_servers_limits_apply(gated: Gated) -> None:
    """People are told of them at the prompt; the session is reported from then on, and ends with its outcome."""
    gated.hook("SessionStart")
    reply = gated.hook("UserPromptSubmit")
    assert "may use $1.00" in reply["systemMessage"]
    record = gated.session.record()
    assert (record.server_session, record.settings.limits, record.start.repository) == ("ses_9", ALLOWED, "acme/widget")
    assert gated.hook("UserPromptSubmit") == {}
    gated.hook("SessionEnd")
    gated.desk.close()
    assert [one.outcome for one in gated.server.ends] == ["finished"]
    assert len(gated.server.starts) == 1


def test_without_a_start_the_first_prompt_asks(gated: Gated) -> None:
    """Hooks that were put in while the agent ran."""
    gated.server.admits = RED
    assert gated.hook("UserPromptSubmit")["decision"] == "block"


def test_where_the_server_is_away_nobody_waits(gated: Gated) -> None:
    """After its first failed try the prompt goes through; what is used is kept for later."""
    gated.server.away = True
    began = time.monotonic()
    gated.hook("SessionStart")
    assert gated.hook("UserPromptSubmit") == {}
    assert time.monotonic() - began < gated.patience / 2
    until(lambda: gated.desk._watched[gated.session.path.name].gate._question.answer)  # type: ignore[union-attr]
    note = gated.hook("UserPromptSubmit")
    assert "could not be asked (no route to host). The session keeps the limits it has" in note["systemMessage"]
    gated.hook("SessionEnd")
    gated.desk.close()
    (waits,) = pending(spool_root(gated.environ))
    assert waits.undelivered is not None
    assert waits.undelivered.start.repository == "acme/widget"


@pytest.fixture
def blocking(gated: Gated, monkeypatch: pytest.MonkeyPatch) -> Gated:
    """Where the policy says `server_unreachable: block`; between two tries there is hardly a pause."""
    monkeypatch.setattr(admission, "LONGEST_PAUSE", 0.05)
    (gated.folder / ".git").mkdir()
    (gated.folder / ".github").mkdir()
    (gated.folder / ".github" / "tabstop.yml").write_text("server_unreachable: block\n")
    return gated


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("started", [True, False])
def test_a_policy_may_block_while_the_server_is_away(blocking: Gated, agent: str, started: bool) -> None:
    """However soon the prompt comes, it waits for the last try and is refused. The next one asks again."""
    blocking.server.away = True
    if started:
        blocking.hook("SessionStart", agent)
    refused = [blocking.hook(PROMPT[agent], agent) for _ in range(2)]
    assert {one["decision"] for one in refused} <= {"block", "deny"}
    assert len(blocking.asked) == 2
    if agent == "claude-code":
        expect("hooks/server-away-block.txt", refused[0]["reason"] + "\n")
    blocking.server.away = False
    assert "may use $1.00" in blocking.hook(PROMPT[agent], agent)["systemMessage"]


def test_where_it_blocks_a_slow_server_holds_the_session_up(blocking: Gated) -> None:
    """What is not answered when patience ends is no yes. Its answer, when it comes, is the next prompt's, and holds once."""
    blocking.transport = slow = Slow(blocking.server)
    blocking.patience = 0.05
    blocking.hook("SessionStart")
    refused = [blocking.hook("UserPromptSubmit")["reason"] for _ in range(2)]
    assert refused[0] == refused[1]
    expect("hooks/server-slow-block.txt", refused[0] + "\n")
    slow.go.set()
    until(lambda: blocking.asked[0].answer)
    assert "may use $1.00" in blocking.hook("UserPromptSubmit")["systemMessage"]
    assert len(blocking.server.starts) == 1


def test_a_hook_outwaits_the_prompt() -> None:
    """Where the policy blocks, the refusal has to come before the hook gives its governor up."""
    assert hook_question.PATIENCE < hook_question.PATIENCE_TO_BLOCK < hook.ANSWER_SECONDS


def test_a_slow_server_is_waited_for_a_moment(gated: Gated) -> None:
    """A refusal that comes after the first prompt stops nothing: the session has begun. It is said, once."""
    gated.transport = slow = Slow(gated.server)
    gated.server.admits, gated.patience = RED, 0.05
    gated.hook("SessionStart")
    assert gated.hook("UserPromptSubmit") == {}
    slow.go.set()
    gate = gated.desk._watched[gated.session.path.name].gate
    until(lambda: gate._question and gate._question.answer)
    assert gated.hook("PreToolUse").get("continue") is not False
    assert gated.hook("UserPromptSubmit") == {}


def test_a_refusal_is_said_to_a_prompt_only(gated: Gated) -> None:
    """An event that cannot be refused so is none of its business; the next prompt hears it."""
    gated.server.admits = RED
    gated.hook("SessionStart")
    gate = gated.desk._watched[gated.session.path.name].gate
    until(lambda: gate._question and gate._question.answer)
    assert gated.hook("PreToolUse") == {}
    assert gated.hook("UserPromptSubmit")["decision"] == "block"


def test_two_prompts_that_wait_for_the_same_word_are_both_let_through(gated: Gated) -> None:
    """The session is taken up anew under what the server said, once, and both are heard there."""
    gated.transport = slow = Slow(gated.server)
    gated.hook("SessionStart")
    replies: list[Any] = []
    prompts = [threading.Thread(target=lambda: replies.append(gated.hook("UserPromptSubmit"))) for _ in range(2)]
    for prompt in prompts:
        prompt.start()
    until(lambda: gated.asked[0].waiting == 2)
    slow.go.set()
    for prompt in prompts:
        prompt.join()
    assert [reply.get("decision") for reply in replies] == [None, None]
    assert gated.session.record().server_session == "ses_9"
    assert len(gated.server.starts) == 1
    assert gated.said == []


def test_what_is_not_taken_stops_nobodys_work(gated: Gated) -> None:
    """A token that is good no more is said, once; the session goes on within its own limits."""
    gated.server.status = 401
    gated.hook("SessionStart")
    reply = gated.hook("UserPromptSubmit")
    assert "decision" not in reply
    assert "did not take the question. Not now." in reply["systemMessage"]
    assert "The session goes on within its own limits, unreported." in reply["systemMessage"]
    assert gated.hook("UserPromptSubmit") == {}


@pytest.mark.parametrize("early", [True, False])
def test_who_leaves_before_the_first_prompt_holds_nothing(gated: Gated, early: bool) -> None:
    """Admitted or about to be: the server is told that it did not begin."""
    gated.transport = slow = Slow(gated.server)
    gated.hook("SessionStart")
    gate = gated.desk._watched[gated.session.path.name].gate
    if early:
        slow.go.set()
        until(lambda: gate._question and gate._question.answer)
    gated.hook("SessionEnd")
    slow.go.set()
    until(lambda: gated.server.ends)
    assert gated.server.ends[0].outcome in {"not started", "finished"}


class Broken:
    """A fault of ours."""

    def send(self, request: Request, timeout: float) -> Response:
        raise RuntimeError("broken")


def test_where_it_blocks_a_fault_of_ours_is_no_yes(blocking: Gated) -> None:
    """The prompt is refused, and says where more is to be read."""
    blocking.transport = Broken()
    refused = blocking.hook("UserPromptSubmit")
    assert refused["decision"] == "block"
    assert "The governor's log says why." in refused["reason"]


def test_a_fault_of_ours_stops_nobodys_work(gated: Gated) -> None:
    """It is logged."""
    gated.transport = Broken()
    gated.hook("SessionStart")
    assert gated.hook("UserPromptSubmit") == {}
    assert "could not be asked: RuntimeError: broken" in gated.said[-1]


def test_what_another_process_watches_is_left_to_it(gated: Gated) -> None:
    """A record is changed by whoever watches its session, and by nobody else."""
    record = Record(gated.session.path.name, BEGUN, StartRequest("claude-code"), server="https://a.example")
    create(gated.session.path.parent, record).keep_watcher(gated.folder / "g.sock")
    with Journal(gated.session.journal), pytest.raises(NobodyError):
        gated.hook("SessionStart", tabstop_environ=f"TABSTOP_SERVER={b'off'.hex()}")
    assert gated.session.record() == record
    gated.hook("SessionStart", tabstop_environ=f"TABSTOP_SERVER={b'off'.hex()}")
    assert gated.session.record().server == ""


def test_of_a_gates_session_the_gate_has_asked() -> None:
    """Its settle step tells how it ended."""
    record = Record("s1", BEGUN, StartRequest("claude-code", run_id="7001"))
    assert hook_question.question_about(record, {}, {}, BEGUN, print) is None
