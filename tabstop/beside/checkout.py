"""The checkout an agent works in, as local git tells it: repository, branch and commit. No network is touched."""

from __future__ import annotations

from tabstop.beside.git import git_says
from tabstop.evidence import NOWHERE, Evidence, branch_named, commit_named, repository_named

_CHOSEN = r"^remote\..+\.gh-resolved$"


def checkout_of(folder: str) -> Evidence:
    """Ask git, a few milliseconds; what it does not know is empty. Never raises."""
    if not folder:
        return NOWHERE
    return Evidence(
        repository=repository_named(_text(folder, "remote", "get-url", "origin").strip()),
        branch=branch_named(_text(folder, "symbolic-ref", "--quiet", "HEAD").strip()),
        commit=commit_named(_text(folder, "rev-parse", "--verify", "--quiet", "HEAD").strip()),
        folder=folder,
    )


def repositories_of(folder: str) -> tuple[str, ...]:
    """The clone's own repository, `owner/name` of its remote `origin`, else of its first; then those it may be a fork of.

    These are the one that `gh repo set-default` chose for pull requests, and `upstream`. Empty where no remote has a name.
    """
    remotes = remotes_of(folder)
    if not remotes:
        return ()
    own = remotes.get("origin") or next(iter(remotes.values()))
    chosen = [_chosen(line, remotes) for line in _text(folder, "config", "--get-regexp", _CHOSEN).splitlines()]
    return tuple(dict.fromkeys(filter(None, (own, *chosen, remotes.get("upstream", "")))))


def _chosen(line: str, remotes: dict[str, str]) -> str:
    """Gh writes `base` for the remote itself, or `[HOST/]OWNER/REPO` (github.com/cli/cli, context/context.go, `BaseRepo`)."""
    key, _, value = line.partition(" ")
    if value == "base":
        return remotes.get(key.removeprefix("remote.").removesuffix(".gh-resolved"), "")
    return repository_named(f"github.com/{'/'.join(value.split('/')[-2:])}")


def remotes_of(folder: str) -> dict[str, str]:
    """`owner/name` by the remote's name, for those whose address tells one."""
    return {remote: repository_named(address) for remote, address in addresses_of(folder).items()}


def addresses_of(folder: str) -> dict[str, str]:
    """Each remote's address that names a repository, the one it is fetched from before the one it is pushed to."""
    found: dict[str, str] = {}
    for line in _text(folder, "remote", "-v").splitlines():
        remote, _, rest = line.partition("\t")
        address = rest.rpartition(" (")[0]
        if repository_named(address):
            found.setdefault(remote, address)
    return found


def _text(folder: str, *words: str) -> str:
    return git_says(folder, *words).decode("utf-8", "replace")
