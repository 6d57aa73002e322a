"""Checked out: on which branch a call was made whose own agent does not say, by the git of the folder it was made in.

Now, for a call that is told while its agent runs; then, for one that is read in its agent's log later.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from tabstop.beside.checkout import repositories_of
from tabstop.beside.git_folder import branch_now, common_folder, git_folder, tree_of
from tabstop.beside.local_git import checkouts_of
from tabstop.evidence import Evidence
from tabstop.report.facts import Checkouts

_FIRST = re.compile(rb"> (\d{1,12}) [+-]\d{4}(?:\t|$)")
_LONGEST_ENTRY = 4_096


class CheckedOutNow:
    """Of one session. folder: where it works, as far as its calls do not say otherwise; empty for nowhere."""

    def __init__(self, folder: str) -> None:
        """Nothing is looked up yet."""
        self._folder = folder
        self._names: dict[Path, str] = {}

    def completed(self, told: Evidence) -> Evidence:
        """With the branch that is checked out now, where none is told. Of another repository than the session's, with its name."""
        if told.branch or told.commit:
            return told
        tree = _tree(told.folder or self._folder)
        if tree is None:
            return told
        branch, repository = branch_now(git_folder(tree)), told.repository
        own = _tree(self._folder)
        if not repository and (own is None or common_folder(own) != common_folder(tree)):
            repository = self._name(tree)
            if not repository:
                return told
        return replace(told, repository=repository, branch=branch) if branch else told

    def _name(self, tree: Path) -> str:
        if tree not in self._names:
            self._names[tree] = next(iter(repositories_of(str(tree))), "")
        return self._names[tree]


class CheckedOutThen:
    """Of the folders of many sessions, each looked up once."""

    def __init__(self) -> None:
        """Nothing is looked up yet."""
        self._known: dict[str, tuple[int, Checkouts] | None] = {}

    def completed(self, told: Evidence, at: datetime) -> Evidence:
        """With the branch that was checked out in its folder, by git's own log.

        That stands over what an agent told, which may have seen an earlier one only; not in the second in which it was switched,
        where the agent knows better what came first.
        """
        if told.folder not in self._known:
            self._known[told.folder] = _log_of(told.folder)
        known, second = self._known[told.folder], int(at.timestamp())
        if known is None or second < known[0]:
            return told
        before, after = known[1].at(second - 1), known[1].at(second + 1)
        branch = before if before == after or not told.branch else told.branch
        return replace(told, branch=branch) if branch else told


def _log_of(folder: str) -> tuple[int, Checkouts] | None:
    """When git's log of a folder begins, in seconds since 1970, and what it tells; None where there is none."""
    tree = _tree(folder) if Path(folder).is_dir() else None
    if tree is None:
        return None
    with suppress(OSError), (git_folder(tree) / "logs" / "HEAD").open("rb") as log:
        if first := _FIRST.search(log.readline(_LONGEST_ENTRY)):
            return int(first[1]), checkouts_of(git_folder(tree))
    return None


def _tree(folder: str) -> Path | None:
    return tree_of(Path(folder), None) if folder.startswith("/") else None
