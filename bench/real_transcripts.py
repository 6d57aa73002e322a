"""Real transcripts: captured sessions of Claude Code, and folders of them repeated under ids of their own."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from tests.support.samples import CLAUDE, CLAUDE_CASES, claude_case

BYTES = 100_000_000
_ID = re.compile(rb"(?<=[\"_/])(?:[0-9a-f]{8}(?=-[0-9a-f]{4}-)|[0-9a-f]{8}(?=[0-9a-f]{16}\"))")
"""The first eight digits of a session's, row's, message's and request's id."""


@dataclass(frozen=True, slots=True)
class Case:
    """A captured case. tokens: by the API's invoice; lost: whether the log lacks some of it."""

    name: str
    folder: Path
    tokens: int
    lost: bool


def cases() -> list[Case]:
    """Every captured case."""
    return [
        Case(
            name,
            CLAUDE / name,
            sum(
                line.input + line.cache_read + line.cache_write_5m + line.cache_write_1h + line.output
                for line in claude_case(name).invoice
            ),
            lost=name == "killed-half-row",
        )
        for name in CLAUDE_CASES
    ]


def write(home: Path, size: int = BYTES) -> int:
    """Repeat them below `home` (a CLAUDE_CONFIG_DIR) until there are so many bytes; the bytes written."""
    whole = [
        (path.relative_to(case.folder), _compact(path.read_bytes()))
        for case in cases()
        for path in sorted((case.folder / "projects").rglob("*.jsonl"))
        if not case.name.startswith("killed")
    ]
    written = number = 0
    while written < size:
        for place, body in whole:
            changed = _other_ids(body, number)
            name = _other_ids(b"/" + bytes(place), number)[1:].decode()
            path = home / name.replace("-home-dev-widget", f"-home-dev-widget-{number % 20}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(changed)
            written += len(changed)
        number += 1
    return written


def lay_out(case: Case, home: Path) -> None:
    """One case as its client wrote it, below `home`."""
    for path in (case.folder / "projects").rglob("*.jsonl"):
        place = home / path.relative_to(case.folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(_compact(path.read_bytes()))


def _compact(body: bytes) -> bytes:
    """The samples were written anew with spaces; the client writes none, and ccusage looks for rows as the client writes them."""
    lines = []
    for line in body.splitlines(keepends=True):
        try:
            lines.append(json.dumps(json.loads(line), separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
        except ValueError:
            lines.append(line)  # the row that was cut
    return b"".join(lines)


def _other_ids(body: bytes, number: int) -> bytes:
    return _ID.sub(lambda found: b"%08x" % ((int(found[0], 16) + number) % 2**32), body)
