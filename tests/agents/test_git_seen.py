"""What a command and its output tell of commits, branches and pull requests, and what they do not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tabstop.agents.git_seen import GitSeen
from tabstop.evidence import CommitMade, Evidence, PullRequestLink

AT = datetime(2026, 11, 22, tzinfo=UTC)
HERE = Evidence("acme/widget", "main", "0" * 40, "/home/dev/widget")
SHA = "c9753f67fe34dcd952fac27c1ee1567047718e8b"


@pytest.mark.parametrize(
    ("command", "output", "branch", "commit"),
    [
        ("git commit -am x", "[feature/two 00abbe4] Change\n 1 file changed\n", "feature/two", "00abbe4"),
        ("git add . && git commit -m x", "[main (root-commit) 00abbe4] First\n", "main", "00abbe4"),
        ("git commit -am x", "[detached HEAD 00abbe4] Change\n", "main", "00abbe4"),
        ("git commit -qam x && git rev-parse HEAD", f"{SHA}\n", "main", SHA),
        ("git checkout -b feature/x", "Switched to a new branch 'feature/x'\n", "feature/x", ""),
        ("git switch feature/x", "Switched to branch 'feature/x'\r\n", "feature/x", ""),
        ("git switch main", "Already on 'main'\n", "main", "0" * 40),
        ("git commit -qam x", "", "main", "0" * 40),
        ("git log", "[feature/two 00abbe4] Change\n", "main", "0" * 40),
        ("cat notes", "[feature/two 00abbe4] Change\n", "main", "0" * 40),
        ("echo 'git commit'", "[feature/two no-sha] Change\n", "main", "0" * 40),
        ("cd /home/dev/widget && git commit -am x", "[feature/two 00abbe4] Change\n", "feature/two", "00abbe4"),
        ("cd '/home/dev/widget/'; git switch x", "Switched to branch 'x'\n", "x", ""),
        ("bash -lc cd . && git switch x", "Switched to branch 'x'\n", "x", ""),
        ("cd /home/dev/widget && cd ../other && git switch x", "Switched to branch 'x'\n", "main", "0" * 40),
        ("cd / && git switch x", "Switched to branch 'x'\n", "main", "0" * 40),
        ("cd ../other && git commit -am x", "[feature/two 00abbe4] Change\n", "main", "0" * 40),
        ("git -C ../other switch x", "Switched to branch 'x'\n", "main", "0" * 40),
    ],
)
def test_where_the_next_call_is_made(command: str, output: str, branch: str, commit: str) -> None:
    """As git says it; a quiet command and one for another folder change nothing."""
    git = GitSeen()
    git.evidence = HERE
    git.ran(command, output, AT)
    assert (git.evidence.branch, git.evidence.commit) == (branch, commit)
    assert (git.evidence.repository, git.evidence.folder) == (HERE.repository, HERE.folder)


def test_commits_and_pull_requests_each_once() -> None:
    """With what they were made on. A commit in another folder is one too, in a repository that is not known."""
    git = GitSeen()
    git.evidence = HERE
    for _ in range(2):
        git.ran("git commit -am x", "[feature/two 00abbe4] Change\n", AT)
        git.ran("gh pr create --fill", "Creating\n\nhttps://github.com/acme/widget/pull/42\n", AT)
    git.ran("cd ../other && git commit -am x", "[fix 1234567] Change\n", None)
    assert git.commits == (
        CommitMade("00abbe4", "acme/widget", "feature/two", AT),
        CommitMade("1234567", "", "fix", None),
    )
    assert git.pull_requests == (PullRequestLink("acme/widget", 42, "feature/two", AT),)


@pytest.mark.parametrize(
    ("folder", "branch"),
    [
        ("/home/dev/widget", "main"),
        ("/home/dev/widget/lib", "main"),
        ("lib", "main"),
        ("../other", ""),
        ("~/other", ""),
        ("/home/dev/widget-two", ""),
    ],
)
def test_a_pull_request_opened_from_another_folder_is_not_of_this_ones_branch(folder: str, branch: str) -> None:
    """Which branch is checked out there, nobody tells."""
    git = GitSeen()
    git.evidence = HERE
    git.ran(f"cd {folder} && gh pr create --fill", "https://github.com/acme/widget/pull/42\n", AT)
    assert git.pull_requests == (PullRequestLink("acme/widget", 42, branch, AT),)


def test_a_link_that_was_only_read_is_no_pull_request_of_the_session() -> None:
    """Only what the command that opens one printed."""
    git = GitSeen()
    git.ran("gh pr list", "https://github.com/acme/widget/pull/42\n", AT)
    git.ran("gh pr create --fill", "https://github.com/acme/widget/issues/42\n", AT)
    assert git.pull_requests == ()
