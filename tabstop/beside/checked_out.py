"""Checked out: on which branch a call was made whose own agent does not say, by the git of the folder it was made in.

Now, for a call that is told while its agent runs; then, for one that is read in its agent's log later.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tabstop.beside.checkout import repositories_of
from tabstop.beside.git_folder import branch_now, common_folder, git_folder, tree_of
from tabstop.beside.local_git import checkouts_of
from tabstop.evidence import ASK_GIT_WITH_EVERY_CALL, Evidence
from tabstop.report.facts import Checkouts
from tabstop.usage import Usage

_FIRST = re.compile(rb"> (\d{1,12}) [+-]\d{4}(?:\t|$)")
_LONGEST_ENTRY = 4_096

_Stamp = tuple[tuple[int, int, int], ...]
"""Inode, size and time of change of a file, for each."""


class CheckedOutNow:
    """Of one session. folder: where it works, as far as its calls do not say otherwise; empty for nowhere.

    fork: the repository of that folder, where it is a fork of the session's.
    """

    def __init__(self, folder: str, fork: str = "") -> None:
        """Nothing is looked up yet."""
        self._folder = folder
        self._fork = fork
        self._names: dict[Path, str] = {}

    def completed(self, told: Evidence) -> Evidence:
        """With the branch that is checked out now, where none is told. Of another repository than the session's, with its name."""
        said = bool(told.branch or told.commit)
        if said and (told.repository or not self._fork):
            return told
        tree = _tree(told.folder or self._folder)
        if tree is None:
            return told
        repository, own = told.repository, _tree(self._folder)
        if not repository:
            is_own = own is not None and common_folder(own) == common_folder(tree)
            repository = self._fork if is_own else self._name(tree)
            if not (is_own or repository):
                return told
        branch = told.branch if said else branch_now(git_folder(tree))
        return replace(told, repository=repository, branch=branch) if said or branch else told

    def _name(self, tree: Path) -> str:
        if tree not in self._names:
            self._names[tree] = next(iter(repositories_of(str(tree))), "")
        return self._names[tree]


class CheckedOutThen:
    """Of the folders of many sessions. Git's log of each is read once, and again when it has changed."""

    def __init__(self) -> None:
        """Nothing is looked up yet."""
        self._known: dict[str, _Log] = {}

    def completed(self, usage: Usage) -> Evidence:
        """Where the call was made, with the branch that was checked out in its folder then, by git's own log.

        That stands over what an agent told, which may have seen an earlier one only; not in the second in which it was switched,
        where the agent knows better what came first.
        """
        told, second = usage.evidence, int(usage.occurred_at.timestamp())
        log = None if usage.agent in ASK_GIT_WITH_EVERY_CALL else self._log_of(told.folder)
        if log is None or second < log.begins:
            return told
        before, after = log.checkouts.at(second - 1), log.checkouts.at(second + 1)
        branch = before if before == after or not told.branch else told.branch
        return replace(told, branch=branch) if branch else told

    def _log_of(self, folder: str) -> _Log | None:
        known = self._known.get(folder)
        if known is None or known.stamp != _stamp(known.folder):
            known = _read(folder)
            if known is None:
                self._known.pop(folder, None)
            else:
                self._known[folder] = known
        return known


class _Log(NamedTuple):
    """Git's log of a folder. begins: in seconds since 1970. folder: git's own. stamp: changes when the log does."""

    begins: int
    checkouts: Checkouts
    folder: Path
    stamp: _Stamp


def _read(folder: str) -> _Log | None:
    """None where there is none."""
    tree = _tree(folder) if Path(folder).is_dir() else None
    if tree is None:
        return None
    own = git_folder(tree)
    stamp = _stamp(own)
    with suppress(OSError), (own / "logs" / "HEAD").open("rb") as log:
        if first := _FIRST.search(log.readline(_LONGEST_ENTRY)):
            return _Log(int(first[1]), checkouts_of(own), own, stamp)
    return None


def _stamp(folder: Path) -> _Stamp:
    """Of HEAD too: it counts where the log tells of no switch."""
    with suppress(OSError):
        return tuple(
            (about.st_ino, about.st_size, about.st_mtime_ns)
            for about in ((folder / "logs" / "HEAD").stat(), (folder / "HEAD").stat())
        )
    return ()


def _tree(folder: str) -> Path | None:
    return tree_of(Path(folder)) if folder.startswith("/") else None
