"""As whom `tabstop sync` tells: a login for each organization, the environment's token, ones that are locked away, refused or missing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tabstop.beside.sync.run import NobodyToTellError, Wanted, sync
from tabstop.beside.transport import Request, Response
from tests.beside.picky_server import Picky
from tests.beside.synced_home import ADDRESS, NOW, Home, an_answer, home

__all__ = ["home"]


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"TABSTOP_SERVER": "off"}, "TABSTOP_SERVER=off says that no server is told of anything."),
        ({"TABSTOP_SERVER": "http://tabstop.example", "TABSTOP_TOKEN": "t"}, "has to be https"),
        ({}, "`tabstop login --server URL` changes that."),
    ],
)
def test_nobody_to_tell(tmp_path: Path, environ: dict[str, str], said: str) -> None:
    """Says what to do."""
    with pytest.raises(NobodyToTellError, match=said):
        sync({"HOME": str(tmp_path), **environ}, Wanted(), NOW, lambda _seconds: None, Picky())


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, f"{ADDRESS} did not take it: It is not taken. Fault of sessions."),
        (500, f"{ADDRESS} could not be asked (HTTP 500: It is not taken.)."),
    ],
)
def test_what_goes_wrong_for_one_organization(home: Home, status: int, said: str) -> None:
    """A token that is good no more, a server that falls over its work: it is said, and the other's work is sent."""
    home.organizations = ("Acme", "Umbrella")
    home.log("s1", an_answer("1", home.clone("widget", origin="acme/widget")))
    home.log("s2", an_answer("2", home.clone("gadget", origin="umbrella/gadget"), 50))
    server = home.server

    @dataclass
    class Revoked:
        def send(self, request: Request, timeout: float) -> Response:
            server.fault = lambda *_: status if request.headers["Authorization"] == "Bearer token_of_acme" else 0
            return server.send(request, timeout)

    (passed,) = sync(home.environ, Wanted(), NOW, lambda _seconds: None, Revoked())
    assert passed.problem == said
    assert (passed.waiting, home.told) == (1, [("2", "umbrella/gadget")])


def test_a_server_that_asks_for_patience_is_left_alone(home: Home) -> None:
    """It is the server's wish, whichever organization's work it was said about: no other is sent, and the wait is kept."""
    home.organizations = ("Acme", "Umbrella")
    home.log("s1", an_answer("1", home.clone("widget", origin="acme/widget")))
    home.log("s2", an_answer("2", home.clone("gadget", origin="umbrella/gadget"), 50))
    asked: list[str] = []

    @dataclass
    class Busy:
        def send(self, request: Request, timeout: float) -> Response:
            asked.append(request.headers["Authorization"])
            return Response(429, b"{}", retry_after=1_800)

    (passed,) = sync(home.environ, Wanted(), NOW, lambda _seconds: None, Busy())
    assert (len(set(asked)), passed.retry_after, passed.waiting) == (1, 1_800, 2)


@pytest.mark.parametrize("away", [True, False])
def test_the_environments_token(home: Home, away: bool) -> None:
    """Whose organization it speaks for only the server knows: without it nothing is read, so that nothing is taken wrongly."""
    home.log("s1", an_answer("1", home.clone("widget", origin="alice/widget", upstream="acme/widget")))
    home.server.away = away
    environ = {"HOME": str(home.path), "TABSTOP_SERVER": ADDRESS, "TABSTOP_TOKEN": "tabstop_eng_1"}
    (passed,) = sync(environ, Wanted(), NOW, lambda _seconds: None, home.server)
    assert bool(passed.problem) is away
    assert (passed.read.files, passed.organizations) == ((0, ("",)) if away else (1, ("acme",)))
    assert len(home.told) == (0 if away else 1)


def test_a_keyring_that_gives_nothing(home: Home) -> None:
    """Another server's token is no help: what to do is said."""
    environ = home.environ
    path = home.path / ".config" / "tabstop" / "credentials.json"
    rows = json.loads(path.read_text())
    rows["logins"][0]["in_keyring"] = True
    path.write_text(json.dumps(rows))
    with pytest.raises(NobodyToTellError, match="Nobody is logged in"):
        sync(environ, Wanted(), NOW, lambda _seconds: None, home.server)


def test_one_of_two_tokens_is_locked_away(home: Home) -> None:
    """The other one's organization is told."""
    home.organizations = ("Umbrella", "Acme")
    environ = home.environ
    path = home.path / ".config" / "tabstop" / "credentials.json"
    rows = json.loads(path.read_text())
    rows["logins"][1]["in_keyring"] = True
    path.write_text(json.dumps(rows))
    (passed,) = sync(environ, Wanted(), NOW, lambda _seconds: None, home.server)
    assert passed.organizations == ("acme",)
