"""What happens when the server cannot be asked: the stricter of the workflow's input and the checked-out policy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from action.inputs import Inputs

POLICY = Path(".github") / "tabstop.yml"
LONGEST_POLICY = 1024 * 1024
"""Bytes."""

_BLOCK = re.compile(r"""^server_unreachable[ \t]*:[ \t]*(["']?)block\1[ \t]*(?:#.*)?\r?$""", re.MULTILINE)


def who_blocks(inputs: Inputs, environ: Mapping[str, str]) -> str:
    """What says `block`: the input's or the policy key's name; empty when the job goes on.

    The policy that counts is on the server that is away. The checkout's copy is a pull request's own, so it can only
    make things stricter. The standard library reads no YAML: the key counts where it stands on a line of its own.
    """
    if inputs.if_unreachable == "block":
        return "if-unreachable"
    workspace = environ.get("GITHUB_WORKSPACE", "")
    try:
        with (Path(workspace) / POLICY).open("rb") as stream:
            policy = stream.read(LONGEST_POLICY).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""
    return "server_unreachable" if workspace and _BLOCK.search(policy) else ""
