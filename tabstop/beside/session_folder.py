"""Session folders: what one governed session keeps on this machine, and how people and processes find it again.

    <root>/<session>/record.json   what it is, what bounds it, how to reach who watches it
                     journal.jsonl its facts
                     events.jsonl  what was worth logging
                     watcher       where whoever watches it listens
All readable by this user only. The socket lies elsewhere: its path must be shorter than 100 bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tabstop.governor.settings import Settings
from tabstop.session import Limits
from tabstop.tightened import regrown
from tabstop.wire import VERSION, StartRequest
from tabstop.wire_json import WireError, from_json, to_json


@dataclass(frozen=True, slots=True)
class Record:
    """One session.

    id: what people type. server, server_session, token: empty without a server. key: of the gate's question.
    hmac_key: hex, for tool arguments; never leaves the machine. price_card: `PriceCard` as JSON. cwd: where the agent works.
    agent_session: the client's own session id, once known. admitted: the server's own limits, where those in the settings were
    tightened; None where they are the same. fork: the clone's own repository, where it is a fork of the one that it began in.
    """

    id: str
    began_at: datetime
    start: StartRequest
    settings: Settings = field(default_factory=Settings)
    price_card: dict[str, Any] = field(default_factory=dict)
    cwd: str = ""
    server: str = ""
    server_session: str = ""
    token: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    hmac_key: str = field(default="", repr=False)
    agent_session: str = ""
    admitted: Limits | None = None
    fork: str = ""
    version: int = VERSION

    def binding(self, allowed: Limits) -> Limits:
        """What binds it, now that its server allows so much: what was tightened stays so, and grows as the server's own does."""
        return regrown(self.settings.limits, self.admitted, allowed) if self.admitted else allowed


class NoSessionError(LookupError):
    """No session, or several, go by that name; the text says which there are."""


@dataclass(frozen=True, slots=True)
class SessionFolder:
    """The folder of one session."""

    path: Path

    @property
    def journal(self) -> Path:
        """Its facts."""
        return self.path / "journal.jsonl"

    @property
    def unreported(self) -> Path:
        """There while its server may not have all of it. Holds since when its calls are that server's; nothing for all of them."""
        return self.path / "unreported"

    def note_unreported(self, since: datetime | None) -> None:
        """Note so. Raises `OSError`."""
        write_privately(self.unreported, (since.isoformat() if since else "").encode())

    @property
    def events(self) -> Path:
        """The log."""
        return self.path / "events.jsonl"

    @property
    def socket(self) -> Path:
        """Where whoever watches it listens. A Unix socket's path may have 108 bytes at most (unix(7)), 104 on macOS."""
        name = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        return socket_root() / f"{name}.sock"

    @property
    def watcher(self) -> Path:
        """Where whoever watched it last listens, wherever its TMPDIR leads; the usual place when that is not known."""
        try:
            return Path(os.fsdecode((self.path / "watcher").read_bytes()))
        except OSError:
            return self.socket

    def keep_watcher(self, socket: Path) -> None:
        """Keep where we listen, now that we watch it. Raises `OSError`."""
        write_privately(self.path / "watcher", os.fsencode(socket.absolute()))

    def record(self) -> Record:
        """What it is. Raises `NoSessionError` when it cannot be read."""
        try:
            return from_json(Record, json.loads((self.path / "record.json").read_bytes()))
        except (OSError, ValueError, RecursionError, WireError) as error:
            raise NoSessionError(f"{self.path} holds no session: {error}") from error

    def govern_by(self, record: Record, settings: Settings) -> Record:
        """Keep the settings by which it is governed from now on, so that whoever looks at it judges as its governor does.

        Each attach point can do something else (`can_summarize`), and takes the session up with its own. Raises `OSError`.
        """
        if record.settings != settings:
            record = replace(record, settings=settings)
            self.write_record(record)
        return record

    def write_record(self, record: Record) -> None:
        """Keep it, whole or not at all. Raises `OSError`."""
        write_privately(self.path / "record.json", json.dumps(to_json(record)).encode())


def sessions_root(environ: Mapping[str, str]) -> Path:
    """Where sessions lie: in CI the job's temporary folder, else the user's state folder (XDG Base Directory)."""
    if environ.get("TABSTOP_STATE"):
        return Path(environ["TABSTOP_STATE"]) / "sessions"
    if environ.get("RUNNER_TEMP"):
        return Path(environ["RUNNER_TEMP"]) / "tabstop" / "sessions"
    state = environ.get("XDG_STATE_HOME") or Path(environ.get("HOME", "/")) / ".local" / "state"
    return Path(state) / "tabstop" / "sessions"


def socket_root() -> Path:
    """A short folder of this user's own for sockets."""
    return Path(tempfile.gettempdir()) / f"tabstop-{os.getuid()}"


def create(root: Path, record: Record) -> SessionFolder:
    """Make the folder of a new session; the same session again is taken up where it stands. Raises `OSError`."""
    folder = SessionFolder(root / record.id)
    folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.path.chmod(0o700)
    if not (folder.path / "record.json").exists():
        folder.write_record(record)
    return folder


def find(root: Path, name: str) -> SessionFolder:
    """The session whose id is `name` or begins so, or whose client or server calls it so. Raises `NoSessionError`."""
    folders = everything(root)
    exact = [one for one in folders if one.path.name == name]
    near = exact or [one for one in folders if one.path.name.startswith(name)] or _by_others(folders, name)
    if len(near) == 1:
        return near[0]
    if near:
        raise NoSessionError(f"{name} may be any of {', '.join(one.path.name for one in near)}; type more of it")
    known = ", ".join(one.path.name for one in folders[:5]) or "none"
    raise NoSessionError(f"there is no session {name} on this machine; the newest are: {known}")


def everything(root: Path) -> list[SessionFolder]:
    """All sessions here, newest first."""
    try:
        paths = [path for path in root.iterdir() if (path / "record.json").is_file()]
    except OSError:
        return []
    return [SessionFolder(path) for path in sorted(paths, key=lambda one: -one.stat().st_mtime)]


def _by_others(folders: list[SessionFolder], name: str) -> list[SessionFolder]:
    found = []
    for one in folders:
        try:
            record = one.record()
            if name in {record.agent_session, record.server_session}:
                found.append(one)
        except NoSessionError:
            continue
    return found


def write_privately(path: Path, content: bytes) -> None:
    """Replace a file in one step, readable by this user only. Raises `OSError`."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(content)
    draft.replace(path)
