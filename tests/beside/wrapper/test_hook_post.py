"""The post at which a run's hooks are answered: found by whoever asks, deaf where hooks are not wanted, and no wall to others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.hook_desk import HookDesk
from tabstop.beside.hook_socket import STILL_HERE, HookAnswer, HookSocket, ask, relay
from tabstop.beside.pricing import Pricer
from tabstop.beside.session_folder import Record, create
from tabstop.beside.wrapper.hooks import HookPost
from tabstop.governor.facts import Paused, Replied, Resumed
from tabstop.governor.settings import Exhaustion, OnLimit, Settings
from tabstop.price_card import PriceCard
from tabstop.session import Limits
from tabstop.wire import StartRequest
from tests.beside.short_folder import short_folder
from tests.governor.builders import BEGUN
from tests.support.hook_payloads import tool

TOOL = json.dumps(tool("PreToolUse")).encode()


def now() -> datetime:
    return BEGUN


def say(_text: str) -> None:
    """Nothing is expected to be said."""


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where sessions lie; sockets lie beside them."""
    with short_folder() as folder:
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        yield folder / "sessions"


ONE_CALL = Settings(limits=Limits(tool_calls=1))


def post(root: Path, settings: Settings = ONE_CALL, name: str = "run-1", *, deaf: bool = False) -> HookPost:
    record = Record(name, BEGUN, StartRequest("mine"), hmac_key="00")
    governed = GovernedSession(settings, Pricer(PriceCard(BEGUN)), now)
    return HookPost(root, {}, now, say, (create(root, record), record, governed), deaf=deaf)


def test_whoever_asks_finds_it(root: Path) -> None:
    """By what lies in the session's folder; there its limits hold."""
    with post(root) as one:
        watcher = one._folder.watcher
        assert watcher == one.path
        answers = [ask(watcher, "hook", ("claude-code", "PreToolUse", "run-1"), TOOL) for _ in range(2)]
        assert answers[0] == HookAnswer().encode()
        assert b'"continue": false' in answers[1]
        assert (one.heard, one.ended_turn) == (True, True)


def test_the_clock_runs_on_when_an_agent_in_it_ends(root: Path) -> None:
    """A script may go on after its agent, or hang. While the wrapper holds it, no agent's end starts the clock."""
    for begun in (True, False):
        with post(root, name=f"run-{begun}") as one:
            one._governed.tell(Resumed(now()) if begun else Paused(now()))
            body = TOOL.replace(b"PreToolUse", b"SessionEnd")
            assert ask(one.path, "hook", ("claude-code", "SessionEnd", f"run-{begun}"), body)
            totals = one._governed.state.totals
            assert (totals.running_since is not None, totals.paused) == (begun, not begun)


def test_it_notes_whose_hooks_cannot_end_a_turn(root: Path) -> None:
    """Codex's; a program may run several agents, so one of them is enough."""
    with post(root) as one:
        for agent, ends in (("claude-code", True), ("codex", False), ("claude-code", False)):
            ask(one.path, "hook", (agent, "UserPromptSubmit", "run-1"), TOOL)
            assert one.ends_turns is ends


def test_where_hooks_are_not_wanted_they_go_on(root: Path) -> None:
    """They get an answer, so that none of them goes unheard; but nothing they say is taken in."""
    with post(root, deaf=True) as one:
        for _ in range(3):
            assert ask(one.path, "hook", ("claude-code", "PreToolUse", "run-1"), TOOL) == HookAnswer().encode()
        assert (one.heard, one.ended_turn, one._governed.state.totals.tool_calls) == (False, False, 0)


def test_a_hook_is_held_while_a_person_is_asked(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It hears now and then that somebody is there, or it would give up; after a no it ends the turn, after a yes nothing."""
    monkeypatch.setattr("tabstop.beside.wrapper.hooks._SAY_AGAIN", 0.1)
    asks = Settings(limits=Limits(tool_calls=1), exhaustion=Exhaustion(OnLimit.ASK))
    for granted in (False, True):
        with post(root, asks, f"run-{granted}") as one:
            question = ("claude-code", "PreToolUse", f"run-{granted}")
            assert ask(one.path, "hook", question, TOOL) == HookAnswer().encode()
            heard = relay(one.path, "hook", question, TOOL, seconds=2)
            assert [next(heard) for _ in range(5)] == [STILL_HERE] * 5
            one._governed.tell(Replied(now(), granted))
            answer = b"".join(heard).lstrip()
            assert (answer == HookAnswer().encode(), b'"continue": false' in answer) == (granted, not granted)
            assert one.ended_turn is not granted


def test_a_session_of_its_own_is_handed_to_whoever_watches_it(root: Path) -> None:
    """An agent inside that was told of no session has its own, and perhaps the resident governor holds that one."""
    resident = root.parent / "governor" / "s"
    desk = HookDesk(root, {}, now, say, resident)
    with HookSocket(resident, {"hook": desk.hook}, say), post(root) as one:
        desk.hook(("claude-code", "PreToolUse", "-"), TOOL)
        assert ask(one.path, "hook", ("claude-code", "PreToolUse", "-"), TOOL) == HookAnswer().encode()
        (watched,) = desk._watched.values()
        assert watched.governed.state.totals.tool_calls == 2
        assert one._governed.state.totals.tool_calls == 0
    desk.close()
