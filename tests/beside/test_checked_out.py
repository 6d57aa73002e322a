"""On which branch a call was made whose agent does not say: by what is checked out now, and by git's own log."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tabstop.beside.checked_out import CheckedOutNow, CheckedOutThen
from tabstop.evidence import NOWHERE, Evidence
from tabstop.usage import Tokens, Usage
from tests.beside.fake_server import FakeServer, Told, told
from tests.beside.test_local_git import git
from tests.governor.builders import at

BEGAN, SWITCHED = 1_790_000_000, 1_790_001_000


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A working tree that was on main, and then on fix."""
    tree = tmp_path / "src" / "widget"
    (tree / "lib").mkdir(parents=True)
    git(tree, "init", "-q", "-b", "main")
    git(tree, "remote", "add", "origin", "https://github.com/acme/widget.git")
    git(tree, "commit", "-q", "--allow-empty", "-m", "one")
    git(tree, "checkout", "-q", "-b", "fix", at=SWITCHED)
    return tree


def test_what_is_checked_out_now(tree: Path, tmp_path: Path) -> None:
    """Of the session's folder, or of the one the call names. What is told stands; a detached head and no repository tell nothing."""
    now = CheckedOutNow(str(tree))
    assert now.completed(NOWHERE) == Evidence(branch="fix")
    assert now.completed(Evidence(folder=str(tree / "lib"))) == Evidence("", "fix", "", str(tree / "lib"))
    for one in (
        Evidence(branch="x"),
        Evidence(commit="0123456"),
        Evidence(folder=str(tmp_path)),
        Evidence(folder="src"),
    ):
        assert now.completed(one) == one
    assert CheckedOutNow("").completed(NOWHERE) == NOWHERE
    git(tree, "checkout", "-q", "--detach")
    assert now.completed(NOWHERE) == NOWHERE


def test_another_repository_is_named(tree: Path, tmp_path: Path) -> None:
    """A worktree of the same one is not; of one that has no name, nothing can be said."""
    worktree, other, nameless = tmp_path / "worktree", tmp_path / "other", tmp_path / "nameless"
    git(tree, "worktree", "add", "-q", "-b", "side", str(worktree))
    for one in (other, nameless):
        one.mkdir()
        git(one, "init", "-q", "-b", "its")
    git(other, "remote", "add", "origin", "git@github.com:acme/site.git")
    now = CheckedOutNow(str(tree))
    assert now.completed(Evidence(folder=str(worktree))) == Evidence("", "side", "", str(worktree))
    for _ in range(2):
        assert now.completed(Evidence(folder=str(other))) == Evidence("acme/site", "its", "", str(other))
    assert now.completed(Evidence(folder=str(nameless))) == Evidence(folder=str(nameless))
    assert now.completed(Evidence("acme/site", folder=str(nameless))).branch == "its"
    assert CheckedOutNow("/nowhere").completed(Evidence(folder=str(other))).repository == "acme/site"


@pytest.mark.parametrize(
    ("second", "said", "branch"),
    [
        (BEGAN - 1, "", ""),
        (BEGAN, "", "main"),
        (SWITCHED - 2, "", "main"),
        (SWITCHED, "", "main"),
        (SWITCHED, "fix", "fix"),
        (SWITCHED + 2, "", "fix"),
        (SWITCHED + 2, "main", "fix"),
        (BEGAN - 1, "main", "main"),
    ],
)
def test_what_was_checked_out_then(tree: Path, second: int, said: str, branch: str) -> None:
    """Git's log stands over what an agent saw earlier, but within the second of a switch; before it begins, it tells nothing."""
    told = Evidence("acme/widget", said, "", str(tree / "lib"))
    then = CheckedOutThen()
    for _ in range(2):
        assert then.completed(told, datetime.fromtimestamp(second, UTC)).branch == branch


def test_folders_without_a_log(tree: Path, tmp_path: Path) -> None:
    """Nothing is said of one that is gone, of one in no repository, of a repository without a log, or with one that is none."""
    then = CheckedOutThen()
    log = tree / ".git" / "logs" / "HEAD"
    log.write_text("what is this\n")
    (tmp_path / "bare" / ".git").mkdir(parents=True)
    for folder in (str(tree), str(tree / "gone"), str(tmp_path), str(tmp_path / "bare"), ""):
        told = Evidence(folder=folder)
        assert then.completed(told, datetime.fromtimestamp(SWITCHED + 9, UTC)) == told


def test_a_reported_call_is_of_the_branch_that_is_checked_out(tmp_path: Path, tree: Path) -> None:
    """As the session goes on: somebody may switch branches in another window."""
    one: Told = told(tmp_path, FakeServer(), cwd=str(tree))
    one.session.answered(Usage(("k:1",), "m", Tokens(output=1), at(1)))
    git(tree, "checkout", "-q", "main")
    one.session.answered(Usage(("k:2",), "m", Tokens(output=1), at(1)))
    assert one.reporter.report()
    assert [call.branch for call in one.server.batches[-1].calls] == ["fix", "main"]
    assert {call.repository for call in one.server.batches[-1].calls} == {""}
    one.journal.close()


@pytest.mark.parametrize(("agent", "branch"), [("codex", "fix"), ("claude-code", "main")])
def test_a_branch_that_was_told_once_is_not_believed_for_ever(
    tmp_path: Path, tree: Path, agent: str, branch: str
) -> None:
    """Codex notes the branch where a session begins, and may be resumed on another one; Claude Code notes it with every call."""
    one: Told = told(tmp_path, FakeServer(), cwd=str(tree))
    where = Evidence("acme/widget", "main", "", str(tree))
    then = datetime.fromtimestamp(SWITCHED + 2, UTC)
    one.session.answered(Usage(("k:1",), "m", Tokens(output=1), then, agent, evidence=where))
    assert one.reporter.report()
    assert [call.branch for call in one.server.batches[-1].calls] == [branch]
    one.journal.close()
