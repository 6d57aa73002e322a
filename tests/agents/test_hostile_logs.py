"""Logs of Codex, Gemini CLI and OpenCode that were cut, mixed up, or made to do harm: read to the end, never an error, never a hang."""

from __future__ import annotations

import json
import os
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from tabstop.agents.claude_code.execution_file import read_execution_file
from tabstop.agents.codex.exec_stream import read_exec_stream
from tabstop.agents.gemini.results import read_result
from tabstop.agents.log_files import READERS, LogFile, LogReading, read
from tests.agents.opencode.database import build
from tests.support.samples import SAMPLES

FILES = [
    (agent, path)
    for agent, folder in (("codex", "codex"), ("gemini-cli", "gemini"), ("opencode", "opencode"))
    for path in sorted((SAMPLES / folder).iterdir())
]
ROUNDS = 12


def packed(content: bytes) -> bytes:
    return zstd.compress(content)


def read_as(agent: str, folder: Path, name: str, content: bytes) -> list[LogReading]:
    path = folder / name
    path.write_bytes(content)
    return list(read(LogFile(agent, path)))


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Cut, doubled, with bytes changed, lines swapped, or a stretch of it written over."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        if not changed:
            break
        at, span = chance.randrange(len(changed)), chance.randint(1, 200)
        match chance.randrange(6):
            case 0:
                del changed[at:]
            case 1:
                del changed[at : at + span]
            case 2:
                changed[at] = chance.randrange(256)
            case 3:
                changed[at:at] = changed[max(0, at - span) : at]
            case 4:
                changed[at : at + span] = bytes(chance.randrange(256) for _ in range(min(span, 20)))
            case _:
                lines = bytes(changed).splitlines(keepends=True)
                chance.shuffle(lines)
                changed = bytearray(b"".join(lines))
    return bytes(changed)


def sound(readings: list[LogReading]) -> None:
    """What comes out can be stored and sent, whatever went in."""
    for reading in readings:
        assert all(number > 0 and reason for number, reason in ((one.line, one.reason) for one in reading.skipped))
        for usage in reading.usages:
            assert usage.keys
            assert usage.tokens.total > 0
            assert (
                min(usage.tokens.input, usage.tokens.cache_read, usage.tokens.cache_write_5m, usage.tokens.output) >= 0
            )
            assert usage.occurred_at.tzinfo is not None
            json.dumps(
                [usage.keys, usage.model, usage.thread, usage.evidence.branch, usage.evidence.repository]
            ).encode()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("agent", "sample"), FILES, ids=lambda one: one.name if isinstance(one, Path) else one)
def test_damaged_samples(agent: str, sample: Path, tmp_path: Path) -> None:
    """Every sample, damaged in many ways, as it is and packed."""
    chance = random.Random(sample.name)
    content = sample.read_bytes()
    for number in range(ROUNDS):
        damaged = mutated(content, chance)
        sound(read_as(agent, tmp_path, f"{number}{sample.suffix}", damaged))
        read_result(tmp_path / f"{number}{sample.suffix}")
        read_exec_stream(damaged.splitlines(keepends=True))
        if agent == "codex":
            sound(read_as(agent, tmp_path, "rollout.jsonl.zst", packed(damaged)))
            sound(read_as(agent, tmp_path, "rollout.jsonl.zst", mutated(packed(content), chance)))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("agent", READERS)
def test_what_is_no_plain_file(agent: str, tmp_path: Path) -> None:
    """Is not opened: a pipe would be waited for, and a link could lead anywhere. A folder is one that could not be looked into."""
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "whole.jsonl").write_text("{}\n")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "whole.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "other.jsonl").symlink_to(tmp_path / "folder.jsonl")
    for name, why in (
        ("pipe", "not a plain file"),
        ("link", "not a plain file"),
        ("folder", "may not be looked into"),
        ("other", "may not be looked into"),
        ("nothing", "No such file"),
    ):
        with pytest.raises(OSError, match=why):
            read(LogFile(agent, tmp_path / f"{name}.jsonl"))
    assert read(LogFile(agent, tmp_path / "whole.jsonl"))
    assert (read_result(tmp_path / "pipe.jsonl"), read_execution_file(tmp_path / "pipe.jsonl")) == (None, None)


