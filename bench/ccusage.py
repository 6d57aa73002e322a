"""ccusage, which reads the same logs: installed from npm into the cache of `make agents`, and its totals of a folder."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.figures import NotHereError, say
from tabstop.money import NANO_PER_DOLLAR
from tests.real_agents.installed import NotInstalledError, Package, cache, install, missing, node

PACKAGE = Package("ccusage", "20.0.24", "ccusage")


@dataclass(frozen=True, slots=True)
class Totals:
    """What a program says a folder of logs holds. nano: nano-dollars; unpriced: whether some of it has no price."""

    tokens: int
    nano: int
    unpriced: bool = False


def installed() -> list[str]:
    """The command. Raises `NotHereError` where npm cannot install it."""
    where = cache(os.environ)
    try:
        if missing([PACKAGE], where):
            say(f"installing {PACKAGE.name} {PACKAGE.version} from npm into {where}, once")
            install(PACKAGE, where)
    except NotInstalledError as error:
        raise NotHereError(f"ccusage could not be installed: {error}") from error
    program = where / PACKAGE.folder / "node_modules" / ".bin" / PACKAGE.program
    return [str(program), "claude", "daily", "--json", "--offline"]


def environment(home: Path) -> dict[str, str]:
    """For both programs: a home of their own with Claude Code's logs in `home/claude`, and Node where ccusage looks for it."""
    path = f"{Path(node()).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {"PATH": path, "HOME": str(home), "CLAUDE_CONFIG_DIR": str(home / "claude"), "TZ": "UTC", "LANG": "C.UTF-8"}


def totals(command: list[str], environ: dict[str, str]) -> Totals:
    """Ask it."""
    answer = json.loads(subprocess.run(command, env=environ, capture_output=True, check=True).stdout)
    told = answer["totals"]
    unpriced = any("unpriced" in key and value for key, value in [*answer.items(), *told.items()])
    return Totals(told["totalTokens"], round(told["totalCost"] * NANO_PER_DOLLAR), unpriced)
