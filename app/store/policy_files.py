"""From stored policy files to the policy in force. Parsing is remembered by text: starts ask for it every time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from app.registry import InForce, PolicyFile
from tabstop.policy.document import SILENT_ORGANIZATION, PolicyDocument, PolicyKind
from tabstop.policy.effective import Effective, effective
from tabstop.policy.read import parse

COUNTING = frozenset({"valid", "absent"})
"""States of a read that put it in force; after `invalid` or `unreadable` the one before stays."""


@dataclass(frozen=True, slots=True)
class FileState:
    """One file's newest read, and the last one that counts (commit and text; empty where the file is absent)."""

    read: bool = False
    state: str = ""
    commit: str = ""
    text: str = ""
    counts: bool = False

    @classmethod
    def of(cls, newest: PolicyFile | None, counting: PolicyFile | None) -> FileState:
        """From the newest read and the newest that counts."""
        if newest is None:
            return cls()
        if counting is None or counting.state == "absent":
            return cls(read=True, state=newest.state, counts=counting is not None)
        return cls(read=True, state=newest.state, commit=counting.commit, text=counting.text, counts=True)

    @property
    def silent(self) -> bool:
        """Whether a file is there and nothing of it, not even its absence, ever counted: that is not the same as no file."""
        return self.read and self.state not in COUNTING and not self.counts


def in_force(organization: FileState, repository: FileState, name: str, topics: tuple[str, ...]) -> InForce:
    """The repository's last valid file over the organization's over the defaults.

    An organization's file that never was valid permits a repository nothing.
    """
    found = _effective(organization.text, organization.silent, repository.text, name, topics)
    return InForce(
        policy=found.policy,
        commit=" ".join(commit for commit in (repository.commit, organization.commit) if commit),
        problem=_problem(organization, repository),
        sources=found.sources,
        read=organization.read and repository.read,
    )


def _problem(organization: FileState, repository: FileState) -> str:
    for file, whose, otherwise in (
        (repository, "this repository's", "it does not count"),
        (organization, "the organization's", "it does not count, and repositories may only tighten the defaults"),
    ):
        if file.read and file.state not in COUNTING:
            instead = "its last valid version stays in force" if file.counts else otherwise
            return f"{whose} policy file is {file.state}; {instead}"
    return ""


@lru_cache(maxsize=1024)
def _effective(organization: str, silent: bool, repository: str, name: str, topics: tuple[str, ...]) -> Effective:
    return effective(
        SILENT_ORGANIZATION if silent else _document(organization, PolicyKind.ORGANIZATION),
        _document(repository, PolicyKind.REPOSITORY),
        name=name,
        topics=topics,
    )


@lru_cache(maxsize=256)
def _document(text: str, kind: PolicyKind) -> PolicyDocument | None:
    """What a file says; None without one. A file that was valid once and is not for this release counts as its draft."""
    if not text:
        return None
    parsed = parse(text, kind)
    return parsed.document or parsed.draft
