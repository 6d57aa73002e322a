"""Payer: who pays for a session that begins on this machine, by the agent's own login. Unknown wherever that cannot be told.

Tokens and keys are never kept: what is looked at is whether a field is there. Only a sentence of ours leaves the machine.
"""

from __future__ import annotations

import json
import os
import stat
import tomllib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tabstop.agents.claude_code import billing as claude_code
from tabstop.agents.codex import billing as codex
from tabstop.agents.homes import Homes
from tabstop.beside.gauge_file import machine_gauges, read_gauges
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.usage import Billing

LONGEST_FILE = 256 * 1024
"""Bytes of a settings or login file; the clients' own have a few thousand."""

LATELY = timedelta(days=7)
"""How old a reading of a plan's windows may be to say that the plan still pays."""

NOBODY_KNOWS = (Billing.UNKNOWN, "")


def payer_of(agent: str, cwd: str, environ: Mapping[str, str], now: datetime) -> tuple[Billing, str]:
    """How a session of this agent in this folder will be paid for, and one sentence saying what tells so. Never raises.

    environ: what the agent is started with. A file that is there and cannot be read leaves it unknown: it might say otherwise.
    """
    try:
        if agent == "claude-code":
            return _of_claude_code(cwd, environ, now)
        if agent == "codex":
            return _of_codex(environ)
    except (OSError, ValueError, RecursionError):
        return NOBODY_KNOWS
    return NOBODY_KNOWS


def _of_claude_code(cwd: str, environ: Mapping[str, str], now: datetime) -> tuple[Billing, str]:
    names = claude_code.set_names(environ)
    stated = claude_code.billing_of(None, names)
    if stated[0] is Billing.API:
        return stated  # whatever the files say
    home = _one(environ.get("CLAUDE_CONFIG_DIR", ""), Homes.from_environ(environ).claude_code)
    project = Path(cwd, ".claude") if cwd.startswith("/") else home
    places = dict.fromkeys((home / "settings.json", project / "settings.json", project / "settings.local.json"))
    settings = [_object(json.loads(_content(place) or b"{}")) for place in places]
    login = _object(json.loads(_content(home / ".credentials.json") or b"{}")).get("claudeAiOauth")
    told = _told_windows(read_gauges(machine_gauges(environ)), now)
    return claude_code.laptop_billing(names, settings, login if isinstance(login, dict) else {}, told_windows=told)


def _of_codex(environ: Mapping[str, str]) -> tuple[Billing, str]:
    home = _one(environ.get("CODEX_HOME", ""), Homes.from_environ(environ).codex)
    written = _content(home / "config.toml")
    # Reading TOML takes milliseconds, and most files name no provider.
    config = tomllib.loads(written.decode()) if b"model_provider" in written else {}
    auth = _object(json.loads(_content(home / "auth.json") or b"{}"))
    return codex.billing_of(claude_code.set_names(environ), config, auth)


def _told_windows(readings: Iterable[GaugeReading], now: datetime) -> bool:
    return any(
        one.vendor == "anthropic" and one.source is not GaugeSource.ESTIMATED and now - LATELY <= one.observed_at <= now
        for one in readings
    )


def _one(named: str, folders: tuple[Path, ...]) -> Path:
    """The folder the client uses. Raises `ValueError` where there is none, or a list: which account it is nobody says."""
    if not folders or "," in named:
        raise ValueError("no one folder")
    return folders[0]


def _content(path: Path) -> bytes:
    """What it holds; empty where there is none. Raises `OSError` for what is no file, `ValueError` for one that is too long."""
    try:
        # Without waiting: a repository may have put a pipe there.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no file")
        content = stream.read(LONGEST_FILE + 1)
    if len(content) > LONGEST_FILE:
        raise ValueError(f"{path} is too long")
    return content


def _object(value: object) -> dict[str, Any]:
    """Raises `ValueError` for what is none."""
    if not isinstance(value, dict):
        raise ValueError("no object")
    return value
