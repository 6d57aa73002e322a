"""Dense transcripts: a folder of Claude Code's with questions and answers only, nothing a reader could skip; the same for the same arguments."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

MODELS = ("claude-sonnet-4-5-20250929", "claude-opus-4-5-20251101", "claude-haiku-4-5-20251001")
FILES, ANSWERS, ROW_BYTES = 120, 350, 1_190
"""Together 100 MB and 42,000 answers, as long as those of real sessions are on average."""

_BEGUN = datetime(2026, 6, 1, 8, tzinfo=UTC)
_WORDS = (
    "the parser reads",
    "each line once",
    "and keeps",
    "what it needs,",
    "while lines stay escaped:",
    '"quotes",',
    "C:\\paths",
    "and\nnew lines;",
    "na\u00efve",
    "\u2713",
)


def write(home: Path, files: int = FILES, answers: int = ANSWERS) -> int:
    """Write them below `home` (a CLAUDE_CONFIG_DIR); the bytes written.

    Models change per file, and branches within one; a sixth of the answers has two content blocks, which repeat their usage.
    """
    written = 0
    for number in range(files):
        session = f"{number:08d}-0000-4000-8000-000000000000"
        folder = home / "projects" / f"-home-dev-project-{number % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        rows = _session(number, session, answers)
        body = "".join(json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n" for row in rows).encode()
        (folder / f"{session}.jsonl").write_bytes(body)
        written += len(body)
    return written


def _session(number: int, session: str, answers: int) -> list[dict[str, Any]]:
    chance = random.Random(number)
    at = _BEGUN + timedelta(hours=9 * number)
    rows: list[dict[str, Any]] = []
    for answer in range(answers):
        at += timedelta(seconds=chance.uniform(4, 40))
        branch = f"feature/{number % 10}-{answer * 4 // answers}"
        common = {
            "parentUuid": f"{chance.getrandbits(128):032x}",
            "isSidechain": False,
            "userType": "external",
            "cwd": f"/home/dev/project-{number % 10}",
            "sessionId": session,
            "version": "2.1.330",
            "gitBranch": branch,
        }
        rows.append(
            common
            | {"type": "user", "message": {"role": "user", "content": _text(chance, ROW_BYTES - 330)}}
            | {"uuid": f"{chance.getrandbits(128):032x}", "timestamp": _stamp(at)}
        )
        message: dict[str, Any] = {
            "model": MODELS[number % len(MODELS)],
            "id": f"msg_{chance.getrandbits(96):024x}",
            "type": "message",
            "role": "assistant",
            "content": [],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": _usage(chance),
        }
        request = f"req_{chance.getrandbits(96):024x}"
        blocks = 2 if answer % 6 == 0 else 1
        for block in range(blocks):
            at += timedelta(seconds=chance.uniform(1, 5))
            content = [{"type": "text", "text": _text(chance, (ROW_BYTES - 770) // blocks)}]
            rows.append(
                common
                | {"message": message | {"content": content}, "requestId": request, "type": "assistant"}
                | {"uuid": f"{block}{chance.getrandbits(124):031x}", "timestamp": _stamp(at)}
            )
    return rows


def _usage(chance: random.Random) -> dict[str, Any]:
    written = chance.randrange(0, 6_000)
    return {
        "input_tokens": chance.randrange(2, 400),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": chance.randrange(10_000, 120_000),
        "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": chance.randrange(20, 1_500),
        "service_tier": "standard",
    }


def _text(chance: random.Random, size: int) -> str:
    words = []
    while size > 0:
        words.append(_WORDS[chance.randrange(len(_WORDS))])
        size -= len(words[-1]) + 1
    return " ".join(words)


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
