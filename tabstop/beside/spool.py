"""Spool: what could not be delivered to the server, kept as one file a session until somebody delivers it.

Holds tokens counted, models, ids and the session's own token; never a word of what was asked or answered.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from tabstop.wire import VERSION, EndRequest, StartRequest, UsageBatch
from tabstop.wire_json import WireError, from_json, to_json

LONGEST_FILE = 64 * 1024 * 1024
"""Bytes; a longer file is none of ours."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A session's usage and ending that the server has not got.

    server: for which it is meant; never used as an address, only compared. session, token: empty when the session was
    never admitted, or its token is not kept: whoever delivers it asks for it again, as `start` says, under `key`, the
    Idempotency-Key of the gate's question. So every copy of a report is the same session, however often it is delivered.
    begun_at: since when it ran. batches: what is left to send. why: how the last try ended.
    """

    server: str
    start: StartRequest
    begun_at: datetime
    end: EndRequest
    batches: tuple[UsageBatch, ...] = ()
    session: str = ""
    token: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    why: str = ""
    version: int = VERSION

    def without_token(self) -> Undelivered:
        """The same, fit for a place that strangers can read."""
        return replace(self, token="")


@dataclass(frozen=True, slots=True)
class Pending:
    """A file of the spool; `undelivered` is None when it cannot be read, and `problem` says why."""

    path: Path
    undelivered: Undelivered | None = None
    problem: str = ""


def put(folder: Path, undelivered: Undelivered) -> Path:
    """Keep it; the same session replaces its own file. Readable by this user only. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = _path(folder, undelivered.begun_at, undelivered.session)
    draft = path.with_suffix(".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        json.dump(to_json(undelivered), stream, separators=(",", ":"))
    draft.replace(path)
    return path


def take_back(folder: Path, begun_at: datetime, session: str) -> Undelivered | None:
    """What waits of this session, taken out because it goes on; None for nothing that can be read."""
    path = _path(folder, begun_at, session)
    found = _read(path).undelivered
    if found is not None:
        path.unlink(missing_ok=True)
    return found


def spool_root(environ: Mapping[str, str]) -> Path:
    """Where reports wait on this machine: this user's state folder (XDG Base Directory)."""
    if environ.get("TABSTOP_STATE"):
        return Path(environ["TABSTOP_STATE"]) / "spool"
    home = Path(environ.get("HOME") or environ.get("RUNNER_TEMP", "."))
    return Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "tabstop" / "spool"


def _path(folder: Path, begun_at: datetime, session: str) -> Path:
    name = re.sub(r"[^A-Za-z0-9_-]", "-", session)[:80] or "unadmitted"
    return folder / f"{begun_at:%Y%m%dT%H%M%S%f}-{name}.json"


def pending(folder: Path) -> tuple[Pending, ...]:
    """Every file that waits, oldest first, found below the folder (an unpacked artifact may add a level); never raises."""
    walked = os.walk(folder)  # follows no links
    paths = sorted((name, Path(where, name)) for where, _, names in walked for name in names if name.endswith(".json"))
    return tuple(_read(path) for _, path in paths)


def _read(path: Path) -> Pending:
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode):
            return Pending(path, problem="not a plain file")
        if about.st_size > LONGEST_FILE:
            return Pending(path, problem="too long")
        return Pending(path, from_json(Undelivered, json.loads(path.read_bytes())))
    except WireError as error:
        return Pending(path, problem=f"not in the spool's form: {error.problems[0]}")
    except OSError as error:
        return Pending(path, problem=f"cannot be read ({type(error).__name__})")
    except (ValueError, RecursionError):
        return Pending(path, problem="not JSON")
