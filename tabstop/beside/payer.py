"""Payer: who pays for a session that begins on this machine, by the agent's own login. Unknown wherever that cannot be told.

    payer_of("codex", cwd, os.environ, now)                                             # one that we start
    payer_of("codex", cwd, os.environ, now, StartedWith.from_payload("codex", payload))  # one whose hook asks

Tokens and keys are never kept: what is looked at is whether a field is there. Only a sentence of ours leaves the machine.
"""

from __future__ import annotations

import json
import os
import stat
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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


_FIELD = "tabstop_set"
"""Of a hook's payload, put in by `tabstop.beside.hook`."""

_LOGS = {"claude-code": "projects/*/*.jsonl", "codex": "sessions/*/*/*/*.jsonl"}
"""Where a session's own log lies in its client's folder."""


@dataclass(frozen=True, slots=True)
class StartedWith:
    """What an agent was started with, as far as it tells who pays.

    variables: names of those that are set, never a value. folder: its client's own, whose login counts where no variable says
    otherwise; None where it does not, or nobody knows which.
    """

    variables: frozenset[str] = frozenset()
    folder: Path | None = None

    @classmethod
    def from_environ(cls, agent: str, environ: Mapping[str, str]) -> StartedWith:
        """What is started from here. Two folders are none: which account it is nobody says."""
        homes = Homes.from_environ(environ)
        named, folders = {
            "claude-code": ("CLAUDE_CONFIG_DIR", homes.claude_code),
            "codex": ("CODEX_HOME", homes.codex),
        }.get(agent, ("", ()))
        one = folders[0] if folders and "," not in environ.get(named, "") else None
        return cls(claude_code.set_names(environ), one)

    @classmethod
    def from_payload(cls, agent: str, payload: Mapping[str, Any]) -> StartedWith:
        """What a hook tells of its agent; nothing, where it was installed before it told. The folder is that of the session's log."""
        names, log = payload.get(_FIELD), payload.get("transcript_path")
        if not isinstance(names, str):
            return cls()
        variables = frozenset(names.split())
        path, place = Path(log if isinstance(log, str) else ""), _LOGS.get(agent, "")
        known = place and path.is_absolute() and path.match(place) and claude_code.HIDES_KEYS not in variables
        return cls(variables, path.parents[place.count("/")] if known else None)


def payer_of(
    agent: str, cwd: str, environ: Mapping[str, str], now: datetime, started: StartedWith | None = None
) -> tuple[Billing, str]:
    """How a session of this agent in this folder will be paid for, and one sentence saying what tells so. Never raises.

    started: what the agent was started with; None for `environ`. A file that is there and cannot be read leaves it unknown: it might
    say otherwise.
    """
    known = started or StartedWith.from_environ(agent, environ)
    try:
        if agent == "claude-code":
            return _of_claude_code(cwd, known, environ, now)
        if agent == "codex":
            return _of_codex(known)
    except (OSError, ValueError, RecursionError):
        return NOBODY_KNOWS
    return NOBODY_KNOWS


def _of_claude_code(cwd: str, started: StartedWith, environ: Mapping[str, str], now: datetime) -> tuple[Billing, str]:
    names, home = started.variables, started.folder
    stated = claude_code.billing_of(None, names)
    if stated[0] is Billing.API:
        return stated  # whatever the files say
    if home is None:
        return NOBODY_KNOWS
    project = Path(cwd, ".claude") if cwd.startswith("/") else home
    places = dict.fromkeys((home / "settings.json", project / "settings.json", project / "settings.local.json"))
    settings = [_object(json.loads(_content(place) or b"{}")) for place in places]
    login = _object(json.loads(_content(home / ".credentials.json") or b"{}")).get("claudeAiOauth")
    told = _told_windows(read_gauges(machine_gauges(environ)), now)
    return claude_code.laptop_billing(names, settings, login if isinstance(login, dict) else {}, told_windows=told)


def _of_codex(started: StartedWith) -> tuple[Billing, str]:
    home = started.folder
    if home is None:
        return NOBODY_KNOWS
    written = _content(home / "config.toml")
    # Reading TOML takes milliseconds, and most files name no provider.
    config = tomllib.loads(written.decode()) if b"model_provider" in written else {}
    auth = _object(json.loads(_content(home / "auth.json") or b"{}"))
    return codex.billing_of(started.variables, config, auth)


def _told_windows(readings: Iterable[GaugeReading], now: datetime) -> bool:
    return any(
        one.vendor == "anthropic" and one.source is GaugeSource.STATUS_LINE and now - LATELY <= one.observed_at <= now
        for one in readings
    )


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
