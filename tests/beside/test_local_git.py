"""Local git: repositories by folder, worktrees, folders that are gone, checkouts; made with real git."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tabstop.beside import local_git
from tabstop.beside.git_folder import branch_now, shown, tree_of
from tabstop.beside.local_git import checkouts_of, look, recorded_worktrees, tree_of_gone


def git(folder: Path, *words: str, at: int = 1_790_000_000) -> str:
    """Run git there at that second."""
    who = {"GIT_AUTHOR_NAME": "Dana", "GIT_AUTHOR_EMAIL": "dana@example.com"}
    who |= {"GIT_COMMITTER_NAME": "Dana", "GIT_COMMITTER_EMAIL": "dana@example.com"}
    environ = {
        "PATH": "/usr/bin:/bin:/usr/local/bin",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        **who,
    }
    environ |= {"GIT_AUTHOR_DATE": f"{at} +0000", "GIT_COMMITTER_DATE": f"{at} +0000"}
    done = subprocess.run(["git", "-C", str(folder), *words], env=environ, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with one repository that has a remote, a default branch, a merged branch and one that is not."""
    origin, home = tmp_path / "origin.git", tmp_path / "home"
    origin.mkdir()
    git(origin, "init", "-q", "--bare", "-b", "trunk")
    tree = home / "src" / "widget"
    tree.mkdir(parents=True)
    git(tree, "init", "-q", "-b", "trunk")
    (tree / "src").mkdir()
    git(tree, "commit", "-q", "--allow-empty", "-m", "one")
    git(tree, "remote", "add", "origin", str(origin))
    git(tree, "push", "-q", "origin", "trunk")
    git(tree, "fetch", "-q", "origin")
    git(tree, "remote", "set-head", "origin", "trunk")
    git(tree, "branch", "done")
    git(tree, "checkout", "-q", "-b", "feature/login", at=1_790_001_000)
    git(tree, "commit", "-q", "--allow-empty", "-m", "two")
    git(tree, "remote", "set-url", "origin", "git@github.com:Acme/widget.git")
    return home


def test_a_repository(home: Path) -> None:
    """Its name, its default branch, which local branches are in it; from any folder inside."""
    tree = home / "src" / "widget"
    seen = look([str(tree), str(tree / "src"), "relative", str(home / "elsewhere")], {}, home)
    assert seen.folders == {str(tree): "Acme/widget", str(tree / "src"): "Acme/widget"}
    assert seen.elsewhere == {str(home / "elsewhere"): "~/elsewhere"}
    found = seen.repositories["acme/widget"]
    assert (found.name, found.default_branch, found.fork_of) == ("Acme/widget", "trunk", "")
    assert found.branches == {"trunk", "done", "feature/login"}
    assert found.merged == {"done"}
    assert seen.checkouts[str(tree)].at(1_790_002_000) == "feature/login"
    assert seen.checkouts[str(tree)].at(1_790_000_500) == "trunk"


def test_a_worktree_is_its_repository_and_has_its_own_checkouts(home: Path) -> None:
    """Wherever it lies; and once it is gone, what an earlier look told still names it."""
    tree, worktree = home / "src" / "widget", home / "wt"
    git(tree, "worktree", "add", "-q", "-b", "fix/a", str(worktree))
    seen = look([str(worktree)], {}, home)
    assert seen.folders == {str(worktree): "Acme/widget"}
    assert seen.checkouts[str(worktree)].at(1_790_005_000) == "fix/a"
    git(tree, "worktree", "remove", str(worktree))
    assert look([str(worktree)], {}, home).folders == {}
    assert look([str(worktree)], dict(seen.folders), home).folders == seen.folders


def test_a_folder_that_is_gone_is_of_no_repository_around_it(home: Path) -> None:
    """But the one in which Claude Code makes its worktrees; what was known of it stands before that."""
    tree = home / "src" / "widget"
    gone = tree / ".claude" / "worktrees" / "a"
    for folder in (gone, gone / "src", gone / ".claude" / "worktrees" / "b"):
        assert look([str(folder)], {}, home).folders == {str(folder): "Acme/widget"}
    assert look([str(gone)], {str(gone): "acme/other"}, home).folders == {str(gone): "acme/other"}
    for folder in (tree / "deleted", tree / "src" / ".claude" / "worktrees" / "a", tree / ".claude" / "a"):
        assert look([str(folder)], {}, home).folders == {}


