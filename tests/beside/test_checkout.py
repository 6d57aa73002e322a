"""The checkout as local git tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tabstop.beside.checkout import checkout_of, repositories_of
from tabstop.evidence import NOWHERE, Evidence
from tests.beside.test_working_tree import git, tree

__all__ = ["tree"]


def test_repository_branch_and_commit(tree: Path) -> None:
    """From the remote `origin`; a detached head has no branch."""
    git(tree, "checkout", "-qb", "fix/heading")
    git(tree, "remote", "add", "origin", "https://secret@github.com/acme/widget.git")
    found = checkout_of(str(tree))
    assert (found.repository, found.branch, len(found.commit)) == ("acme/widget", "fix/heading", 40)
    assert "secret" not in repr(found)
    git(tree, "checkout", "-q", "--detach")
    assert checkout_of(str(tree)) == Evidence("acme/widget", "", found.commit, str(tree))


def test_where_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder, no repository, no commit yet."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert checkout_of("") == NOWHERE
    assert checkout_of(str(tmp_path)) == Evidence(folder=str(tmp_path))
    git(tmp_path, "init", "-q", "-b", "main")
    assert checkout_of(str(tmp_path)) == Evidence("", "main", "", str(tmp_path))


def test_what_it_may_be_a_fork_of(tree: Path) -> None:
    """The clone's own first; then what `gh repo set-default` chose, then `upstream`. Remotes that are folders count for nothing."""
    assert repositories_of(str(tree)) == ()
    git(tree, "remote", "add", "backup", "/srv/backup")
    assert repositories_of(str(tree)) == ()
    git(tree, "remote", "add", "mine", "https://github.com/alice/widget.git")
    assert repositories_of(str(tree)) == ("alice/widget",)
    git(tree, "remote", "add", "origin", "https://github.com/bob/widget")
    git(tree, "remote", "add", "upstream", "git@github.com:acme/widget.git")
    assert repositories_of(str(tree)) == ("bob/widget", "acme/widget")
    git(tree, "config", "remote.mine.gh-resolved", "base")
    assert repositories_of(str(tree)) == ("bob/widget", "alice/widget", "acme/widget")
