"""Sessions with a name: taken up again with their totals, reached by commands, bound by what a server admitted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tabstop.beside.control import tell
from tabstop.beside.hook_records import name_of
from tabstop.beside.hook_socket import NobodyError, ask
from tabstop.beside.journal import JournalBusyError
from tabstop.beside.session_folder import Record, SessionFolder, create, find, sessions_root
from tabstop.beside.session_view import events, view
from tabstop.governor.facts import Raised
from tabstop.governor.orders import EventKind
from tabstop.governor.settings import Exhaustion, OnLimit, Rules, Settings
from tabstop.library import BudgetExceeded, BudgetManager, SessionStopped, limits
from tabstop.library.claude_agent_sdk import hooks_for
from tabstop.price_book import card
from tabstop.session import Limits
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tabstop.wire import ResumeAnswer, StartRequest
from tests.beside.fake_server import FakeServer
from tests.beside.short_folder import short_folder
from tests.beside.test_working_tree import git
from tests.library.builders import BEGUN, Clock, governor
from tests.library.fake_api import anthropic_message
from tests.library.test_claude_agent_sdk import call
from tests.support.golden import expect
from tests.support.hook_payloads import SESSION, payload, tool


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A state folder of its own; sockets lie beside it."""
    tmp_path_factory.getbasetemp()  # made before, so that it does not lie in here
    with short_folder() as folder:
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        yield {"TABSTOP_STATE": str(folder / "state")}


def test_a_session_is_taken_up_with_its_totals(environ: dict[str, str]) -> None:
    """Never a fresh budget; the stop names the command, and an overdrive from outside lets the next run go on."""
    with pytest.raises(BudgetExceeded) as stopped, governor(limits(cost=1), session="nightly", environ=environ) as g:
        g.charged(1)
    expect("library/kept-exceeded.txt", f"{stopped.value}\n")
    with pytest.raises(BudgetExceeded), governor(session="nightly", environ=environ) as g:
        g.check()
    folder = find(sessions_root(environ), "nightly")
    assert EventKind.STOP in {event.kind for event in events(folder)}
    assert not tell(folder, Raised(BEGUN, Limits(cost=10**9), "alice"), Clock().now).watched
    with governor(session="nightly", environ=environ) as g:
        g.check()
        assert (g.totals.cost, g.limits.cost) == (10**9, 2 * 10**9)


def test_the_working_tree_is_looked_at(environ: dict[str, str], tmp_path: Path) -> None:
    """A change in it is progress; a budget manager has no use for it."""
    git(tmp_path, "init", "-q")
    with governor(limits(cost=1), session="nightly", environ=environ, folder=tmp_path) as g:
        g.charged(0)
        journal = find(sessions_root(environ), "nightly").journal
        for _ in range(6_000):
            if b'"tree"' in journal.read_bytes():
                break
            time.sleep(0.01)
        else:
            raise AssertionError("it was not looked at")
    assert BudgetManager(1).governor._tree is None