def test_a_home_folder_is_not_the_repository_of_what_its_clients_kept_there(home: Path) -> None:
    """Where `~/.claude` is the client's own folder, a worktree in it may be any repository's."""
    git(home, "init", "-q")
    gone = home / ".claude" / "worktrees" / "a"
    (home / ".claude" / "projects").mkdir(parents=True)
    assert look([str(gone)], {}, home).folders == {}
    gone.mkdir(parents=True)
    assert look([str(gone)], {}, home).folders == {str(gone): str(home)}


def test_a_worktree_that_git_has_a_record_of(home: Path) -> None:
    """Its folder was deleted, and git was not told. A record that cannot be read is none."""
    tree, worktree = home / "src" / "widget", home / "wt"
    git(tree, "worktree", "add", "-q", "-b", "fix/a", str(worktree))
    (tree / ".git" / "worktrees" / "odd").mkdir()
    shutil.rmtree(worktree)
    inside, beside = worktree / "src", home / "wt-2"
    seen = look([str(inside), str(beside), str(tree)], {}, home)
    assert seen.folders == {str(inside): "Acme/widget", str(tree): "Acme/widget"}
    assert tree_of_gone(str(inside), recorded_worktrees([tree])) == tree
    git(tree, "worktree", "prune")
    assert tree_of_gone(str(inside), recorded_worktrees([tree])) is None


def test_a_bare_repository_is_named_as_its_worktrees(home: Path) -> None:
    """By its remote, from its own folder and from any in it."""
    bare, worktree = home / "bare.git", home / "wt"
    git(home, "clone", "-q", "--bare", str(home / "src" / "widget"), str(bare))
    git(bare, "remote", "set-url", "origin", "https://github.com/acme/bare.git")
    git(bare, "worktree", "add", "-q", "-b", "b", str(worktree))
    folders = [str(bare), str(bare / "refs"), str(worktree)]
    seen = look(folders, {}, home)
    assert seen.folders == dict.fromkeys(folders, "acme/bare")
    assert seen.checkouts[str(bare)].at(1_790_005_000) == "feature/login"


def test_without_a_remote_it_is_called_after_its_folder(home: Path) -> None:
    """Its worktrees too."""
    tree = home / "src" / "scratch"
    tree.mkdir()
    git(tree, "init", "-q", "-b", "main")
    git(tree, "commit", "-q", "--allow-empty", "-m", "one")
    git(tree, "worktree", "add", "-q", str(home / "wt2"))
    seen = look([str(tree), str(home / "wt2")], {}, home)
    assert set(seen.folders.values()) == {"~/src/scratch"}
    assert seen.repositories["~/src/scratch"].default_branch == ""


def test_a_fork(home: Path) -> None:
    """`upstream` is where its pull requests are; without `origin` the first remote names it."""
    tree = home / "src" / "widget"
    git(tree, "remote", "add", "upstream", "https://github.com/base/widget")
    assert look([str(tree)], {}, home).repositories["acme/widget"].fork_of == "base/widget"
    git(tree, "remote", "remove", "origin")
    assert look([str(tree)], {}, home).folders == {str(tree): "base/widget"}


@pytest.mark.parametrize(
    ("address", "there"),
    [
        ("https://github.com/Acme/widget", True),
        ("https://x-access-token:secret@GitHub.com/Acme/widget.git", True),
        ("git@github.com:Acme/widget.git", True),
        ("ssh://git@ssh.github.com:443/Acme/widget.git", True),
        ("git@work:Acme/widget", False),
        ("https://github.com.example.com/Acme/widget", False),
        ("https://github.example.com/Acme/widget", False),
        ("https://github.com:x@example.com/Acme/widget", False),
    ],
)
def test_which_remotes_are_at_github_com(address: str, there: bool, home: Path) -> None:
    """By the host alone; one that the user's ssh calls otherwise is not known to be."""
    tree = home / "src" / "widget"
    git(tree, "remote", "set-url", "origin", address)
    git(tree, "remote", "add", "upstream", "https://github.com/base/widget")
    git(tree, "remote", "add", "disk", str(home))
    found = look([str(tree)], {}, home).repositories["acme/widget"]
    assert found.on_github == {"base/widget", *(["acme/widget"] if there else [])}


