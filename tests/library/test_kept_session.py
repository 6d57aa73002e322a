"""Sessions with a name: taken up again with their totals, reached by commands, bound by what a server admitted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tabstop.beside.control import tell
from tabstop.beside.hook_socket import HookAnswer, NobodyError, ask
from tabstop.beside.journal import JournalBusyError
from tabstop.beside.session_folder import Record, SessionFolder, create, find, sessions_root
from tabstop.beside.session_view import events
from tabstop.governor.facts import Raised
from tabstop.governor.orders import EventKind
from tabstop.governor.settings import Settings
from tabstop.library import BudgetExceeded, BudgetManager, SessionStopped, limits
from tabstop.price_book import card
from tabstop.session import Limits
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tabstop.wire import ResumeAnswer, StartRequest
from tests.beside.fake_server import FakeServer
from tests.beside.short_folder import short_folder
from tests.beside.test_working_tree import git
from tests.library.builders import BEGUN, Clock, governor
from tests.library.fake_api import anthropic_message
from tests.support.golden import expect


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A state folder of its own; sockets lie beside it."""
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
        for _ in range(500):
            if b'"tree"' in journal.read_bytes():
                break
            time.sleep(0.01)
        else:
            raise AssertionError("it was not looked at")
    assert BudgetManager(1).governor._tree is None


def test_an_agent_inside_it_stops_with_it(environ: dict[str, str]) -> None:
    """Its hooks ask whoever watches the session; until a limit is reached they go on."""
    with governor(limits(cost=1), session="nightly", environ=environ) as g:
        asked = find(sessions_root(environ), "nightly").watcher, "hook", ("claude-code", "PreToolUse", "nightly")
        assert ask(*asked, b"{}") == HookAnswer().encode()
        with pytest.raises(BudgetExceeded):
            g.charged(1)
        assert b'"continue": false' in ask(*asked, b"{}")


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
