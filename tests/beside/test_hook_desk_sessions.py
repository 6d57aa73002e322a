"""Whose session a payload is about: the gate's, the wrapper's, one that another process watches, one that ended; and what hooks kept for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tabstop.beside.control import tell
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.hook_desk import HookDesk
from tabstop.beside.hook_socket import HookSocket, NobodyError, make_private
from tabstop.beside.journal import Entry, Journal, write_entry
from tabstop.beside.pricing import Pricer
from tabstop.beside.session_folder import Record, create
from tabstop.governor.facts import Raised, Released
from tabstop.governor.settings import Settings
from tabstop.price_card import PriceCard
from tabstop.session import Limits, SessionOutcome
from tabstop.wire import StartRequest
from tests.beside.desk import CLAUDE, Open
from tests.beside.short_folder import short_folder
from tests.governor.builders import BEGUN
from tests.support.hook_payloads import SESSION, payload, tool


def test_a_session_that_was_given_and_is_not_there_is_said_once(open_desk: Open) -> None:
    """The policy where the agent works holds instead, for all of its events."""
    desk = open_desk("session: {tool_calls: 1}\n")
    assert desk.hook(tool("PreToolUse"), session="gone") is None
    assert desk.hook(tool("PreToolUse"), session="gone")["continue"] is False
    assert [line for line in desk.said if "gone" in line] == desk.said
    assert len(desk.said) == 1


def test_what_hooks_kept_is_taken_in(open_desk: Open) -> None:
    """Oldest first, each at its own time; what cannot be read is left out, said, and gone."""
    desk = open_desk()
    folder = desk.kept(payload("SessionStart"), tool("PreToolUse"), tool("PostToolUse"))
    (folder / "00000000000000000002-1").write_bytes(b"hook another Stop - 2\n{}")
    (folder / "00000000000000000001-1").write_bytes(b"hook claude-code Stop - 2\n{}")
    (folder / "nonsense").write_bytes(b"")
    (folder / ".half").write_bytes(b"")
    desk.answer(100)
    desk.desk.take_in_waiting(folder)
    assert [path.name for path in folder.iterdir()] == [".half"]
    assert len(desk.said) == 3
    assert desk.folder.record().began_at == BEGUN - timedelta(minutes=10)
    assert len(desk.usages) == 1
    desk.desk.take_in_waiting(desk.home / "nowhere")


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where another process of this user listens: a folder of its own."""
    with short_folder() as folder:
        monkeypatch.setattr("tempfile.tempdir", str(folder / "ours"))
        yield folder / "theirs" / "governor.sock"


def test_a_session_another_process_watches_is_answered_by_it(open_desk: Open, others: Path) -> None:
    """Under its limits, though its socket lies where our TMPDIR does not lead; what it says last comes through at once."""
    desk = open_desk("session: {tool_calls: 1}\n")
    theirs = HookDesk(desk.root, {}, desk.clock, desk.said.append, others)
    with HookSocket(others, {"hook": theirs.hook, "fact": theirs.fact}, desk.said.append):
        data = json.dumps(desk.at_home(payload("SessionStart"))).encode()
        theirs.hook(("claude-code", "SessionStart", "-"), data)
        assert desk.hook(tool("PreToolUse")) is None
        assert desk.hook(tool("PreToolUse"))["continue"] is False
        with pytest.raises(LookupError, match="watched by another process"):
            desk.desk.fact((CLAUDE,), write_entry(Entry(Released(desk.now))))
        assert tell(desk.folder, Raised(desk.now, Limits(tool_calls=5), "dev"), desk.clock).watched
        assert desk.hook(tool("PreToolUse")) is None
        waiting = desk.kept(tool("PreToolUse"))
        desk.desk.take_in_waiting(waiting)
        assert list(waiting.iterdir()) == []
        assert desk.hook(payload("SessionEnd")) is None
    assert desk.said == []
    assert "Tabstop" in desk.hook(payload("SessionStart", source="resume"))["systemMessage"]
    assert desk.desk._watched[CLAUDE].governed.state.totals.tool_calls == 3


