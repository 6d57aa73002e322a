"""Names: whose login an address, a name in git or another account stands for, by GitHub's own addresses and the policy's aliases."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from tabstop.policy.model import Policy

# docs.github.com/en/account-and-profile/reference/email-addresses-reference: `ID+LOGIN@users.noreply.github.com`, of
# accounts from before July 2017 `LOGIN@…`; an Enterprise Server has its own host there.
_NOREPLY = re.compile(
    r"(?:(?P<id>[0-9]{1,18})\+)?(?P<login>[a-z0-9][a-z0-9_-]{0,59}(?:\[bot\])?)@users\.noreply\.(?P<host>[a-z0-9.-]+)"
)

_NO_BRACKETS = frozenset({"copilot", "copilot-swe-agent"})
"""GitHub's own agent, whose login looks like a person's."""


def is_bot(login: str) -> bool:
    """Whether GitHub names an app or bot: their logins end so, and people's cannot hold brackets."""
    return login.endswith("[bot]") or login.lower() in _NO_BRACKETS


@dataclass(frozen=True, slots=True)
class Names:
    """What the organization's policy says of who is who, and where GitHub is."""

    policy: Policy
    github_url: str = "https://github.com"

    def of_account(self, login: str) -> str:
        """The login this account stands for; empty where it is itself."""
        return self.policy.login_of(login)

    def of_author(self, name: str, address: str) -> tuple[int | None, str] | None:
        """(GitHub id if the address holds it, login) of who wrote this in git; None for nobody known.

        What the organization says counts before what GitHub's own address says, and an address before a name.
        """
        aliased = self.policy.login_of(address)
        if aliased:
            return None, aliased
        found = _NOREPLY.fullmatch(address.lower())
        if found and found["host"] == (urlsplit(self.github_url).hostname or ""):
            return int(found["id"]) if found["id"] else None, found["login"]
        aliased = self.policy.login_of(name)
        return (None, aliased) if aliased else None
