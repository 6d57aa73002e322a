"""Codex's rollouts: each response once, while the file grows, in this version's form and the one before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tabstop.agents.codex.rollout import RolloutFollower
from tabstop.usage import Tokens
from tests.support.samples import SAMPLES


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLES / "codex" / name).read_text(encoding="utf-8").splitlines()]


def follow(path: Path, told: list[dict[str, Any]]) -> list[tuple[str, str, str, Tokens]]:
    """Every row written by itself, looked at after each."""
    path.write_bytes(b"")
    follower = RolloutFollower(path)
    found = []
    for row in told:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        found += [(read.usage.keys[0], read.usage.model, read.thread, read.usage.tokens) for read in follower.read()]
    return found


@pytest.mark.parametrize(
    ("name", "calls", "total"), [("rollout.jsonl", 5, 49_910), ("rollout-resumed.jsonl", 6, 58_070)]
)
def test_each_response_once(name: str, calls: int, total: int, tmp_path: Path) -> None:
    """By its response id, of the main thread, priced by its model; together what the client itself counted."""
    found = follow(tmp_path / "r", rows(name))
    assert len({key for key, _, _, _ in found}) == calls
    assert {(model, thread) for _, model, thread, _ in found} == {("gpt-5.5", "")}
    assert sum(tokens.total for _, _, _, tokens in found) == total
    assert found[1][3] == Tokens(input=911, cache_read=8_000, output=160)


def test_without_records_the_running_total_tells_responses_apart(tmp_path: Path) -> None:
    """Older versions wrote only that, some of them twice."""
    old = [row for row in rows("rollout.jsonl") if row["type"] != "token_usage_record"]
    twice = [row for row in old for _ in range(2)]
    found = follow(tmp_path / "r", twice)
    assert len({key for key, _, _, _ in found}) == 5
    assert {tokens for *_, tokens in found} == {tokens for *_, tokens in follow(tmp_path / "s", rows("rollout.jsonl"))}


def test_a_subagents_thread_is_its_own(tmp_path: Path) -> None:
    """A record names the thread it belongs to."""
    changed = [
        {**row, "payload": {**row["payload"], "thread_id": "other"}} if row["type"] == "token_usage_record" else row
        for row in rows("rollout.jsonl")
    ]
    assert {thread for _, _, thread, _ in follow(tmp_path / "r", changed)} == {"other"}


def test_an_answer_that_cannot_be_read_is_told_as_such(tmp_path: Path) -> None:
    """No id, no usage, no time, no count, no JSON: that it was made is told. Other rows, and one too long, tell nothing."""
    path = tmp_path / "r"
    bad: list[Any] = [
        {"type": "token_usage_record", "payload": {"response_id": "r", "usage": {"input_tokens": 1}}},
        {"type": "event_msg", "payload": {"type": "token_count", "info": None}},
        {"timestamp": "2026-11-21T21:22:04Z", "type": "token_usage_record", "payload": {"usage": {"input_tokens": 1}}},
        {"type": "token_usage_record", "payload": {"response_id": "r", "usage": "none"}},
        {"type": "token_usage_record", "payload": {"response_id": "r", "usage": {"input_tokens": -1}}},
        {"type": "response_item", "payload": {"type": "message", "role": "assistant", "content": "text"}},
    ]
    good = {
        "type": "token_usage_record",
        "payload": {"response_id": "r", "usage": {"input_tokens": 7, "cache_write_input_tokens": 3}},
    }
    cut = b'{"type":"token_usage_record","payload":{"response_id'
    lines = [json.dumps(row).encode() for row in bad] + [b"{", cut, b'"' + b"x" * (9 << 20), json.dumps(good).encode()]
    path.write_bytes(b"\n".join(lines) + b"\n")
    follower = RolloutFollower(path)
    *unread, read = follower.read()
    assert [(one.unread, one.usage.tokens) for one in unread] == [(True, Tokens())] * 5
    assert {one.usage.keys for one in unread} == {("openai:resp:r",), ("codex:row:r-3",), ("codex:row:r-8",)}
    assert (read.unread, read.usage.tokens) == (False, Tokens(input=4, cache_write_5m=3))
    assert not read.usage.cache_split_known
    assert follower.has_call("any")
