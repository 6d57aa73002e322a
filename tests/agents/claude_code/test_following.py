"""Following a running Claude Code session: every answer of every captured case, once, whenever one looks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tabstop.agents.claude_code.following import SessionFollower
from tests.agents.claude_code.jobs import KEY, Job, invoiced
from tests.support.samples import claude_case


def written(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def answer(number: int, output: int, content: Any, **fields: Any) -> dict[str, Any]:
    message = {
        "id": f"msg_{number}",
        "model": "claude-opus-5-5",
        "usage": {"output_tokens": output},
        "content": content,
    }
    row = {"type": "assistant", "sessionId": "s", "requestId": f"req_{number}", "message": message}
    return {**row, "timestamp": "2026-11-21T21:22:04.521Z", **fields}


@pytest.mark.parametrize("name", ["plain", "resumed", "subagent", "subagent-background", "retried"])
def test_a_captured_session_is_followed_row_by_row(name: str, tmp_path: Path) -> None:
    """However often the governor looks while the client writes, it has in the end what the invoice has, each answer once."""
    job = Job(claude_case(name), tmp_path)
    (main,) = [path for path in job.projects.rglob("*.jsonl") if "subagents" not in path.parts]
    rows = {path: path.read_bytes().splitlines(keepends=True) for path in job.projects.rglob("*.jsonl")}
    for path in rows:
        path.write_bytes(b"")
    follower = SessionFollower(main, KEY)
    told: dict[tuple[str, ...], Any] = {}
    for path, lines in rows.items():
        for line in lines:
            with path.open("ab") as stream:
                stream.write(line[:20])
            follower.read()
            with path.open("ab") as stream:
                stream.write(line[20:])
            for read in follower.read():
                told[read.usage.keys] = (read.usage.model, read.usage.tokens, bool(read.thread))
    invoice = {keys: (model, tokens) for keys, model, tokens in map(invoiced, job.invoice)}
    assert {keys: rest[:2] for keys, rest in told.items()} == invoice
    assert any(rest[2] for rest in told.values()) == ("subagent" in name)


def test_subagents_in_folders_of_their_own(tmp_path: Path) -> None:
    """The client puts those of a workflow one folder deeper; they cost as much."""
    path = tmp_path / "s.jsonl"
    path.write_bytes(written([answer(1, 5, "text")]))
    deeper = tmp_path / "s" / "subagents" / "workflow"
    deeper.mkdir(parents=True)
    (deeper / "agent-1.jsonl").write_bytes(written([answer(2, 6, "text", agentId="1")]))
    (deeper / "agent-1.meta.json").write_text("{}")
    assert [read.usage.tokens.output for read in SessionFollower(path, KEY).read()] == [5, 6]


def test_an_answer_that_grew_is_told_again(tmp_path: Path) -> None:
    """One that did not is not; broken lines and rows without an answer change nothing."""
    path = tmp_path / "s.jsonl"
    follower = SessionFollower(path, KEY)
    path.write_bytes(written([answer(1, 5, "text")]) + b"{broken\n\n" + written([{"type": "user"}]))
    assert [read.usage.tokens.output for read in follower.read()] == [5]
    with path.open("ab") as stream:
        stream.write(written([answer(1, 5, []), {"type": "summary"}]))
    assert follower.read() == []
    with path.open("ab") as stream:
        stream.write(written([answer(1, 9, [])]))
    assert [read.usage.tokens.output for read in follower.read()] == [9]
    with path.open("ab") as stream:
        stream.write(b'{"big": "' + b"x" * (8 * 1024 * 1024) + b'"}\n')
    assert follower.read() == []


def test_its_calls_and_the_likeness_of_its_text_are_known(tmp_path: Path) -> None:
    """By the time a tool runs one can tell whether its answer was written down; only a fingerprint of the text is kept."""
    path = tmp_path / "s.jsonl"
    said = "The build failed again because the module could not be resolved from the workspace root"
    blocks = [
        {"type": "text", "text": said},
        {"type": "tool_use", "id": "toolu_1", "name": "Bash"},
        "odd",
        {"type": "image"},
    ]
    path.write_bytes(written([answer(1, 5, blocks), answer(2, 6, [{"type": "text", "text": said}])]))
    follower = SessionFollower(path, KEY)
    assert not follower.has_call("toolu_1")
    first, second = follower.read()
    assert first.likeness is not None
    assert first.likeness == second.likeness
    assert follower.has_call("toolu_1")


def test_memory_does_not_grow_with_the_session(tmp_path: Path) -> None:
    """Of many calls and texts only the latest are remembered."""
    path = tmp_path / "s.jsonl"
    calls = [{"type": "tool_use", "id": f"toolu_{number}", "name": "Bash"} for number in range(300)]
    path.write_bytes(written([answer(1, 5, calls)]))
    follower = SessionFollower(path, KEY)
    follower.read()
    assert not follower.has_call("toolu_0")
    assert follower.has_call("toolu_299")


def test_an_answer_whose_usage_cannot_be_read_is_told_as_such(tmp_path: Path) -> None:
    """Counts that are strings or negative, no usage, no JSON: that it was made is told, once a row, a subagent's as its own."""
    path = tmp_path / "s.jsonl"
    rows = [answer(number, 5, []) for number in range(4)]
    rows[1]["message"]["usage"] = {"input_tokens": "5"}
    rows[2]["message"]["usage"] = {"output_tokens": -5}
    del rows[3]["message"]["usage"], rows[3]["message"]["id"], rows[3]["timestamp"]
    user = {"type": "user", "message": {"content": []}}
    path.write_bytes(written([*rows, user]) + b'{"type":"assistant","mess\n{"type":"user","mess\n')
    below = tmp_path / "s" / "subagents" / "agent-a.jsonl"
    below.parent.mkdir(parents=True)
    below.write_bytes(written([{**rows[1], "agentId": "a"}]))
    follower = SessionFollower(path, b"key")
    found = follower.read()
    assert [(one.unread, one.thread) for one in found] == [(True, "")] * 4 + [(False, ""), (True, "a")]
    first, second, third, cut, _, subagents = (one.usage for one in found)
    assert first.keys == subagents.keys == (f"anthropic:msg:{rows[1]['message']['id']}",)
    assert (first.model, first.tokens.total) == (rows[1]["message"]["model"], 0)
    assert {third.keys, cut.keys} == {("claude-code:row:s-4",), ("claude-code:row:s-6",)}
    assert second.occurred_at.year < third.occurred_at.year == 9999
    assert follower.read() == []