class Agent:
    """A client session inside the session `nightly`: its hooks ask over the socket, its transcript grows on demand."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._socket = find(sessions_root(environ), "nightly").watcher
        self.transcript = Path(environ["TABSTOP_STATE"]) / f"{SESSION}.jsonl"
        self._answers = 0

    def hook(self, event: str, **fields: Any) -> Any:
        """The reply as JSON, None for nothing said. Each tool call has an id of its own."""
        if "Tool" in event:
            fields = {"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "toolu_1", **fields}
        body = json.dumps(payload(event, self.transcript, **fields)).encode()
        _, _, text = ask(self._socket, "hook", ("claude-code", event, "nightly"), body).partition(b"\n")
        return json.loads(text) if text else None

    def answers(self, tokens: int) -> None:
        """The model answers; at $4 per million input tokens."""
        self._answers += 1
        message = {"id": f"msg_{self._answers}", "model": "claude-opus-5-5", "usage": {"input_tokens": tokens}}
        row = {"type": "assistant", "sessionId": SESSION, "requestId": f"req_{self._answers}", "message": message}
        with self.transcript.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({**row, "timestamp": BEGUN.isoformat()}) + "\n")


def test_an_agent_inside_it_counts_in_it(environ: dict[str, str]) -> None:
    """What it uses is this session's: at the limit its turn is ended, and the program's next check raises."""
    with governor(limits(cost=0.2), session="nightly", environ=environ) as g:
        agent = Agent(environ)
        assert "nightly may use $0.20" in agent.hook("SessionStart", source="startup")["systemMessage"]
        agent.answers(25_000)
        assert agent.hook("PreToolUse") is None
        assert (g.totals.cost, g.totals.iterations, g.totals.tool_calls) == (10**8, 1, 1)
        g.check()
        agent.answers(25_000)
        assert agent.hook("PostToolBatch")["continue"] is False
        assert agent.hook("PreToolUse", tool_use_id="toolu_2")["hookSpecificOutput"]["permissionDecision"] == "deny"
        with pytest.raises(BudgetExceeded):
            g.check()
    with governor(limits(cost=1), session="nightly", environ=environ) as g:
        assert Agent(environ).hook("UserPromptSubmit") is None
        assert (g.totals.cost, g.totals.iterations) == (2 * 10**8, 2)


@pytest.mark.parametrize("bound", [limits(tool_calls=3), limits(iterations=3)])
def test_each_of_its_limits_stops_an_agent(bound: Limits, environ: dict[str, str]) -> None:
    """Not its dollars alone; so many calls are let through and no more."""
    with governor(bound, session="nightly", environ=environ) as g:
        agent, replies = Agent(environ), []
        for number in range(5):
            replies.append(agent.hook("PreToolUse", tool_use_id=f"toolu_{number}"))
            agent.answers(10)
        assert [reply is None for reply in replies] == [True] * 3 + [False] * 2
        with pytest.raises(BudgetExceeded):
            g.check()


def test_an_agent_inside_it_stops_with_it(environ: dict[str, str]) -> None:
    """Where the program itself reaches the limit; a raise from outside lets it go on."""
    with governor(limits(cost=1), session="nightly", environ=environ) as g:
        agent = Agent(environ)
        assert agent.hook("PreToolUse") is None
        with pytest.raises(BudgetExceeded):
            g.charged(1)
        assert agent.hook("PostToolUse")["continue"] is False
        standing = sessions_root(environ).parent / "hooks"
        assert any(path.is_file() for path in standing.rglob("*"))
        tell(find(sessions_root(environ), "nightly"), Raised(BEGUN, Limits(cost=10**9), "alice"), Clock().now)
        assert not any(path.is_file() for path in standing.rglob("*"))
        assert agent.hook("PreToolUse", tool_use_id="toolu_2") is None


def test_a_question_ends_the_agents_turn_and_is_asked_by_the_program(environ: dict[str, str]) -> None:
    """The agent is not held: the program may be waiting for it."""
    asks = Rules(exhaustion=Exhaustion(OnLimit.ASK))
    asked: list[str] = []

    def yes(sentence: str) -> bool:
        asked.append(sentence)
        return True

    with governor(limits(tool_calls=1), session="nightly", environ=environ, rules=asks, on_ask=yes) as g:
        agent = Agent(environ)
        assert agent.hook("PreToolUse") is None
        assert agent.hook("PreToolUse", tool_use_id="toolu_2")["continue"] is False
        g.check()
        assert len(asked) == 1
        assert agent.hook("PreToolUse", tool_use_id="toolu_3") is None


def test_its_clock_runs_on_when_an_agent_inside_it_begins_and_ends(environ: dict[str, str]) -> None:
    """The program works before and after."""
    clock = Clock()
    with governor(limits(wall_clock="1h"), clock, session="nightly", environ=environ) as g:
        g.charged(0)
        agent = Agent(environ)
        for event in ("SessionStart", "SessionEnd", "SessionStart", "SessionEnd"):
            clock.sleep(60)
            agent.hook(event)
        clock.sleep(60)
        g.check()
        assert g.totals.wall_clock_milliseconds == 5 * 60_000


def test_what_the_sdks_hooks_tell_counts_once(environ: dict[str, str]) -> None:
    """Installed hooks of the same client session ask as well."""
    with governor(limits(tool_calls=2), session="nightly", environ=environ) as g:
        agent = Agent(environ)
        hooks = hooks_for(g)
        for number in range(2):
            agent.answers(10)
            told = {"transcript_path": str(agent.transcript), "tool_use_id": f"toolu_{number}"}
            assert call(g, hooks, tool("PreToolUse") | told) == {}
            assert agent.hook("PreToolUse", tool_use_id=f"toolu_{number}") is None
        assert (g.totals.tool_calls, g.totals.iterations) == (2, 2)
        assert call(g, hooks, tool("PreToolUse") | {"tool_use_id": "toolu_2"})["continue_"] is False
        assert agent.hook("PreToolUse", tool_use_id="toolu_3")["continue"] is False
        assert g.totals.tool_calls == 2


def test_a_turn_that_the_sdks_hooks_do_not_hear_counts(environ: dict[str, str]) -> None:
    """Such as one of a client session that the program resumes by a command."""
    with governor(limits(tool_calls=2), session="nightly", environ=environ) as g:
        agent, hooks = Agent(environ), hooks_for(g)
        for event in ("UserPromptSubmit", "Stop"):
            assert call(g, hooks, payload(event, agent.transcript)) == {}
        assert agent.hook("PreToolUse") is None
        assert g.totals.tool_calls == 1


def test_an_agent_beside_it_has_a_session_of_its_own(environ: dict[str, str]) -> None:
    """One that was not started under this session's name, and asks here all the same."""
    with governor(limits(tool_calls=1), session="nightly", environ=environ) as g:
        socket = find(sessions_root(environ), "nightly").watcher
        for call_id in ("toolu_1", "toolu_2"):
            body = json.dumps(tool("PreToolUse") | {"tool_use_id": call_id}).encode()
            assert b"continue" not in ask(socket, "hook", ("claude-code", "PreToolUse", "-"), body)
        assert g.totals.tool_calls == 0
        assert view(find(sessions_root(environ), name_of("claude-code", SESSION))).state.totals.tool_calls == 2


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 200_000])
def test_a_hook_that_cannot_be_read_is_not_answered(body: bytes, environ: dict[str, str]) -> None:
    """The program goes on, and the hook sees to it that this does not last."""
    with governor(limits(cost=1), session="nightly", environ=environ) as g:
        with pytest.raises(NobodyError):
            ask(find(sessions_root(environ), "nightly").watcher, "hook", ("claude-code", "Stop", "nightly"), body)
        g.check()


