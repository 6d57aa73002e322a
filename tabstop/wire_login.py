"""The JSON contract of `tabstop login`, `whoami` and `logout`; read and written as `tabstop.wire` is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from tabstop.wire import VERSION


@dataclass(frozen=True, slots=True)
class LoginOffer:
    """`GET /api/v1/login`, open to everybody: where a person proves to GitHub who they are.

    client_id: of the server's App. github: its pages, such as https://github.com. Neither is a secret.
    """

    client_id: str
    github: str
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """`POST /api/v1/login`: GitHub's user token, shown once and kept nowhere.

    machine: how people tell the new token from their others. organization: only for this one; empty for each the person is in.
    """

    github_token: str = field(repr=False)
    machine: str = ""
    organization: str = ""
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class OrganizationToken:
    """An engineer's own token in one organization, as it is given once. Its text is stored nowhere at the server.

    formerly: names that the organization had before and that are nobody's now: clones may still have them.
    """

    organization: str
    token: str = field(repr=False)
    scopes: tuple[str, ...] = ()
    formerly: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoginAnswer:
    """201: a token for each organization, by its login."""

    login: str
    tokens: tuple[OrganizationToken, ...]
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """`GET /api/v1/whoami`, with an engineer's own token: whose it is and what it is good for."""

    login: str
    organization: str
    scopes: tuple[str, ...]
    name: str = ""
    created_at: datetime | None = None
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """`POST /api/v1/logout`, with an engineer's own token: it is good for nothing any more."""

    name: str = ""
    version: int = VERSION
