"""Credentials: what `tabstop login` keeps on this machine. Tokens lie in the system keyring where there is one, else in a 0600 file.

credentials.json   under $XDG_CONFIG_HOME/tabstop: which servers and organizations; the tokens too where there is no keyring
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from tabstop.beside.session_folder import write_privately
from tabstop.wire_json import WireError, from_json, to_json

SERVICE = "tabstop"
"""What its entries are called in a keyring."""


_UNREADABLE = (OSError, ValueError, RecursionError, WireError)


class Keyring(Protocol):
    """The part of the library `keyring` that is used."""

    def get_password(self, service_name: str, username: str) -> str | None:
        """What is kept; None for nothing."""
        ...

    def set_password(self, service_name: str, username: str, password: str) -> None:
        """Keep it."""
        ...

    def delete_password(self, service_name: str, username: str) -> None:
        """Forget it."""
        ...


@dataclass(frozen=True, slots=True)
class Login:
    """A server's token for one organization. in_keyring: the token is there, and not in the file.

    formerly: names that the organization had before: clones may still have them.
    """

    server: str
    organization: str
    login: str
    token: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ()
    in_keyring: bool = False
    formerly: tuple[str, ...] = ()

    @property
    def owners(self) -> tuple[str, ...]:
        """Of the repositories it speaks for, in lower case; the name of now first."""
        return tuple(one.lower() for one in (self.organization, *self.formerly))


@dataclass(frozen=True, slots=True)
class _File:
    logins: tuple[Login, ...] = ()


class Credentials:
    """Of this user on this machine."""

    def __init__(self, path: Path | None, keyring: Callable[[], Keyring | None] = lambda: None) -> None:
        """path: of the file; None where this user has no folder for it, and then nothing is ever kept.

        keyring: finds the keyring, which takes a moment; asked for where one is needed.
        """
        self.path = path
        self._find_keyring = keyring

    @cached_property
    def _keyring(self) -> Keyring | None:
        return self._find_keyring()

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Credentials:
        """By XDG_CONFIG_HOME, else HOME; without either there are none."""
        config, home = environ.get("XDG_CONFIG_HOME", ""), environ.get("HOME", "")
        folder = Path(config) if config.startswith("/") else Path(home, ".config") if home else None
        return cls(folder / "tabstop" / "credentials.json" if folder else None, system_keyring)

    def logins(self) -> tuple[Login, ...]:
        """All, newest first, without the tokens that a keyring has. What cannot be read is as good as none."""
        try:
            return self._read()
        except _UNREADABLE:
            return ()

    def problem(self, server: str, owner: Callable[[], str]) -> str:
        """Why a login that speaks for this owner's repositories (lower case) gives no token; empty where there is none, or it does.

        server: empty for any. owner: asked for where there are logins: git has to tell it. A file that cannot be read may have one.
        """
        try:
            there = [one for one in self._read() if server in {"", one.server}]
        except FileNotFoundError:
            return ""
        except _UNREADABLE:
            return f"{self.path}, where logins are kept, cannot be read"
        whose = owner() if there else ""
        mine = [one for one in there if whose in one.owners]
        if not mine or any(self.with_token(one) for one in mine):
            return ""
        return f"the system keyring does not give the token of your login at {mine[0].server}"

    def _read(self) -> tuple[Login, ...]:
        return from_json(_File, json.loads(self.path.read_bytes())).logins if self.path else ()

    def at(self, server: str) -> tuple[Login, ...]:
        """Those at this server, all where it is empty; as `logins` has them."""
        return tuple(one for one in self.logins() if server in {"", one.server})

    def find(self, server: str = "", organization: str = "") -> Login | None:
        """The login at this server (empty for any), of this organization if there is one, else the newest; with its token."""
        mine = self.at(server)
        owner = organization.lower()
        now = [one for one in mine if owner == one.owners[0]]
        before = [one for one in mine if owner in one.owners]
        for one in (*now, *before, *mine)[:1]:
            return self.with_token(one)
        return None

    def with_token(self, login: Login) -> Login | None:
        """The same with its token; None where the keyring does not give it."""
        if not login.in_keyring:
            return login
        token = None
        if self._keyring is not None:
            with suppress(Exception):  # each backend has errors of its own: locked, refused, gone
                token = self._keyring.get_password(SERVICE, _name(login))
        return replace(login, token=token) if token else None

    def keep(self, login: Login) -> Login:
        """Keep it, in place of an earlier one of the same server and organization; as it is kept. Raises `OSError`."""
        if self.path is None:
            raise FileNotFoundError("neither XDG_CONFIG_HOME nor HOME is set")
        kept = replace(login, in_keyring=False)
        if self._keyring is not None:
            with suppress(Exception):  # a keyring that does not take it is as good as none
                self._keyring.set_password(SERVICE, _name(login), login.token)
                kept = replace(login, token="", in_keyring=True)
        self._write((kept, *self._others(login)))
        return kept

    def forget(self, login: Login) -> None:
        """Remove it here. Raises `OSError`."""
        if login.in_keyring and self._keyring is not None:
            with suppress(Exception):
                self._keyring.delete_password(SERVICE, _name(login))
        rest = self._others(login)
        if rest:
            self._write(rest)
        elif self.path is not None:
            self.path.unlink(missing_ok=True)

    def place_of(self, login: Login) -> str:
        """Where its token lies, in words."""
        return "the system keyring" if login.in_keyring else f"{self.path} (readable by you only)"

    def _others(self, login: Login) -> tuple[Login, ...]:
        return tuple(one for one in self.logins() if _name(one) != _name(login))

    def _write(self, logins: tuple[Login, ...]) -> None:
        assert self.path is not None  # noqa: S101 - `keep` saw to it, and without a path there is nothing to forget
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_privately(self.path, json.dumps(to_json(_File(logins)), indent=1).encode())


def system_keyring(find: Callable[[str], Any] = import_module) -> Keyring | None:
    """The keyring of this system; None without the library `keyring`, or where it finds no backend that keeps anything."""
    try:
        library = find("keyring")
        # Its `fail` and `null` backends, for systems that have none, say so by a priority of zero or less.
        return cast("Keyring", library) if library.get_keyring().priority > 0 else None
    except Exception:  # noqa: BLE001 - not installed, or a backend that breaks while it is looked for
        return None


def _name(login: Login) -> str:
    return f"{login.server} {login.organization.lower()}"
