"""Local git: which repository each folder an agent worked in is, its branches, and which branch was checked out when.

Read-only and bounded: git is asked three short questions a repository, a few repositories at a time, and no network is touched.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from tabstop.beside.checkout import addresses_of
from tabstop.beside.git import git_says
from tabstop.beside.git_folder import (
    branch_now,
    common_folder,
    git_folder,
    no_branches,
    own_folder,
    shown,
    tree_of,
    worktrees_of,
)
from tabstop.evidence import branch_named, repository_named
from tabstop.report.facts import Checkouts, Repository

MOST_REPOSITORIES = 200
"""Repositories that are looked into; the ones with the most folders first."""

LONGEST_LOOK = 5.0
"""Seconds in all; a repository whose turn comes later is known by nothing but its folder."""

AT_ONCE = 4
"""Repositories asked at the same time."""

_LONGEST_LOG = 4 * 1024 * 1024
_ENTRY = re.compile(rb"> (\d{1,12}) [+-]\d{4}\t(?:checkout: moving from|Branch: renamed) (\S+) to (\S+)$", re.MULTILINE)
_NO_BRANCH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?|HEAD|(?:origin|upstream)/.*|.*(?:[~^:]|@\{).*|@")
"""What was checked out by another name than a branch's, as git notes it: the words that were typed (gitrevisions(7))."""

_AT_GITHUB = re.compile(r"(?:[a-z+]+://)?(?:[^@/\s]+@)?(?:ssh\.|www\.)?github\.com(?::\d+)?[:/][^:@]+", re.IGNORECASE)
"""A remote's address at github.com, over any protocol; port 443 of ssh.github.com is for those whose network has no other."""


class Seen(NamedTuple):
    """What git tells. folders: the repository's name by folder; elsewhere: of the others, how people write them; roots: the working
    tree's root by folder.
    """

    folders: Mapping[str, str]
    elsewhere: Mapping[str, str]
    roots: Mapping[str, Path]
    checkouts: Mapping[str, Checkouts]
    repositories: Mapping[str, Repository]


def look(folders: Iterable[str], remembered: Mapping[str, str], home: Path | None = None) -> Seen:
    """Find the repositories of these folders.

    remembered: names by folder from an earlier look, for folders that are gone. home: this user's; folders below it are shown
    with `~`.
    """
    wanted = [folder for folder in dict.fromkeys(folders) if folder.startswith("/")]
    trees = {folder: tree for folder in wanted if (tree := tree_of(Path(folder))) is not None}
    common = {tree: common_folder(tree) for tree in dict.fromkeys(trees.values())}
    gone = [folder for folder in wanted if folder not in trees]
    worktrees = recorded_worktrees(common) if gone else {}
    trees |= {folder: tree for folder in gone if (tree := tree_of_gone(folder, worktrees)) is not None}
    asked = _asked(common, trees, home)
    names: dict[str, str] = {}
    checkouts: dict[str, Checkouts] = {}
    read: dict[Path, Checkouts] = {}
    for folder in wanted:
        tree = trees.get(folder)
        found = asked.get(common[tree]) if tree is not None else None
        if found is None or (remembered.get(folder) and not Path(folder).exists()):
            names[folder] = remembered.get(folder) or ("" if found is None else found.name)
        else:
            names[folder] = found.name
        if tree is not None and Path(folder).exists():
            if tree not in read:
                read[tree] = checkouts_of(git_folder(tree))
            checkouts[folder] = read[tree]
    return Seen(
        folders={folder: name for folder, name in names.items() if name},
        elsewhere={folder: shown(Path(folder), home) for folder, name in names.items() if not name},
        roots=trees,
        checkouts=checkouts,
        repositories={one.name.lower(): one for one in asked.values()},
    )


def recorded_worktrees(trees: Iterable[Path]) -> dict[Path, Path]:
    """Every worktree that git has a record of, there or gone, with a working tree of its repository."""
    by_common = {common_folder(tree): tree for tree in trees}
    return {worktree: tree for common, tree in by_common.items() for worktree in worktrees_of(common)}


def tree_of_gone(folder: str, worktrees: Mapping[Path, Path]) -> Path | None:
    """A working tree of the repository that a folder was in which is gone; None where nothing says so. worktrees: recorded ones."""
    path = Path(folder)
    return tree_of(path) or next((worktrees[one] for one in (path, *path.parents) if one in worktrees), None)


def checkouts_of(folder: Path) -> Checkouts:
    """From the log of HEAD (git-reflog(1)); where it tells of no switch, the branch that is checked out now."""
    try:
        with (folder / "logs" / "HEAD").open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _LONGEST_LOG))
            log = stream.read(_LONGEST_LOG)
    except OSError:
        log = b""
    switches = [(int(at), _branch(one), _branch(other)) for at, one, other in _ENTRY.findall(log)]
    if switches:
        names = [switches[0][1], *(after for _, _, after in switches)]
        others = no_branches(folder, names)
        first, *then = ("" if name in others else name for name in names)
        return Checkouts(first, tuple((at, after) for (at, _, _), after in zip(switches, then, strict=True)))
    return Checkouts(branch_now(folder))


def _branch(name: bytes) -> str:
    text = name.decode("utf-8", "replace")
    return "" if _NO_BRANCH.fullmatch(text) else branch_named(text)


def _asked(common: Mapping[Path, Path], trees: Mapping[str, Path], home: Path | None) -> dict[Path, Repository]:
    by_common: dict[Path, list[Path]] = {}
    for tree in trees.values():
        by_common.setdefault(common[tree], []).append(tree)
    most = sorted(by_common.items(), key=lambda item: -len(item[1]))[:MOST_REPOSITORIES]
    until = time.monotonic() + LONGEST_LOOK
    if not most:
        return {}
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - a machine without repositories need not load it

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda item: _ask(item[1][0], item[0], home, until), most)
        return {folder: one for (folder, _), one in zip(most, found, strict=True)}


def _ask(tree: Path, common: Path, home: Path | None, until: float) -> Repository:
    by_folder = shown(own_folder(common), home)
    if time.monotonic() > until:
        return Repository(by_folder)
    addresses = addresses_of(str(tree))
    remotes = {remote: repository_named(address) for remote, address in addresses.items()}
    name = remotes.get("origin") or next(iter(remotes.values()), "")
    listed = _lines(
        str(tree), "for-each-ref", "--format=%(refname) %(symref)", "refs/heads", "refs/remotes/origin/HEAD"
    )
    heads = {name: target for name, _, target in (one.partition(" ") for one in listed)}
    default = heads.pop("refs/remotes/origin/HEAD", "").removeprefix("refs/remotes/origin/")
    branches = frozenset(filter(None, map(branch_named, heads)))
    return Repository(
        name=name or by_folder,
        default_branch=branch_named(default),
        branches=branches,
        merged=_merged(str(tree), branch_named(default)) if len(branches) > 1 else frozenset(),
        fork_of=remotes.get("upstream", ""),
        on_github=frozenset(
            name.lower() for remote, name in remotes.items() if _AT_GITHUB.fullmatch(addresses[remote])
        ),
    )


def _merged(tree: str, default: str) -> frozenset[str]:
    """Local branches whose every commit is in the default branch; a squash merge cannot be seen here."""
    if not default:
        return frozenset()
    listed = _lines(
        tree, "for-each-ref", f"--merged=refs/remotes/origin/{default}", "--format=%(refname)", "refs/heads"
    )
    return frozenset(name for one in listed if (name := branch_named(one)) and name != default)


def _lines(tree: str, *words: str) -> list[str]:
    return git_says(tree, *words).decode("utf-8", "replace").splitlines()
