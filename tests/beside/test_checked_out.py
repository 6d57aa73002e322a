"""On which branch a call was made whose agent does not say: by what is checked out now, and by git's own log."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tabstop.beside.checked_out import CheckedOutNow, CheckedOutThen
from tabstop.beside.local_git import checkouts_of
from tabstop.evidence import NOWHERE, Evidence
from tabstop.report.facts import Checkouts
from tabstop.usage import Tokens, Usage
from tests.beside.fake_server import FakeServer, Told, told
from tests.beside.test_local_git import git
from tests.governor.builders import at

BEGAN, SWITCHED = 1_790_000_000, 1_790_001_000


def call(told: Evidence, second: int, agent: str = "codex") -> Usage:
    """A call made in that second."""
    return Usage(("k:1",), "m", Tokens(), datetime.fromtimestamp(second, UTC), agent, evidence=told)


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


def test_a_forks_branch_is_the_forks(tree: Path, tmp_path: Path) -> None:
    """Whoever names it: the session's repository has another branch of that name."""
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q", "-b", "its")
    git(other, "remote", "add", "origin", "git@github.com:acme/site.git")
    now = CheckedOutNow(str(tree), "alice/widget")
    assert now.completed(NOWHERE) == Evidence("alice/widget", "fix")
    assert now.completed(Evidence(branch="main")) == Evidence("alice/widget", "main")
    assert now.completed(Evidence(commit="0123456")) == Evidence("alice/widget", "", "0123456")
    assert now.completed(Evidence("acme/gadget", "main")) == Evidence("acme/gadget", "main")
    assert now.completed(Evidence("", "its", "", str(other))) == Evidence("acme/site", "its", "", str(other))
    assert now.completed(Evidence("", "x", "", "/nowhere")) == Evidence("", "x", "", "/nowhere")


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
        assert then.completed(call(told, second)).branch == branch


def test_an_agent_that_asks_git_itself_is_believed(tree: Path) -> None:
    """Claude Code does with every call."""
    told = Evidence("acme/widget", "main", "", str(tree))
    assert CheckedOutThen().completed(call(told, SWITCHED + 2, "claude-code")) == told


def test_gits_log_is_read_again_only_when_it_has_changed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session has thousands of calls, a log ten thousand lines. Without a switch in it, what is checked out now counts."""
    read: list[Path] = []

    def counted(folder: Path) -> Checkouts:
        read.append(folder)
        return checkouts_of(folder)

    monkeypatch.setattr("tabstop.beside.checked_out.checkouts_of", counted)
    then, late = CheckedOutThen(), call(Evidence(folder=str(tree)), SWITCHED + 2_000)
    for branch in ("fix", "main", "fix"):
        git(tree, "checkout", "-q", branch, at=SWITCHED + 1_000)
        for _ in range(3):
            assert then.completed(late).branch == branch
    assert len(read) == 3
    log = tree / ".git" / "logs" / "HEAD"
    log.write_text(log.read_text().splitlines()[0] + "\n")
    for branch in ("fix", "main"):
        (tree / ".git" / "HEAD").write_text(f"ref: refs/heads/{branch}\n")
        assert then.completed(late).branch == branch
    shutil.rmtree(tree)
    assert then.completed(late).branch == ""


def test_folders_without_a_log(tree: Path, tmp_path: Path) -> None:
    """Nothing is said of one that is gone, of one in no repository, of a repository without a log, or with one that is none."""
    then = CheckedOutThen()
    log = tree / ".git" / "logs" / "HEAD"
    log.write_text("what is this\n")
    (tmp_path / "bare" / ".git").mkdir(parents=True)
    for folder in (str(tree), str(tree / "gone"), str(tmp_path), str(tmp_path / "bare"), ""):
        told = Evidence(folder=folder)
        assert then.completed(call(told, SWITCHED + 9)) == told


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
