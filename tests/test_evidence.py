"""Evidence: names as GitHub has them, whatever way a machine writes them."""

import pytest

from tabstop.evidence import branch_named, commit_named, repository_named


@pytest.mark.parametrize(
    ("remote", "name"),
    [
        ("https://github.com/acme/widget.git", "acme/widget"),
        ("https://github.com/acme/widget", "acme/widget"),
        ("https://github.com/acme/widget/", "acme/widget"),
        ("git@github.com:acme/widget.git", "acme/widget"),
        ("ssh://git@github.com/acme/widget.git", "acme/widget"),
        ("ssh://git@github.example:2222/acme/widget.js.git", "acme/widget.js"),
        ("git://github.com/acme/widget", "acme/widget"),
        ("https://x-access-token:secret@github.com/acme/widget", "acme/widget"),
        ("github.com/acme/widget\n", "acme/widget"),
        ("/srv/git/widget.git", ""),
        ("../widget", ""),
        ("https://github.com/acme", ""),
        ("", ""),
        (f"https://github.com/acme/{'w' * 300}", ""),
    ],
)
def test_a_remote_names_its_repository(remote: str, name: str) -> None:
    """Protocol, login and host are no part of it; a path on this machine is no repository of GitHub's."""
    assert repository_named(remote) == name


@pytest.mark.parametrize(
    ("ref", "branch"),
    [
        ("main", "main"),
        ("refs/heads/feature/a", "feature/a"),
        ("HEAD", ""),
        ("", ""),
        ("a\x1bb", ""),
        ("b" * 256, ""),
    ],
)
def test_a_detached_head_is_no_branch(ref: str, branch: str) -> None:
    """Clients write `HEAD` where no branch is checked out."""
    assert branch_named(ref) == branch


@pytest.mark.parametrize(
    ("sha", "commit"),
    [("2FE0409", "2fe0409"), ("a" * 40, "a" * 40), ("2fe040", ""), ("not a commit", ""), ("", "")],
)
def test_a_commit_is_hexadecimal(sha: str, commit: str) -> None:
    """Clients show its first seven digits at least."""
    assert commit_named(sha) == commit
