"""Where git keeps a working tree's own files, found by reading, in well under a millisecond (gitrepository-layout(5))."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tabstop.evidence import branch_named


def tree_of(folder: Path, home: Path | None) -> Path | None:
    """The root of the working tree; of a folder that is gone, that of the nearest one above it, unless that is the home folder."""
    gone = False
    for one in (folder, *folder.parents):
        try:
            if (one / ".git").exists():
                return None if gone and one == home else one
            gone = gone or not one.exists()
        except (OSError, ValueError):
            return None
    return None


def git_folder(tree: Path) -> Path:
    """`.git` itself, or where a worktree's file leads."""
    dot_git = tree / ".git"
    with suppress(OSError, ValueError):
        if dot_git.is_file():
            text = dot_git.read_text(encoding="utf-8").strip()
            if text.startswith("gitdir: "):
                return tree / text.removeprefix("gitdir: ")
    return dot_git


def common_folder(tree: Path) -> Path:
    """The same for every worktree of a repository."""
    folder = git_folder(tree)
    with suppress(OSError, ValueError):
        folder = folder / (folder / "commondir").read_text(encoding="utf-8").strip()
    return Path(os.path.realpath(folder))


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
