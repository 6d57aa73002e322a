"""Evidence: what a source tells about where a call was made, before anybody decides where it belongs.

It is the machine's word. `tabstop.attribution` weighs it against what GitHub says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

LONGEST_NAME = 255
"""Characters of a repository's or a branch's name."""

MOST_LINKS = 100
MOST_COMMITS = 1_000
"""Of one session, and in one batch: what is beyond is dropped."""

ASK_GIT_WITH_EVERY_CALL = frozenset({"claude-code"})
"""Agents whose word for the branch of a call stands. What the others tell of it may be long past: git's own log is asked instead."""

_REMOTE = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://(?:[^@/\s]+@)?[A-Za-z0-9.-]+(?::\d+)?/|(?:[^@/:\s]+@)?[A-Za-z0-9.-]+[:/])"
    r"(?P<name>[A-Za-z0-9_-][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]+?)(?:\.git)?/?"
)
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where one call was made, as its client, its hook or its headers say. Everything may be unknown, and is empty then.

    repository: `owner/name` of the remote it works with. branch: the one checked out, empty on a detached head.
    commit: what HEAD was, 7 to 64 hexadecimal digits. folder: the working directory; it never leaves the machine.
    """

    repository: str = ""
    branch: str = ""
    commit: str = ""
    folder: str = ""


NOWHERE = Evidence()


@dataclass(frozen=True, slots=True)
class PullRequestLink:
    """A pull request that the agent's own client saw being opened or worked on: `acme/widget`, 42.

    branch: checked out then, where known. at: when it was seen; None where the source does not say.
    """

    repository: str
    number: int
    branch: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CommitMade:
    """A commit that was made in the session. sha: as the client shows it, which may be only its beginning."""

    sha: str
    repository: str = ""
    branch: str = ""
    at: datetime | None = None


def repository_named(remote: str) -> str:
    """`owner/name` of a remote's address, whatever its protocol, login and host; empty for anything else.

    A login in it (`https://token@host/…`) is dropped: it may be a secret.
    """
    found = _REMOTE.fullmatch(remote.strip())
    name = found["name"] if found else ""
    return name if len(name) <= LONGEST_NAME else ""


def branch_named(ref: str) -> str:
    """The branch of a ref or a branch's own name; empty for a detached head."""
    name = ref.strip().removeprefix("refs/heads/")
    return name if name != "HEAD" and len(name) <= LONGEST_NAME and name.isprintable() else ""


def commit_named(sha: str) -> str:
    """The commit's id in lower case; empty for what is none."""
    lowered = sha.strip().lower()
    return lowered if _COMMIT.fullmatch(lowered) else ""
