"""What the gate leaves for settle: one file a session in the runner's temporary folder, readable by this user only.

A composite action has no state of its own (GITHUB_STATE belongs to JavaScript actions), and GITHUB_ENV would hand the
token to every later step and all its children. The agent runs as this user and can read the file all the same; what it
could do with the token is in docs/action.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from tabstop.wire import VERSION, StartRequest
from tabstop.wire_json import WireError, from_json, to_json


class Admission(StrEnum):
    """How the gate let the job go on."""

    ADMITTED = "admitted"
    UNASKED = "unasked"
    """The server could not be asked; `if-unreachable: allow` let it go on."""
    NO_IDENTITY = "no identity"
    """GitHub gives this run no identity (a fork), so it can neither ask nor report."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Session:
    """One gate's answer. token, session: empty unless admitted. hmac_key: hex, for tool arguments; never leaves the machine.

    begun_at: when the gate let the job go on; nothing before it is this session's. key: the Idempotency-Key of its question.
    settled_at: None until settled; threads: the client's sessions whose totals were told then.
    governed: its folder for whoever governs it; hooked: whether hooks were to run; hooks: the agent's settings file they were put into.
    """

    admission: Admission
    begun_at: datetime
    start: StartRequest
    session: str = ""
    token: str = field(default="", repr=False)
    page: str = ""
    hmac_key: str = field(default="", repr=False)
    allowance: dict[str, Any] = field(default_factory=dict)
    key: str = field(default="", repr=False)
    governed: str = ""
    hooked: bool = False
    hooks: str = ""
    settled_at: datetime | None = None
    threads: tuple[str, ...] = ()
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Kept:
    """A session with the file that holds it."""

    path: Path
    session: Session


def keep(folder: Path, session: Session) -> Kept:
    """Write it for settle. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = Kept(folder / f"{session.begun_at:%Y%m%dT%H%M%S%f}.json", session)
    _write(kept)
    return kept


def mark_settled(kept: Kept, at: datetime, threads: tuple[str, ...] = ()) -> None:
    """Have a later settle step leave it alone. A file that cannot be written changes nothing: sending twice is harmless."""
    try:
        _write(Kept(kept.path, replace(kept.session, settled_at=at, threads=threads)))
    except OSError:
        return


def find(folder: Path, wanted: str = "") -> Kept | None:
    """The session to settle: the wanted one, else the newest that is not settled. The agent may have touched the files:
    what cannot be read does not count.
    """
    found = everything(folder)
    if wanted:
        return next((kept for kept in found if kept.session.session == wanted), None)
    return next((kept for kept in found if kept.session.settled_at is None), None)


def everything(folder: Path) -> list[Kept]:
    """All sessions of this job that can be read, newest first."""
    return [kept for path in _files(folder) if (kept := _read(path)) is not None]


def told_since(folder: Path, at: datetime) -> frozenset[str]:
    """The client's sessions whose totals a settle step told after `at`: those of gates that ran side by side in one job."""
    settled = [kept.session for kept in everything(folder)]
    return frozenset(name for one in settled if one.settled_at and one.settled_at > at for name in one.threads)


def folder_of(environ: Mapping[str, str]) -> Path:
    """Where this job keeps its sessions."""
    return Path(environ.get("RUNNER_TEMP") or "/tmp") / "tabstop"  # noqa: S108 (every runner sets RUNNER_TEMP)


def new_key(random: Callable[[int], bytes]) -> str:
    """A key nobody can guess, hex."""
    return random(32).hex()


def _files(folder: Path) -> list[Path]:
    try:
        return sorted((path for path in folder.iterdir() if path.suffix == ".json"), reverse=True)
    except OSError:
        return []


def _read(path: Path) -> Kept | None:
    try:
        return Kept(path, from_json(Session, json.loads(path.read_bytes())))
    except (OSError, WireError, ValueError, RecursionError):
        return None


def _write(kept: Kept) -> None:
    draft = kept.path.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(to_json(kept.session), stream)
    draft.replace(kept.path)
