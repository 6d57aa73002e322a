"""What a session's own environment says of its server, as its hook tells it: over what the governor's says, and no further."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from tabstop.beside import hook
from tabstop.beside.server_access import VARIABLES, ServerAccess
from tabstop.beside.session_environ import environ_of, leaves_its_server, told_environ, without_server
from tabstop.beside.session_folder import Record, sessions_root
from tabstop.beside.spool import spool_root
from tabstop.wire import StartRequest
from tests.governor.builders import BEGUN

RECORD = Record("s1", BEGUN, StartRequest("claude-code"), server="https://a.example", server_session="ses_1", token="t")
OURS = {"HOME": "/ours", "TABSTOP_SERVER": "https://a.example", "TABSTOP_TOKEN": "a", "CI": "1"}


def told(**environ: str) -> dict[str, Any]:
    """A payload whose hook ran in this environment."""
    return {"tabstop_environ": " ".join(f"{name}={value.encode().hex()}" for name, value in environ.items())}


class Watchful(Mapping[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, **values: str) -> None:
        self.values_of, self.asked = values, set[str]()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.values_of[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_of)

    def __len__(self) -> int:
        return len(self.values_of)


def test_what_the_hook_tells_is_all_that_is_read() -> None:
    """Of a session's environment: which server, whose token, and where logins lie."""
    asked = set[str]()
    for server in ("", "off", "https://a.example"):
        environ = Watchful(HOME="/nowhere", TABSTOP_SERVER=server)
        ServerAccess.from_environ(environ)
        asked |= environ.asked
    assert asked == {*VARIABLES} == {*hook.SERVER}


@pytest.mark.parametrize(
    ("payload", "server", "token", "home"),
    [
        ({}, "https://a.example", "a", "/ours"),
        ({"tabstop_environ": 7}, "https://a.example", "a", "/ours"),
        ({"tabstop_environ": ""}, None, None, None),
        (told(HOME="/mine", TABSTOP_SERVER="off"), "off", None, "/mine"),
        (told(TABSTOP_SERVER="https://b.example", TABSTOP_TOKEN='"b" =\n'), "https://b.example", '"b" =\n', None),
        (told(PATH="/theirs", HOME="/mine"), None, None, "/mine"),
    ],
)
def test_the_sessions_own_counts(payload: dict[str, Any], server: str | None, token: str | None, home: str) -> None:
    """All of it or, where a hook tells none, ours; what is unset there is unset. Nothing else of ours changes."""
    environ = environ_of(payload, OURS)
    assert tuple(environ.get(name) for name in ("TABSTOP_SERVER", "TABSTOP_TOKEN", "HOME")) == (server, token, home)
    assert environ["CI"] == "1"
    assert "PATH" not in environ


@pytest.mark.parametrize(
    "ours",
    [
        OURS,
        {"XDG_STATE_HOME": "/state", "HOME": "/ours"},
        {"TABSTOP_STATE": "/s"},
        {"RUNNER_TEMP": "/r", "HOME": "/ours"},
    ],
)
def test_its_state_lies_where_ours_does(ours: dict[str, str]) -> None:
    """Wherever the session's home is: what it could not tell waits where the next one of any home brings it along."""
    environ = environ_of(told(HOME="/mine"), ours)
    assert spool_root(environ) == spool_root(ours)
    assert sessions_root(environ) == sessions_root(ours)


def test_nonsense_is_no_environment() -> None:
    """Nobody's server is guessed from it."""
    with pytest.raises(ValueError, match="non-hexadecimal"):
        told_environ({"tabstop_environ": "TABSTOP_SERVER=https"})


@pytest.mark.parametrize(
    ("record", "environ", "leaves"),
    [
        (RECORD, {"TABSTOP_SERVER": "off"}, True),
        (RECORD, {"TABSTOP_SERVER": "https://b.example"}, True),
        (RECORD, {"TABSTOP_SERVER": "https://a.example/"}, False),
        (RECORD, {"HOME": "/mine"}, False),
        (RECORD, {}, False),
        (replace(RECORD, server=""), {"TABSTOP_SERVER": "off"}, False),
        (replace(RECORD, start=StartRequest("claude-code", run_id="7")), {"TABSTOP_SERVER": "off"}, False),
    ],
)
def test_when_a_session_leaves_its_server(record: Record, environ: dict[str, str], leaves: bool) -> None:
    """Where it goes on under another one's name, or under none; a gate's session is the gate's."""
    assert leaves_its_server(record, environ) is leaves


def test_of_a_session_without_its_server_nobody_can_tell_that_server() -> None:
    """Neither its id nor its token there is left."""
    record = without_server(RECORD)
    assert (record.server, record.server_session, record.token, record.key) == ("", "", "", "")
    assert replace(record, server=RECORD.server, server_session="ses_1", token="t") == RECORD