@pytest.mark.parametrize("where", ["ours", "nowhere", "open to others", "one that says nothing"])
def test_one_that_nobody_answers_for_gets_no_answer(where: str, open_desk: Open, others: Path) -> None:
    """So that the hook counts it as unheard; what it kept stays until the watcher is gone, and is then taken in."""
    desk = open_desk()
    desk.hook(payload("SessionStart"))
    desk.answer(100)
    desk.hook(payload("Stop"))
    desk.desk.close()
    desk.desk = desk.open()
    make_private(others.parent)
    if where != "ours":
        desk.folder.keep_watcher(others)
    if where == "open to others":
        others.parent.chmod(0o755)
    silent = HookSocket(others, {}, lambda _text: None)
    if where == "one that says nothing":
        silent.open()
    waiting = desk.kept(tool("PreToolUse"), tool("PostToolUse"))
    with Journal(desk.folder.journal):
        with pytest.raises(NobodyError):
            desk.hook(payload("UserPromptSubmit"))
        desk.desk.take_in_waiting(waiting)
        assert len(list(waiting.iterdir())) == 2
        assert len(desk.said) == 1
    silent.close()
    desk.desk.take_in_waiting(waiting)
    assert list(waiting.iterdir()) == []
    assert "100 tokens" in desk.hook(payload("SessionStart", source="resume"))["systemMessage"]
    assert desk.desk._watched[CLAUDE].governed.state.totals.tool_calls == 1


def test_the_gates_session_holds_for_every_client_session_of_its_job(open_desk: Open) -> None:
    """Its record, its limits, one journal; an unknown one falls back to the policy and says so."""
    desk = open_desk()
    settings = Settings(session="ses-1", limits=Limits(tool_calls=1))
    record = Record("ses-1", BEGUN, StartRequest("claude-code"), settings, hmac_key="00")
    create(desk.root, record)
    other = tool("PreToolUse") | {"session_id": "22222222-2222-4222-8222-222222222222"}
    assert desk.hook(tool("PreToolUse"), session="ses-1") is None
    assert desk.hook(other, session="ses-1") is not None
    desk.hook(payload("SessionEnd"), session="ses-1")
    assert desk.hook(other, session="ses-1")["continue"] is False
    assert [path.name for path in desk.root.iterdir()] == ["ses-1"]
    assert desk.hook(tool("PreToolUse"), session="ses-2") is None
    assert desk.folder.record().agent_session == SESSION
    assert "there is no session ses-2" in desk.said[0]


def test_the_wrapper_brings_its_own_session(open_desk: Open) -> None:
    """One governed session for all attach points; the desk does not close what it did not open."""
    desk = open_desk()
    record = Record("run-1", BEGUN, StartRequest("claude-code"), hmac_key="00")
    folder = create(desk.root, record)
    governed = GovernedSession(Settings(limits=Limits(tool_calls=1)), Pricer(PriceCard(BEGUN)), desk.clock)
    desk.desk.watch(folder, record, governed)
    assert desk.hook(tool("PreToolUse"), session="run-1") is None
    assert desk.hook(tool("PreToolUse"), session="run-1")["continue"] is False
    desk.hook(payload("SessionEnd"), session="run-1")
    assert governed.state.totals.tool_calls == 1
    desk.desk.close()


def test_a_prepared_session_is_told_of_until_it_is_let_go(open_desk: Open) -> None:
    """Its client's sessions come and go; a settle step, or the end of the governor, has its last report made."""
    desk = open_desk()
    desk.with_server = True
    folder = create(desk.root, Record("ses-1", BEGUN, StartRequest("claude-code"), hmac_key="00"))
    desk.hook(payload("SessionStart"), session="ses-1")
    desk.hook(payload("SessionEnd"), session="ses-1")
    [told] = desk.told
    assert (told.begun, told.closed) == (True, False)
    assert desk.desk.let_go("another") == 1
    assert desk.desk.let_go("ses-1") == 0
    assert (told.begun, told.closed, told.outcome) == (True, True, None)
    Journal(folder.journal).close()


def test_a_session_that_hooks_began_ends_with_its_client(open_desk: Open) -> None:
    """How it ended is told in the background, which the end of the governor, and the next beginning, wait for."""
    desk = open_desk("session: {tool_calls: 1, cost: $1}")
    desk.with_server = True
    desk.hook(payload("SessionStart"))
    desk.hook(payload("SessionEnd"))
    desk.hook(payload("SessionStart", source="resume"))
    assert [one.outcome for one in desk.told] == [SessionOutcome.FINISHED, None]
    for call in ("toolu_1", "toolu_2"):
        desk.hook(tool("PreToolUse") | {"tool_use_id": call})
    desk.hook(payload("SessionEnd"))
    desk.desk.close()
    assert [one.outcome for one in desk.told] == [SessionOutcome.FINISHED, SessionOutcome.STOPPED_TOOL_CALLS]
    Journal(desk.folder.journal).close()
