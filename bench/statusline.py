"""statusline.render: Claude Code's status line as it is installed, from its start to its line, against a bare start of the same Python."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure, Part, in_turns
from bench.hooks import median_ms
from tabstop.beside.hook_installation import status_line_command
from tabstop.beside.tab_file import tab_file

BRANCHES = 500
"""With a tab on this machine, of one repository."""


def parts() -> list[Part]:
    """The one figure."""
    return [Part(("statusline.render",), lambda _wanted: _render())]


def _render() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="ts-") as name:
        home = Path(name)
        environ = {"PATH": os.environ["PATH"], "HOME": name, "LANG": "C.UTF-8"}
        work = home / "widget"
        subprocess.run(["git", "init", "-q", "-b", "feature/1", str(work)], check=True)
        _keep_tabs(environ)
        body = _payload(work)
        ours = shlex.split(status_line_command())
        said = subprocess.run(ours, input=body, env=environ, capture_output=True, check=True).stdout.decode()
        assert said.startswith("feature/1 #1 $1.00 · session"), said
        bare = [sys.executable, "-I", "-c", "pass"]
        value, floor = in_turns(
            "statusline.render", lambda: median_ms(ours, body, environ), lambda: median_ms(bare, body, environ)
        )
    yield Figure("statusline.render", value, "ms", floor)


def _keep_tabs(environ: dict[str, str]) -> None:
    """Fresh for longer than this takes: nothing is brought up to date behind the line."""
    path = tab_file(environ)
    assert path is not None
    path.parent.mkdir(parents=True)
    tabs = {f"feature/{number}": (number * 10**9, 0, 0, number) for number in range(BRANCHES)}
    path.write_text(json.dumps({"version": 1, "tabs": {"acme/widget": tabs}}), encoding="utf-8")


def _payload(work: Path) -> bytes:
    """What the client tells of a session with a plan."""
    told = {
        "session_id": "11111111-1111-4111-8111-111111111111",
        "cwd": str(work),
        "workspace": {
            "current_dir": str(work),
            "repo": {"host": "github.com", "owner": "acme", "name": "widget"},
        },
        "cost": {"total_cost_usd": 1.2, "total_duration_ms": 1_800_000},
        "rate_limits": {"five_hour": {"used_percentage": 42, "resets_at": int(time.time()) + 7_200}},
    }
    return json.dumps(told).encode()
