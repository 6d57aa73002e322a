"""Where a login is kept, how it is found again, and that nobody else can read it."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from tabstop.beside.credentials import Credentials, Login, system_keyring
from tabstop.beside.server_access import ServerAccess

SERVER = "https://tabstop.example"
ACME = Login(SERVER, "acme", "alice", "tabstop_eng_a", ("start", "read"))
OTHER = Login(SERVER, "Umbrella", "alice", "tabstop_eng_u", ("start", "read"))


class MemoryKeyring:
    """A keyring; `locked` gives and takes nothing."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service_name: str, username: str) -> str | None:
        self._open()
        return self.kept.get((service_name, username))

    def set_password(self, service_name: str, username: str, password: str) -> None:
        self._open()
        self.kept[service_name, username] = password

    def delete_password(self, service_name: str, username: str) -> None:
        self._open()
        del self.kept[service_name, username]

    def _open(self) -> None:
        if self.locked:
            raise RuntimeError("locked")


def test_without_a_keyring_a_file_of_ones_own(tmp_path: Path) -> None:
    """Readable by this user only, in a folder of this user only; gone with the last login."""
    credentials = Credentials(tmp_path / "tabstop" / "credentials.json")
    credentials.keep(ACME)
    path = tmp_path / "tabstop" / "credentials.json"
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    assert credentials.find() == ACME
    credentials.keep(OTHER)
    credentials.forget(OTHER)
    assert credentials.logins() == (ACME,)
    credentials.forget(ACME)
    assert not path.exists()
    credentials.forget(ACME)


def test_with_a_keyring_the_file_holds_no_token(tmp_path: Path) -> None:
    """And nothing is found while it is locked; a keyring that does not take it is as good as none."""
    keyring = MemoryKeyring()
    credentials = Credentials(tmp_path / "credentials.json", lambda: keyring)
    kept = credentials.keep(ACME)
    assert "tabstop_eng" not in (tmp_path / "credentials.json").read_text()
    assert credentials.place_of(kept) == "the system keyring"
    found = credentials.find(SERVER, "ACME")
    assert found is not None
    assert found.token == ACME.token
    keyring.locked = True
    assert credentials.find() is None
    credentials.forget(kept)
    assert credentials.logins() == ()
    assert credentials.place_of(credentials.keep(OTHER)).endswith("(readable by you only)")
    assert credentials.find() == OTHER


def test_of_several_the_right_one(tmp_path: Path) -> None:
    """By the repository's owner; else the newest."""
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    credentials = Credentials.from_environ(environ)
    credentials.keep(ACME)
    credentials.keep(OTHER)

    def access(repository: str = "", **more: str) -> ServerAccess | None:
        return ServerAccess.from_environ({**environ, **more}, repository, Credentials(credentials.path))

    theirs = access("umbrella/x")
    mine = access("Acme/widget")
    assert theirs is not None
    assert mine is not None
    assert (theirs.token, mine.token) == ("tabstop_eng_u", "tabstop_eng_a")
    assert mine.speaks_for("acme/gadget")
    assert not mine.speaks_for("alice/diary")
    assert not mine.speaks_for("")
    usual = access()
    assert usual is not None
    assert usual.token == "tabstop_eng_u"
    assert access(TABSTOP_SERVER="https://other.example") is None
    assert access(TABSTOP_SERVER="off", TABSTOP_TOKEN="t") is None
    by_environment = access(TABSTOP_TOKEN="t")
    assert by_environment is not None
    assert (by_environment.address, by_environment.token) == (SERVER, "t")
    assert by_environment.speaks_for("alice/diary")


def test_a_name_an_organization_had_before(tmp_path: Path) -> None:
    """Its clones may have it still; a login of that very name counts before it."""
    credentials = Credentials(tmp_path / "credentials.json")
    credentials.keep(OTHER)
    credentials.keep(replace(ACME, formerly=("Widgets", "umbrella")))
    for owner, organization in (("acme", "acme"), ("widgets", "acme"), ("UMBRELLA", "Umbrella"), ("", "acme")):
        found = credentials.find(SERVER, owner)
        assert found is not None
        assert found.organization == organization
    access = ServerAccess.from_environ({}, "widgets/a", credentials)
    assert access is not None
    assert [access.speaks_for(f"{owner}/a") for owner in ("Widgets", "acme", "alice")] == [True, True, False]
    assert not access.speaks_for("")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"logins": [{"server": 7}]}'])
def test_what_cannot_be_read_is_no_login(tmp_path: Path, text: str) -> None:
    """A damaged file is like none."""
    (tmp_path / "credentials.json").write_text(text)
    assert Credentials(tmp_path / "credentials.json").find() is None


def test_why_a_login_gives_no_token(tmp_path: Path) -> None:
    """Its keyring is locked, or its file is damaged. What speaks for others' repositories is none of this one's business."""
    keyring = MemoryKeyring()
    credentials = Credentials(tmp_path / "credentials.json", lambda: keyring)
    assert credentials.problem("", lambda: "acme") == ""
    credentials.keep(ACME)
    assert credentials.problem("", lambda: "acme") == ""
    keyring.locked = True
    assert (
        credentials.problem("", lambda: "acme")
        == f"the system keyring does not give the token of your login at {SERVER}"
    )
    assert credentials.problem(SERVER, lambda: "acme") == credentials.problem("", lambda: "acme")
    assert credentials.problem("https://other.example", lambda: "acme") == ""
    assert credentials.problem("", lambda: "alice") == ""
    (tmp_path / "credentials.json").write_text("{")
    assert "credentials.json, where logins are kept, cannot be read" in credentials.problem("", lambda: "alice")
    assert Credentials(None).problem("", lambda: "acme") == ""


def test_a_user_without_a_home_keeps_nothing() -> None:
    """And is told so."""
    credentials = Credentials.from_environ({})
    assert credentials.logins() == ()
    with pytest.raises(FileNotFoundError, match="neither XDG_CONFIG_HOME nor HOME"):
        credentials.keep(ACME)
    credentials.forget(ACME)


class Library:
    """The library `keyring`, with a backend of this priority."""

    def __init__(self, priority: float) -> None:
        self.priority = priority

    def get_keyring(self) -> Library:
        return self


def test_not_every_machine_has_a_keyring() -> None:
    """The library may be missing, or find nothing but a backend that keeps nothing."""

    def missing(name: str) -> Library:
        raise ImportError(name)

    assert system_keyring(missing) is None
    assert system_keyring(lambda _: Library(0)) is None
    assert isinstance(system_keyring(lambda _: Library(5)), Library)
