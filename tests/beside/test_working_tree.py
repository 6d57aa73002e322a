"""The working tree: looked at beside the agent, told as a digest that changes when a file does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tabstop.beside import git as asking
from tabstop.beside import working_tree
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.working_tree import TreeWatch, look
from tabstop.governor.facts import Fact
from tabstop.governor.orders import Order
from tabstop.governor.settings import Settings
from tests.beside.test_governed_session import PRICER, Clock
from tests.support.waiting import until

KEY = b"k" * 32


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with a commit and an ignored folder."""
    (tmp_path / ".gitignore").write_text("build/\n")
    (tmp_path / "a file.txt").write_text("one\n")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "first")):
        git(tmp_path, *words)
    return tmp_path


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=octocat", "-c", "user.email=octocat@example.com")
    subprocess.run(("git", *who, "-C", str(folder), *words), check=True, capture_output=True)


def test_every_change_is_seen_and_going_back_too(tree: Path) -> None:
    """An edit, one more of the same file, a new file, a commit; undone, it looks as before. What is ignored is not seen."""
    seen = [look(str(tree), KEY)]
    (tree / "a file.txt").write_text("two\n")
    seen.append(look(str(tree), KEY))
    (tree / "a file.txt").write_text("six\n")
    seen.append(look(str(tree), KEY))
    (tree / "new").mkdir()
    (tree / "new" / "file").write_text("x")
    seen.append(look(str(tree), KEY))
    git(tree, "add", ".")
    git(tree, "commit", "-qm", "second")
    seen.append(look(str(tree), KEY))
    assert all(seen)
    assert len(set(seen)) == len(seen)

    (tree / "build").mkdir()
    (tree / "build" / "out").write_text("x")
    assert look(str(tree), KEY) == seen[-1]
    (tree / "a file.txt").write_text("two\n")
    assert look(str(tree / "new"), KEY) != seen[-1]
    (tree / "a file.txt").write_text("six\n")
    assert look(str(tree), KEY) == seen[-1]


def test_the_digest_needs_its_key(tree: Path) -> None:
    """It tells nobody else which files there are."""
    assert look(str(tree), KEY) != look(str(tree), b"other")


def test_long_and_odd_files(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long file size and time count; a link is not followed; so many files and no more."""
    monkeypatch.setattr(working_tree, "SIZE", 2)
    before = look(str(tree), KEY)
    (tree / "long").write_text("long")
    (tree / "link").symlink_to("/dev/zero")
    (tree / "a file.txt").unlink()
    after = look(str(tree), KEY)
    assert after not in {"", before}
    monkeypatch.setattr(working_tree, "FILES", 1)
    assert look(str(tree), KEY)


def test_where_there_is_nothing_to_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No repository, no folder, no time, no git."""
    assert look(str(tmp_path), KEY) == ""
    assert look(str(tmp_path / "none"), KEY) == ""
    monkeypatch.setattr(asking, "LONGEST", 0.0)
    assert look(str(tmp_path), KEY) == ""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert look(str(tmp_path), KEY) == ""


def test_the_governor_is_told_now_and_then(tree: Path) -> None:
    """Not at every nudge; never again where there is nothing to see."""
    governed = GovernedSession(Settings(), PRICER, Clock())
    watch = TreeWatch(governed, str(tree), KEY, every=3_600)
    watch.nudge()
    until(lambda: bool(governed.state.watched.seen.repetition.trees))
    (tree / "a file.txt").write_text("two\n")
    watch.nudge()
    assert len(governed.state.watched.seen.repetition.trees) == 1

    soon = TreeWatch(governed, str(tree), KEY, every=0)
    soon.nudge()
    until(lambda: len(governed.state.watched.seen.repetition.trees) == 2)

    nowhere = TreeWatch(governed, str(tree / "none"), KEY, every=0)
    nowhere.nudge()
    until(lambda: nowhere._blind)
    nowhere.nudge()
    assert len(governed.state.watched.seen.repetition.trees) == 2


class Closed(GovernedSession):
    """Its journal was closed meanwhile."""

    def tell(self, fact: Fact) -> Order:
        raise ValueError(f"write to closed file: {fact}")


def test_a_session_that_is_over_is_told_nothing_more(tree: Path) -> None:
    """A look that comes too late harms nobody."""
    late = TreeWatch(Closed(Settings(), PRICER, Clock()), str(tree), KEY, every=0)
    late.nudge()
    until(lambda: late._blind)