@pytest.mark.timeout(120)
def test_damaged_databases(tmp_path: Path) -> None:
    """SQLite's own pages, damaged."""
    chance = random.Random(7)
    content = build(tmp_path / "opencode.db").read_bytes()
    for number in range(5 * ROUNDS):
        sound(read_as("opencode", tmp_path, f"{number}.db", content[:16] + mutated(content[16:], chance)))


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["gemini", "assistant", "2026-11-22T05:32:18Z"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return (
        [path, *(deeper for key, one in inner for deeper in _paths(one, (*path, key)))]
        if path
        else [deeper for key, one in inner for deeper in _paths(one, (key,))]
    )


def _put(value: Any, path: tuple[str | int, ...], new: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


ROWS: dict[str, list[list[dict[str, Any]]]] = {
    agent: [
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for named, path in FILES
        if named == agent and path.suffix == ".jsonl"
    ]
    for agent in ("codex", "gemini-cli")
}


@pytest.mark.parametrize("agent", ["codex", "gemini-cli"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_value_in_any_place_of_a_row(agent: str, data: st.DataObject) -> None:
    """Whatever type stands where another was."""
    rows = json.loads(json.dumps(data.draw(st.sampled_from(ROWS[agent]))))
    for _ in range(data.draw(st.integers(1, 4))):
        row = data.draw(st.sampled_from(rows))
        places = _paths(row)
        if places:
            _put(row, data.draw(st.sampled_from(places)), data.draw(VALUES))
    content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    with TemporaryDirectory() as folder:
        sound(read_as(agent, Path(folder), "rollout-x.jsonl", content))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_value_in_any_place_of_an_export(data: st.DataObject) -> None:
    """The same for OpenCode's messages, which the database holds too."""
    whole = json.loads((SAMPLES / "opencode" / "export.json").read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        places = _paths(whole)
        _put(whole, data.draw(st.sampled_from(places)), data.draw(VALUES))
    with TemporaryDirectory() as folder:
        sound(read_as("opencode", Path(folder), "export.json", json.dumps(whole).encode()))


BOMBS: list[tuple[str, Callable[[], bytes]]] = [
    ("deep", lambda: b'{"type":' + b"[" * 200_000 + b"\n"),
    ("long number", lambda: b'{"type":"gemini","tokens":{"input":' + b"9" * 100_000 + b"}}\n"),
    ("no end", lambda: b"x" * (20 << 20)),
    ("empty lines", lambda: b"\n" * 200_000),
    ("zeros", lambda: bytes(1 << 20)),
    ("half a character", lambda: b'{"type":"session_meta","payload":{"id":"\xff\xfe"}}\n' * 1_000),
    (
        "lone surrogate",
        lambda: b'{"type":"session_meta","payload":{"id":"\\ud800","cwd":"\\ud800","git":{"branch":"\\ud800"}}}\n',
    ),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("agent", ["codex", "gemini-cli", "opencode"])
@pytest.mark.parametrize(("name", "bomb"), BOMBS, ids=[name for name, _ in BOMBS])
def test_files_made_to_do_harm(agent: str, name: str, bomb: Callable[[], bytes], tmp_path: Path) -> None:
    """Too deep, too long, endless, or no text."""
    for suffix in (".jsonl", ".json"):
        sound(read_as(agent, tmp_path, f"rollout-x{suffix}", bomb()))


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("agent", "row"),
    [
        (
            "codex",
            {
                "type": "response_item",
                "payload": {"type": "function_call_output", "call_id": "c", "output": "x" * 4_000},
            },
        ),
        ("gemini-cli", {"id": "u", "type": "user", "content": "x" * 4_000}),
    ],
)
def test_memory_does_not_grow_with_the_file(agent: str, row: dict[str, Any], tmp_path: Path) -> None:
    """Forty megabytes of what is no usage are read in a few."""
    path = tmp_path / "rollout-x.jsonl"
    line = json.dumps(row).encode() + b"\n"
    with path.open("wb") as stream:
        for _ in range(10_000):
            stream.write(line)
    tracemalloc.start()
    try:
        sound(list(read(LogFile(agent, path))))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