def test_it_is_bounded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the time is over, a repository is known by its folder; without git too."""
    tree = home / "src" / "widget"
    monkeypatch.setattr(local_git, "LONGEST_LOOK", -1.0)
    assert look([str(tree)], {}, home).folders == {str(tree): "~/src/widget"}
    monkeypatch.setattr(local_git, "LONGEST_LOOK", 5.0)
    monkeypatch.setenv("PATH", str(home))
    assert look([str(tree)], {}, home).folders == {str(tree): "~/src/widget"}
    monkeypatch.setattr(local_git, "MOST_REPOSITORIES", 0)
    assert look([str(tree)], {}, home).folders == {}


def test_many_folders_of_one_repository_cost_one_look(home: Path) -> None:
    """A thousand folders are a thousand looks at the disk, and three questions to git."""
    tree = home / "src" / "widget"
    begun = time.monotonic()
    assert len(look([str(tree / ".claude" / "worktrees" / f"gone{n}") for n in range(1000)], {}, home).folders) == 1000
    assert time.monotonic() - begun < 60  # a thousand times three questions take minutes


@pytest.mark.parametrize("name", ["HEAD~1", "origin/trunk", "v1^{}", "@"])
def test_what_is_checked_out_by_another_name_is_no_branch(home: Path, name: str) -> None:
    """Git's log has the words that were typed."""
    tree = home / "src" / "widget"
    git(tree, "tag", "v1", at=1_790_002_000)
    git(tree, "checkout", "-q", "done", at=1_790_002_000)
    git(tree, "checkout", "-q", "feature/login", at=1_790_002_001)
    git(tree, "checkout", "-q", "--detach", name, at=1_790_002_100)
    git(tree, "checkout", "-q", "done", at=1_790_002_200)
    found = checkouts_of(tree / ".git")
    assert [found.at(at) for at in (1_790_002_001, 1_790_002_100, 1_790_002_200)] == ["feature/login", "", "done"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_tag_and_a_short_id_are_no_branch(home: Path, *, packed: bool) -> None:
    """Also in a worktree, whose repository has the names; a branch that looks like an id is one, and so is one that was deleted since."""
    tree, worktree = home / "src" / "widget", home / "src" / "wt"
    git(tree, "tag", "v1", at=1_790_002_000)
    git(tree, "branch", "0123abc", at=1_790_002_000)
    git(tree, "branch", "gone", at=1_790_002_000)
    git(tree, "worktree", "add", "-q", str(worktree), "0123abc", at=1_790_002_000)
    for second, name in enumerate(("v1", "gone", git(tree, "rev-parse", "--short", "HEAD").strip(), "0123abc"), 1):
        git(worktree, "checkout", "-q", name, at=1_790_002_000 + second)
    git(tree, "branch", "-D", "gone", at=1_790_002_010)
    if packed:
        git(tree, "pack-refs", "--all", at=1_790_002_010)
    found = checkouts_of(tree / ".git" / "worktrees" / "wt")
    assert [found.at(1_790_002_000 + second) for second in range(1, 5)] == ["", "gone", "", "0123abc"]


def test_a_branch_that_is_renamed_has_its_new_name_from_then_on(home: Path) -> None:
    """Nobody checks it out anew."""
    tree = home / "src" / "widget"
    git(tree, "branch", "-m", "feature/sign-in", at=1_790_002_000)
    found = checkouts_of(tree / ".git")
    assert [found.at(at) for at in (1_790_001_999, 1_790_002_000)] == ["feature/login", "feature/sign-in"]


def test_checkouts_without_a_log(home: Path, tmp_path: Path) -> None:
    """What is checked out now; nothing on a detached head, in a broken repository, or where there is none."""
    tree = home / "src" / "widget"
    shutil.rmtree(tree / ".git" / "logs")
    assert checkouts_of(tree / ".git").at(0) == "feature/login"
    assert branch_now(tree / ".git") == "feature/login"
    (tree / ".git" / "HEAD").write_bytes(b"0123456789012345678901234567890123456789\n")
    assert checkouts_of(tree / ".git").at(0) == branch_now(tree / ".git") == ""
    (tree / ".git" / "HEAD").write_bytes(b"ref: refs/heads/\xff\n")
    assert branch_now(tree / ".git") == ""
    assert checkouts_of(tmp_path / "nothing").at(0) == ""


def test_checkouts_of_a_detached_head(home: Path) -> None:
    """A commit's id is no branch."""
    tree = home / "src" / "widget"
    git(tree, "checkout", "-q", git(tree, "rev-parse", "HEAD"), at=1_790_009_000)
    assert checkouts_of(tree / ".git").at(1_790_009_001) == ""
    assert checkouts_of(tree / ".git").at(1_790_008_999) == "feature/login"


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_odd_folders(name: str, home: Path) -> None:
    """A path from a log may be anything."""
    assert tree_of(Path("/", name)) is None
    assert look([f"/{name}"], {}, home).folders == {}


def test_folders_as_people_write_them() -> None:
    """Below home with a tilde."""
    assert shown(Path("/home/me/a"), Path("/home/me")) == "~/a"
    assert shown(Path("/home/me"), Path("/home/me")) == "/home/me"
    assert shown(Path("/srv/a"), None) == "/srv/a"
