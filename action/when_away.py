"""What happens when the server cannot be asked: the workflow's input and the policy files in reach; one `block` suffices."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from action.inputs import Inputs
from tabstop.beside.transport import NoAnswerError, Request, Transport

POLICY = ".github/tabstop.yml"
"""Where a policy lies, in a repository and in the organization's `.github` repository."""

LONGEST_POLICY = 1024 * 1024
"""Bytes."""

TIMEOUT = 5.0
"""Seconds of GitHub's silence. It is asked once for a file: the job has waited for the server already."""

_BLOCK = re.compile(r"""^(["']?)server_unreachable\1[ \t]*:[ \t]*(["']?)block\2[ \t]*(?:[ \t]#.*)?\r?$""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Heard:
    """One source and what it says, as a clause for people with names in backquotes."""

    said: str
    blocks: bool = False


def blocked(heard: Sequence[Heard]) -> bool:
    """Whether any source says `block`: each can only make things stricter."""
    return any(source.blocks for source in heard)


def heard_here(inputs: Inputs, environ: Mapping[str, str]) -> tuple[Heard, ...]:
    """What this machine knows without asking anybody: the input, then the checked-out file."""
    asked = Heard(f"the input `if-unreachable` is `{inputs.if_unreachable}`", inputs.if_unreachable == "block")
    return (asked,) if asked.blocks else (asked, _checked_out(environ))


def heard_in_all(inputs: Inputs, environ: Mapping[str, str], transport: Transport) -> tuple[Heard, ...]:
    """The same, and while nothing says `block`, GitHub's word: the organization's file, then this repository's.

    Both are those of the default branch: a pull request that takes the line out of its own checkout changes nothing there.
    """
    heard = heard_here(inputs, environ)
    own = environ.get("GITHUB_REPOSITORY", "")
    files = {f"{own.partition('/')[0]}/.github": "the organization's file"}
    files.setdefault(own, "this repository's file on its default branch")
    for repository, whose in files.items():
        if blocked(heard):
            break
        heard = (*heard, _on_github(repository, whose, inputs.github_token, environ, transport))
    return heard


def _checked_out(environ: Mapping[str, str]) -> Heard:
    """The checkout is a pull request's own, so it may block and never allow."""
    workspace = environ.get("GITHUB_WORKSPACE", "")
    missing = Heard(f"`{POLICY}` is not checked out")
    if not workspace:
        return missing
    try:
        with (Path(workspace) / POLICY).open("rb") as stream:
            return _read(f"the checked-out `{POLICY}`", stream.read(LONGEST_POLICY))
    except (FileNotFoundError, NotADirectoryError):
        return missing
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "its path is not valid"
        return Heard(f"the checked-out `{POLICY}` could not be read: {why}")


def _on_github(repository: str, whose: str, token: str, environ: Mapping[str, str], transport: Transport) -> Heard:
    """GET /repos/{owner}/{repo}/contents/{path}, raw (docs.github.com, REST API endpoints for repository contents).

    Without a `ref` it is the default branch's. The transport follows no redirect, so the token goes to GitHub's API and to
    nobody else.
    """
    name = f"{whose}, `{POLICY}` of `{repository}`,"
    api = environ.get("GITHUB_API_URL", "") or "https://api.github.com"
    headers = {
        "Accept": "application/vnd.github.raw+json",
        "User-Agent": "tabstop-action",
        "X-GitHub-Api-Version": "2022-11-28",
        **({"Authorization": f"Bearer {token}"} if token else {}),
    }
    url = f"{api.rstrip('/')}/repos/{quote(repository)}/contents/{POLICY}"
    try:
        response = transport.send(Request("GET", url, headers), TIMEOUT)
    except NoAnswerError as error:
        return Heard(f"{name} could not be read: {error}")
    if response.status == 404:
        return Heard(f"{name} could not be read: HTTP 404, there is none or this job's token may not see it")
    if response.status != 200:
        return Heard(f"{name} could not be read: HTTP {response.status}")
    if len(response.body) > LONGEST_POLICY:
        return Heard(f"{name} could not be read: it is longer than 1 MiB")
    return _read(name, response.body)


def _read(name: str, policy: bytes) -> Heard:
    """The standard library reads no YAML: the key counts where it stands at the top level, on a line of its own."""
    blocks = _BLOCK.search(policy.decode("utf-8-sig", "replace")) is not None
    return Heard(f"{name} {'says' if blocks else 'does not say'} `server_unreachable: block`", blocks)
