"""Finding and following what agents write: the right file among others, each answer with the tools it read the results of."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tabstop.agents.claude_code.command_line import ClaudeCodeCommand
from tabstop.agents.codex.command_line import CodexCommand
from tabstop.agents.command_line import AgentLog, CommandLine
from tabstop.agents.gemini.command_line import GeminiCommand
from tests.support.samples import SAMPLES

CWD = "/home/dev/widget"
KEY = b"k"
OLD = "11111111-1111-4111-8111-111111111111"
TRANSCRIPT = "claude/plain/projects/-home-dev-widget/55dcfb74-b153-4761-a15f-181f6f16f300.jsonl"
ROLLOUT = "01a1fffc-de12-7ef0-bc64-19ec4c76b7c1"
CHAT = "f41423c0-729b-4e79-b6c6-46319d0d2858"


def log(command: CommandLine, home: Path, session: str = "", cwd: str = CWD) -> AgentLog:
    return command.log({"HOME": str(home)}, cwd, session, KEY)


def put(sample: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(SAMPLES / sample, path)


def append(path: Path, *rows: dict[str, Any] | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize("known", [True, False])
def test_a_transcript(tmp_path: Path, known: bool) -> None:
    """By its id wherever it lies, else as the one that grows in the folder of the working directory."""
    folder = tmp_path / ".claude" / "projects" / "-home-dev-widget"
    put(TRANSCRIPT, folder / "other.jsonl")
    (folder / "gone.jsonl").symlink_to(folder / "nowhere")
    found = log(ClaudeCodeCommand(), tmp_path, OLD if known else "")
    assert found.read() == []
    put(TRANSCRIPT, folder / f"{OLD}.jsonl")
    usages = [one.usage for one in found.read()]
    assert found.session == OLD
    assert len(usages) == 5
    assert [call.name for usage in usages for call in usage.tool_calls] == ["Bash", "Read", "Bash", "Edit", "Bash"]
    assert found.read() == []


def test_a_transcript_of_a_long_path(tmp_path: Path) -> None:
    """The client cuts the folder's name and puts a hash behind it."""
    cwd = "/" + "a" * 300
    found = log(ClaudeCodeCommand(), tmp_path, "", cwd)
    put(TRANSCRIPT, tmp_path / ".claude" / "projects" / ("-" + "a" * 199 + "-1x2y3z") / f"{OLD}.jsonl")
    assert len(found.read()) == 5


def test_a_rollout(tmp_path: Path) -> None:
    """The first new one of this working directory; not one of another, and nothing that was there before."""
    day = tmp_path / ".codex" / "sessions" / "2026" / "11" / "21"
    put("codex/rollout.jsonl", day / "rollout-2026-before.jsonl")
    found = log(CodexCommand(), tmp_path)
    append(day / "rollout-2026-a.jsonl", {"type": "session_meta", "payload": {"id": "x", "cwd": "/elsewhere"}})
    append(day / "rollout-2026-b.jsonl", {"type": "turn_context"})
    (day / "rollout-2026-c.jsonl").write_bytes(b"no json\n")
    (day / "rollout-2026-d.jsonl").write_bytes(b'{"half')
    assert found.read() == []
    put("codex/rollout.jsonl", day / f"rollout-2026-{ROLLOUT}.jsonl")
    reads = found.read()
    assert (found.session, len(reads), {one.thread for one in reads}) == (ROLLOUT, 5, {""})
    assert [call.name for one in reads for call in one.usage.tool_calls] == ["exec_command"] * 3 + [
        "apply_patch",
        "exec_command",
    ]
    assert not any(call.failed for one in reads for call in one.usage.tool_calls)


