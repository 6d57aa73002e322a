"""Access to a server: which one, and whose sessions: by the environment, else by `tabstop login`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tabstop.beside.credentials import Credentials
from tabstop.beside.fork import owner_of

NO_SERVER = "off"
"""What TABSTOP_SERVER says where no server shall be asked, though somebody is logged in."""

VARIABLES = ("TABSTOP_SERVER", "TABSTOP_TOKEN", "TABSTOP_REPOSITORY", "XDG_CONFIG_HOME", "HOME")
"""All that is read of an environment: which server, whose token, and where logins lie."""

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class ServerAccess:
    """Which server, and whose sessions. repository: `owner/name`, where git does not tell.

    organization: of a login, which speaks for that organization's repositories and no others; empty for the environment's
    token, which its owner set for what they run there. owners: the names it has had, in lower case.
    """

    address: str
    token: str = field(repr=False)
    repository: str = ""
    organization: str = ""
    owners: tuple[str, ...] = ()

    @classmethod
    def from_environ(
        cls, environ: Mapping[str, str], repository: str = "", credentials: Credentials | None = None
    ) -> ServerAccess | None:
        """`TABSTOP_SERVER`, `TABSTOP_TOKEN` (an engineer's own) and `TABSTOP_REPOSITORY`; what is not set, of the login.

        repository: it is about, so that of several organizations the right one's token is taken. None where nobody is asked.
        """
        address = server_named(environ)
        token, named = (environ.get(name, "").strip() for name in ("TABSTOP_TOKEN", "TABSTOP_REPOSITORY"))
        if address == NO_SERVER:
            return None
        if address and token:
            return cls(address, token, named)
        login = (credentials or Credentials.from_environ(environ)).find(address, owner_of(named or repository))
        if login is None:
            return None
        if token:
            return cls(login.server, token, named)
        return cls(login.server, login.token, named, login.organization, login.owners)

    def speaks_for(self, repository: str) -> bool:
        """Whether the server may be told of work there: a login's own organization; anything, where somebody set the token."""
        return not self.organization or owner_of(repository) in self.owners

    @property
    def problem(self) -> str:
        """What is wrong with the address: a token is sent to it. Empty for nothing."""
        return problem_of_address(self.address, "TABSTOP_SERVER")


def server_named(environ: Mapping[str, str]) -> str:
    """What `TABSTOP_SERVER` says: an address, NO_SERVER, or nothing."""
    return environ.get("TABSTOP_SERVER", "").strip().rstrip("/")


def problem_of_address(address: str, name: str) -> str:
    """Why no token may be sent there; empty for nothing. name: what people call it."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return f"{name} is {address!r}, which is no address"
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment or parts.username:
        return f"{name} is {address!r}, which is no address such as https://tabstop.example.com"
    if parts.scheme == "http" and host not in _LOOPBACK:
        return f"{name} is {address!r}; a token is sent to it, so it has to be https://"
    return ""