def test_a_command_reaches_it_while_it_runs(environ: dict[str, str]) -> None:
    """Over its socket; what is no fact gets no answer."""
    with governor(limits(cost=1), session="nightly", environ=environ) as g:
        folder = find(sessions_root(environ), "nightly")
        assert tell(folder, Raised(BEGUN, Limits(cost=10**9), "alice"), Clock().now).watched
        assert g.limits.cost == 2 * 10**9
        with pytest.raises(NobodyError):
            ask(folder.socket, "fact", ("nightly",), b"nothing")
    assert not folder.socket.exists()


def test_without_a_socket_it_runs_all_the_same(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A command then has to wait until it ends."""
    long = Path(environ["TABSTOP_STATE"]) / ("x" * 100)
    long.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with governor(limits(cost=1), session="nightly", environ=environ) as g:
        g.check()


def test_one_program_at_a_time(environ: dict[str, str]) -> None:
    """The second is told, not mixed in."""
    with governor(limits(cost=1), session="nightly", environ=environ), pytest.raises(JournalBusyError):
        governor(session="nightly", environ=environ)


def test_limits_given_again_hold(environ: dict[str, str]) -> None:
    """They are the program's own."""
    governor(limits(cost=1), session="nightly", environ=environ).close()
    with governor(limits(cost=3), session="nightly", environ=environ) as g:
        assert g.limits.cost == 3 * 10**9


@pytest.mark.parametrize("name", ["../away", "a b", "", "-x", "x" * 65])
def test_a_name_that_cannot_be_a_folders_is_refused(name: str, environ: dict[str, str]) -> None:
    """Empty is no name: such a session lives in memory."""
    if not name:
        governor(session=name, environ=environ).close()
        assert not sessions_root(environ).exists()
        return
    with pytest.raises(ValueError, match="cannot name a session"):
        governor(session=name, environ=environ)


def test_a_budget_manager_may_have_a_name(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Then its spend outlives the program."""
    monkeypatch.setenv("TABSTOP_STATE", environ["TABSTOP_STATE"])
    for _ in range(2):
        budget = BudgetManager(1, session="nightly")
        budget.check_and_add("0.25")
        budget.close()
    again = BudgetManager(1, session="nightly")
    assert str(again.spent) == "0.5"
    again.close()


def admitted(environ: dict[str, str], server: str = "") -> SessionFolder:
    """What a gate leaves behind."""
    settings = Settings(session="s1", limits=Limits(cost=10**9, tokens=1_000), can_summarize=True)
    prices = card(["claude-opus-5-5"], at=BEGUN).to_json()
    record = Record(
        "s1", BEGUN, StartRequest("library", run_id="7001"), settings, prices, server=server, server_session="srv-1", token="t",
        hmac_key="00" * 32,
    )  # fmt: skip
    return create(sessions_root(environ), record)


def test_what_a_server_admitted_is_tightened_never_widened(environ: dict[str, str]) -> None:
    """Its card and its key are used; where its address is not known nobody is told."""
    folder = admitted(environ)
    with governor(limits(cost=5, tokens=500, iterations=9), session="s1", environ=environ) as g:
        assert (g.limits.cost, g.limits.tokens, g.limits.iterations) == (10**9, 500, 9)
        assert not g.governed.settings.can_summarize
        assert list(g.governed.pricer.card.prices) == ["claude-opus-5-5"]
        assert g.key == bytes(32)
    assert folder.record().settings.limits.cost == 10**9


def test_a_server_hears_of_an_admitted_session(environ: dict[str, str]) -> None:
    """Its usage, and that a limit stopped it; what went well stays open, for the settle step to end."""
    admitted(environ, "https://tabstop.example")
    server = FakeServer()
    with governor(session="s1", environ=environ, transport=server) as g:
        g.answered(anthropic_message(1) | {"usage": {"input_tokens": 10, "output_tokens": 1}})
    assert server.keys == ["anthropic:msg:msg_1"]
    assert server.ends == []
    with pytest.raises(BudgetExceeded), governor(session="s1", environ=environ, transport=server) as g:
        g.charged(1)
    assert [end.outcome for end in server.ends] == ["stopped: cost"]
    assert "resume" in server.asked


def test_one_that_goes_on_without_its_server_is_told_to_nobody(environ: dict[str, str]) -> None:
    """`TABSTOP_SERVER=off` is off for a session that began at one, too."""
    folder = admitted(environ, "https://tabstop.example")
    own = folder.record()
    folder.write_record(replace(own, start=replace(own.start, run_id="")))
    server = FakeServer()
    with governor(session="s1", environ={**environ, "TABSTOP_SERVER": "off"}, transport=server) as g:
        g.answered(anthropic_message(1) | {"usage": {"input_tokens": 10, "output_tokens": 1}})
    assert server.asked == []
    assert folder.record().server == ""


def test_a_session_that_the_server_does_not_let_go_on_does_not_begin(environ: dict[str, str]) -> None:
    """Its verdict is the reason."""
    admitted(environ, "https://tabstop.example")
    with governor(session="s1", environ=environ, transport=FakeServer()) as g:
        g.charged(0)
    red = Finding(Signal.BUDGET, Outcome.STOP, "tab", "The tab is spent.", cause="spent")
    refusing = FakeServer(resumed=ResumeAnswer(Verdict((red,))))
    with (
        pytest.raises(SessionStopped, match="The tab is spent"),
        governor(session="s1", environ=environ, transport=refusing),
    ):
        raise AssertionError
    governor(session="s1", environ=environ, transport=FakeServer()).close()


def test_a_session_that_may_not_begin_again_stays(environ: dict[str, str]) -> None:
    """With its totals, for another try."""
    with governor(limits(cost=1), session="nightly", environ=environ) as g:
        g.charged(0.25)
    wrong = {**environ, "TABSTOP_SERVER": "nowhere", "TABSTOP_TOKEN": "t"}
    for _ in range(2):
        with pytest.raises(SessionStopped, match="is no address such as https"):
            governor(session="nightly", environ=wrong)
    with governor(session="nightly", environ=environ) as g:
        assert g.totals.cost == 250_000_000