def test_a_rollout_that_goes_on_and_its_subagents(tmp_path: Path) -> None:
    """By id in whatever folder; a new one that names it as its session is a subagent's."""
    sessions = tmp_path / ".codex" / "sessions"
    put("codex/rollout.jsonl", sessions / "2025" / "01" / "01" / f"rollout-2025-{ROLLOUT}.jsonl")
    found = log(CodexCommand(), tmp_path, ROLLOUT)
    assert len(found.read()) == 5
    used = {"input_tokens": 100, "output_tokens": 1}
    append(
        sessions / "2026" / "11" / "21" / "rollout-2026-child.jsonl",
        {
            "timestamp": "2026-11-21T21:22:04Z",
            "type": "session_meta",
            "payload": {"id": "child", "session_id": ROLLOUT, "cwd": CWD},
        },
        {"type": "response_item", "payload": {"type": "function_call", "call_id": "c", "arguments": "{}"}},
        "no row",
        {
            "type": "response_item",
            "payload": {"type": "function_call_output", "call_id": "c", "output": "Exit code: 3\n"},
        },
        {"type": "response_item", "payload": {"type": "function_call_output", "call_id": "unasked", "output": ""}},
        {"type": "token_usage_record", "payload": {"thread_id": "child", "response_id": "r1", "usage": used}},
    )
    (child,) = found.read()
    assert (child.thread, child.usage.tokens.input) == ("child", 100)
    (called,) = child.usage.tool_calls
    assert (called.name, called.failed) == ("tool", True)


@pytest.mark.parametrize("known", [True, False])
def test_a_chat(tmp_path: Path, known: bool) -> None:
    """By its id, else as the first of this working directory that grows."""
    chats = tmp_path / ".gemini" / "tmp" / "widget" / "chats"
    put("gemini/chat.jsonl", chats / "session-before.jsonl")
    (chats / "session-gone.jsonl").symlink_to(chats / "nowhere")
    found = log(GeminiCommand(), tmp_path, "another" if known else "")
    assert found.read() == []
    append(chats / "session-a.jsonl", {"sessionId": "x", "projectHash": "of something else"})
    (chats / "session-b.jsonl").write_bytes(b"no json\n")
    (chats / "session-c.jsonl").write_bytes(b"")
    assert found.read() == []
    if known:
        found = log(GeminiCommand(), tmp_path, CHAT)
    else:
        put("gemini/chat.jsonl", chats / "session-new.jsonl")
    reads = found.read()
    last = {one.usage.keys: one.usage for one in reads}
    assert found.session == CHAT
    assert len(last) == 5
    assert [call.name for one in reads for call in one.usage.tool_calls][:2] == ["run_shell_command", "read_file"]
    first = next(iter(last.values()))
    assert (first.tokens.input, first.tokens.cache_read, first.tokens.output) == (8_010, 0, 214)
    assert found.read() == []


def test_rows_of_a_chat_that_cannot_be_read(tmp_path: Path) -> None:
    """Without an id, a count that is none, no JSON: an answer was made. Without tokens none was; its tools count all the same."""
    path = tmp_path / ".gemini" / "tmp" / "w" / "chats" / "session-x.jsonl"
    found = log(GeminiCommand(), tmp_path)
    row = {"id": "1", "timestamp": "2026-11-21T21:22:10Z", "type": "gemini", "model": "m", "tokens": {"input": 5}}
    append(
        path,
        {"sessionId": "s", "projectHash": hashlib.sha256(CWD.encode()).hexdigest()},
        {**row, "id": ""},
        {**row, "tokens": {"input": "five"}},
        {**row, "tokens": {}, "toolCalls": [{"id": "t", "name": "x", "status": "error"}, {"id": "t"}, {}]},
        {**row, "content": ["no text"]},
    )
    with path.open("ab") as stream:
        stream.write(b'{"type":"gemini","id"\n{"type":"user","id"\n')
    nameless, uncounted, one, cut = found.read()
    assert [read.unread for read in (nameless, uncounted, one, cut)] == [True, True, False, True]
    assert uncounted.usage.keys == one.usage.keys == ("google:chat:s/1",)
    assert (one.usage.tokens.input, one.likeness) == (5, None)
    assert [(call.name, call.failed) for call in one.usage.tool_calls] == [("x", True)]
