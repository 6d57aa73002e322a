"""Session folders: made once, found again by what people type, read by nobody else."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tabstop.beside.session_folder import NoSessionError, Record, SessionFolder, create, everything, find, sessions_root
from tabstop.wire import StartRequest
from tests.governor.builders import BEGUN


def record(name: str, agent_session: str = "") -> Record:
    return Record(name, BEGUN, StartRequest("claude-code"), token="secret", agent_session=agent_session)


def test_a_session_is_found_by_its_id_its_beginning_or_its_clients_id(tmp_path: Path) -> None:
    """Whatever people have at hand."""
    one = create(tmp_path, record("abc123"))
    two = create(tmp_path, record("abd456", "11-22"))
    assert find(tmp_path, "abc123") == find(tmp_path, "abc") == one
    assert find(tmp_path, "11-22") == two
    admitted = create(tmp_path, replace(record("xyz789"), server_session="ses_1"))
    assert find(tmp_path, "ses_1") == admitted, "the name that the server's messages use"
    assert one.record() == record("abc123")
    with pytest.raises(NoSessionError, match="may be any of"):
        find(tmp_path, "ab")


def test_unknown_names_say_which_there_are(tmp_path: Path) -> None:
    """The newest five."""
    with pytest.raises(NoSessionError, match="no session x on this machine; the newest are: none"):
        find(tmp_path / "nowhere", "x")
    create(tmp_path, record("abc"))
    broken = create(tmp_path, record("zzz"))
    (broken.path / "record.json").write_text("{")
    with pytest.raises(NoSessionError, match=r"newest are: \w+, \w+"):
        find(tmp_path, "x")
    with pytest.raises(NoSessionError, match="holds no session"):
        broken.record()


def test_an_id_that_is_the_beginning_of_another_means_itself(tmp_path: Path) -> None:
    """An exact id is never ambiguous."""
    short = create(tmp_path, record("abc"))
    create(tmp_path, record("abcd"))
    assert find(tmp_path, "abc") == short


def test_the_same_session_again_keeps_its_record(tmp_path: Path) -> None:
    """A second run takes it up where it stands."""
    folder = create(tmp_path, record("abc", "first"))
    assert create(tmp_path, record("abc", "second")) == folder
    assert folder.record().agent_session == "first"
    folder.write_record(record("abc", "second"))
    assert folder.record().agent_session == "second"


def test_nobody_else_reads_it(tmp_path: Path) -> None:
    """Folder and record are the user's own, and the token is in no repr."""
    folder = create(tmp_path, record("abc"))
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert (folder.path / "record.json").stat().st_mode & 0o777 == 0o600
    assert "secret" not in repr(folder.record())


def test_the_sockets_path_is_short_wherever_the_session_lies(tmp_path: Path) -> None:
    """Unix sockets' paths end at 104 bytes on macOS."""
    deep = SessionFolder(tmp_path / ("x" * 200))
    assert len(os.fsencode(deep.socket)) < 100
    assert deep.socket != SessionFolder(tmp_path / "y").socket
    assert (deep.journal.name, deep.events.name) == ("journal.jsonl", "events.jsonl")


ROOTS = [
    ({"TABSTOP_STATE": "/s", "RUNNER_TEMP": "/r"}, "/s/sessions"),
    ({"RUNNER_TEMP": "/r", "HOME": "/h"}, "/r/tabstop/sessions"),
    ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/tabstop/sessions"),
    ({"HOME": "/h"}, "/h/.local/state/tabstop/sessions"),
]


@pytest.mark.parametrize(("environ", "expected"), ROOTS)
def test_where_sessions_lie(environ: dict[str, str], expected: str) -> None:
    """Said outright, else the job's temporary folder, else the user's state folder."""
    assert sessions_root(environ) == Path(expected)
    assert everything(Path("/nowhere/at/all")) == []
