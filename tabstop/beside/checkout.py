"""The checkout an agent works in, as local git tells it: repository, branch and commit. No network is touched."""

from __future__ import annotations

from tabstop.beside.git import git_says
from tabstop.evidence import NOWHERE, Evidence, branch_named, commit_named, repository_named


def checkout_of(folder: str) -> Evidence:
    """Ask git, a few milliseconds; what it does not know is empty. Never raises."""
    if not folder:
        return NOWHERE
    return Evidence(
        repository=origin_of(folder),
        branch=branch_named(_line(folder, "symbolic-ref", "--quiet", "HEAD")),
        commit=commit_named(_line(folder, "rev-parse", "--verify", "--quiet", "HEAD")),
        folder=folder,
    )


def origin_of(folder: str) -> str:
    """`owner/name` of the remote `origin`; empty where there is none."""
    return repository_named(_line(folder, "remote", "get-url", "origin"))


def _line(folder: str, *words: str) -> str:
    return git_says(folder, *words).decode("utf-8", "replace").strip()
