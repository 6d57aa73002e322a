"""A person's word reaches a session: over the socket of whoever watches it, else into its journal."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path

import pytest

from tabstop.beside.control import NotHeardError, tell, who
from tabstop.beside.hook_socket import HookSocket
from tabstop.beside.journal import Entry, Journal
from tabstop.beside.session_folder import Record, SessionFolder, create
from tabstop.beside.session_view import events, view
from tabstop.governor.facts import Raised, Released, Resumed
from tabstop.governor.orders import Act, EventKind
from tabstop.governor.settings import Exhaustion, OnLimit, Settings
from tabstop.session import Limits
from tabstop.wire import StartRequest
from tests.beside.short_folder import short_folder
from tests.governor.builders import BEGUN, answer, at


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SessionFolder:
    """A session that reached its limit of 1,000 tokens."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    settings = Settings(session="s1", limits=Limits(tokens=1_000), exhaustion=Exhaustion(on_tokens=OnLimit.SUSPEND))
    made = create(tmp_path, Record("s1", BEGUN, StartRequest("claude-code"), settings, hmac_key="00"))
    with Journal(made.journal) as journal:
        journal.append(Entry(Resumed(at(0))))
        journal.append(Entry(answer(1, 1_200), ("anthropic:msg:1",)))
    return made


def now() -> datetime:
    return at(60)


def test_a_raise_nobody_watches(folder: SessionFolder) -> None:
    """It is in the journal; the next process finds it there."""
    assert view(folder).standing == "suspended"
    told = tell(folder, Raised(at(60), Limits(tokens=500), "octocat"), now)
    assert (told.watched, told.order.act.ends_turn) == (False, False)
    one = view(folder)
    assert (one.limits.tokens, one.state.stopped, one.state.totals.tokens) == (1_500, None, 1_200)
    assert (events(folder)[0].kind, events(folder)[0].by) == (EventKind.RAISE, "octocat")


def test_too_little(folder: SessionFolder) -> None:
    """It still stands, and says so; a release lifts no limit."""
    assert tell(folder, Raised(at(60), Limits(tokens=100)), now).order.act is Act.SUSPEND
    assert tell(folder, Released(at(61)), now).order.act is Act.SUSPEND


def test_a_watched_session_that_does_not_answer(folder: SessionFolder) -> None:
    """Neither written nor lost: the person is told."""
    with Journal(folder.journal), pytest.raises(NotHeardError, match="does not answer"):
        tell(folder, Released(at(60)), now)


def test_whoever_watches_it_is_found_wherever_it_listens(folder: SessionFolder) -> None:
    """A shell with another TMPDIR reaches it too."""
    with short_folder() as elsewhere:
        folder.keep_watcher(elsewhere / "s")
        with HookSocket(elsewhere / "s", {"fact": lambda _words, _body: b"{}"}, lambda _text: None):
            assert tell(folder, Released(at(60)), now).watched


def test_an_answer_that_is_none(folder: SessionFolder) -> None:
    """Said as such."""
    with (
        HookSocket(folder.socket, {"fact": lambda _words, _body: b"?"}, lambda _text: None),
        pytest.raises(NotHeardError, match="cannot be read"),
    ):
        tell(folder, Released(at(60)), now)


def test_who_says_so() -> None:
    """By the environment, else by the system's own list."""
    assert who({"USER": "octocat"}) == "octocat"
    assert who({"LOGNAME": "mona"}) == "mona"
    assert who({}) != ""


def test_what_cannot_be_read_is_left_out(folder: SessionFolder) -> None:
    """A log that another version wrote, half a line, a run without its fields."""
    folder.events.write_bytes(b'{"half\n[]\n{"kind": "unknown"}\n')
    (folder.path / "runs.jsonl").write_bytes(b'{"code": 1}\n')
    folder.journal.write_bytes(folder.journal.read_bytes() + b"{}\n")
    assert (events(folder), view(folder).runs, view(folder).state.totals.tokens) == ((), (), 1_200)
    folder.journal.unlink()
    one = view(folder)
    assert (one.standing, one.watched) == ("open", False)


def test_a_session_that_asks_says_so(tmp_path: Path) -> None:
    """Until it is answered."""
    settings = Settings(session="s2", limits=Limits(tokens=1_000), exhaustion=Exhaustion(on_tokens=OnLimit.ASK))
    asking = create(tmp_path, Record("s2", BEGUN, StartRequest("claude-code"), settings, hmac_key="00"))
    with Journal(asking.journal) as journal:
        journal.append(Entry(answer(1, 1_200), ("anthropic:msg:1",)))
    assert view(asking).standing == "asks for more"
