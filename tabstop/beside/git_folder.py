"""Where git keeps a working tree's own files, found by reading, in well under a millisecond (gitrepository-layout(5))."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tabstop.evidence import branch_named

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
"""Git shortens an id to seven digits or more."""


def tree_of(folder: Path) -> Path | None:
    """The root of the working tree, or a bare repository's folder. Of a folder that is gone see `claudes_repository`."""
    try:
        if not folder.exists():
            return claudes_repository(folder)
        return next((one for one in (folder, *folder.parents) if _is_root(one)), None)
    except (OSError, ValueError):
        return None


def claudes_repository(folder: Path) -> Path | None:
    """The repository in which `claude --worktree` had made this folder: it keeps them in `.claude/worktrees`, and removes them.

    No other parent says whose a folder was that is gone. Raises `OSError`, `ValueError`.
    """
    for one in folder.parents:
        if one.parts[-2:] == (".claude", "worktrees"):
            repository = one.parent.parent
            # Where the transcripts are, `.claude` is the client's own folder and no repository's.
            if _is_root(repository) and not (repository / ".claude" / "projects").exists():
                return repository
    return None


def worktrees_of(common: Path) -> list[Path]:
    """Worktrees git has a record of; they may be gone. Of one that `git worktree remove` took away there is none."""
    found = []
    with suppress(OSError):
        for record in (common / "worktrees").iterdir():
            with suppress(OSError, ValueError):
                dot_git = (record / "gitdir").read_text(encoding="utf-8").strip()
                found.append(Path(os.path.normpath(record / dot_git)).parent)
    return found


def _is_root(folder: Path) -> bool:
    if (folder / ".git").exists():
        return True
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()


def git_folder(tree: Path) -> Path:
    """`.git` itself, or where a worktree's file leads; a bare repository's folder is its own."""
    dot_git = tree / ".git"
    with suppress(OSError, ValueError):
        if dot_git.is_file():
            text = dot_git.read_text(encoding="utf-8").strip()
            if text.startswith("gitdir: "):
                return tree / text.removeprefix("gitdir: ")
        if not dot_git.exists():
            return tree
    return dot_git


def common_folder(tree: Path) -> Path:
    """The same for every worktree of a repository."""
    return _common(git_folder(tree))


def _common(folder: Path) -> Path:
    with suppress(OSError, ValueError):
        folder = folder / (folder / "commondir").read_text(encoding="utf-8").strip()
    return Path(os.path.realpath(folder))


def no_branches(folder: Path, names: Iterable[str]) -> set[str]:
    """Those of the names which are a tag's or a commit's, and no branch's, by the git folder of a working tree.

    Git's log of what was checked out has the names alone. One that is neither now was a branch that is deleted.
    """
    common, packed = _common(folder), b""
    with suppress(OSError):
        packed = (common / "packed-refs").read_bytes()

    def has(ref: str) -> bool:
        return (common / ref).is_file() or f" {ref}\n".encode() in packed

    return {
        name
        for name in names
        if (_COMMIT.fullmatch(name) or has(f"refs/tags/{name}")) and not has(f"refs/heads/{name}")
    }


def own_folder(common: Path) -> Path:
    """A repository's own folder: a worktree is known by it, and not by its own."""
    return common.parent if common.name == ".git" else common


def branch_now(folder: Path) -> str:
    """The branch that is checked out, by the git folder of a working tree; empty on a detached head."""
    with suppress(OSError, ValueError):
        head = (folder / "HEAD").read_text(encoding="utf-8").strip()
        if head.startswith("ref: "):
            return branch_named(head.removeprefix("ref: "))
    return ""


def shown(folder: Path, home: Path | None) -> str:
    """A folder as people write it: `~/src/widget`."""
    if home is not None and folder != home and folder.is_relative_to(home):
        return f"~/{folder.relative_to(home)}"
    return str(folder)
