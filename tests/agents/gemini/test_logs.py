"""Gemini CLI's chats read whole: each answer once over resumes and patches, where it was made, and what cannot be read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tabstop.agents.gemini.logs import discover, folder_of, read
from tabstop.agents.homes import Homes
from tabstop.agents.log_files import LogFile, LogReading
from tabstop.usage import Tokens
from tests.support.samples import SAMPLES

ANSWER: dict[str, Any] = {
    "id": "a1",
    "timestamp": "2026-11-22T05:32:18Z",
    "type": "gemini",
    "model": "gemini-2.5-pro",
    "tokens": {"input": 100, "output": 10, "cached": 60, "thoughts": 5, "tool": 3, "total": 118},
}


def sample(name: str) -> LogReading:
    (reading,) = read(LogFile("gemini-cli", SAMPLES / "gemini" / name))
    return reading


def chat(home: Path, *rows: dict[str, Any], name: str = "session-x.jsonl") -> Path:
    path = home / "tmp" / "widget" / "chats" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def named(reading: LogReading) -> list[str]:
    """The answers by the chat's own ids."""
    return [key for usage in reading.usages for key in usage.keys if key.startswith("google:chat:")]


def reading_of(path: Path) -> LogReading:
    (reading,) = read(LogFile("gemini-cli", path))
    return reading


@pytest.mark.parametrize(
    ("name", "calls", "total"),
    [("chat.jsonl", 5, 50_230), ("chat-resumed.jsonl", 3, 24_672), ("chat-auto.jsonl", 5, 42_130)],
)
def test_each_answer_once(name: str, calls: int, total: int) -> None:
    """Written again with each tool's result, and held again in the patch of every resumption; together what the client counted."""
    reading = sample(name)
    assert (len(reading.usages), reading.skip_reasons) == (calls, {})
    assert sum(usage.tokens.total for usage in reading.usages) == total
    assert {usage.thread for usage in reading.usages} == {reading.session}


def test_the_kinds_of_tokens(tmp_path: Path) -> None:
    """The prompt holds what was cached; thoughts are paid as output; what tools put into the prompt stands beside it."""
    (usage,) = reading_of(chat(tmp_path, {"sessionId": "s"}, ANSWER)).usages
    assert usage.tokens == Tokens(input=43, cache_read=60, output=15)
    assert usage.keys[0] == "google:chat:s/a1"


def test_answers_in_patches_and_in_whole_chats_count(tmp_path: Path) -> None:
    """A resumption copies an older chat's rows; versions before wrote one JSON object; what was rewound was paid for."""
    patch = {"$set": {"messages": [{"id": "u", "type": "user"}, {**ANSWER, "id": "a2"}, "none"]}}
    reading = reading_of(chat(tmp_path, {"sessionId": "s"}, ANSWER, patch, {"$rewindTo": "u"}))
    assert named(reading) == ["google:chat:s/a1", "google:chat:s/a2"]
    older = chat(tmp_path, {"sessionId": "s", "messages": [ANSWER]}, name="session-old.json")
    assert named(reading_of(older)) == ["google:chat:s/a1"]


def test_the_working_directory_is_the_projects(tmp_path: Path) -> None:
    """From the project's folder, from the list of projects by name, or by the digest older versions named folders with."""
    path = chat(tmp_path, {"sessionId": "s"}, ANSWER)
    assert folder_of(path) == ""
    digest = hashlib.sha256(b"/home/dev/old").hexdigest()
    (tmp_path / "projects.json").write_text(
        json.dumps({"projects": {"/home/dev/widget": "widget", "/home/dev/old": "old"}})
    )
    assert folder_of(path) == "/home/dev/widget"
    assert folder_of(tmp_path / "tmp" / digest / "chats" / "session-x.jsonl") == "/home/dev/old"
    (path.parent.parent / ".project_root").write_text("/home/dev/elsewhere\n")
    assert reading_of(path).usages[0].evidence.folder == "/home/dev/elsewhere"
    (path.parent.parent / ".project_root").write_text("no path")
    (tmp_path / "projects.json").write_text("[")
    assert folder_of(path) == folder_of(Path("/elsewhere/session-x.jsonl")) == ""


def test_commits_that_a_tool_made(tmp_path: Path) -> None:
    """The call that asked for it was made before, the next one after, however often both are written."""
    said = "<untrusted_context>\nOutput: [feature/x 00abbe4] Change\n 1 file changed\n</untrusted_context>"
    tool = {
        "id": "t1",
        "name": "run_shell_command",
        "args": {"command": "git commit -am x"},
        "result": [{"functionResponse": {"response": {"output": said}}}],
    }
    after = {**ANSWER, "id": "a2", "timestamp": "2026-11-22T05:33:18Z"}
    reading = reading_of(
        chat(
            tmp_path,
            {"sessionId": "s"},
            ANSWER,
            {**ANSWER, "toolCalls": [tool]},
            after,
            {**ANSWER, "toolCalls": [tool]},
        )
    )
    assert [usage.evidence.branch for usage in reading.usages] == ["", "feature/x"]
    assert [made.sha for made in reading.commits] == ["00abbe4"]


def test_a_subagents_chat_works_for_the_session_whose_folder_it_lies_in(tmp_path: Path) -> None:
    """Found with the others; links are not followed. Telemetry and hooks know no other session either."""
    main = chat(tmp_path, {"sessionId": "s1", "kind": "main"}, ANSWER)
    sub = main.parent / "s1" / "sub-1.jsonl"
    sub.parent.mkdir()
    sub.write_text(json.dumps({"sessionId": "sub-1", "kind": "subagent"}) + "\n" + json.dumps(ANSWER) + "\n")
    (tmp_path / "tmp" / "linked").symlink_to(main.parent.parent)
    assert [file.path for file in discover(Homes(gemini=(tmp_path,)))] == [main, sub]
    assert (reading_of(sub).session, reading_of(sub).usages[0].thread) == ("s1", "s1")
    assert list(discover(Homes(gemini=(tmp_path / "nothing",)))) == []


def test_what_cannot_be_read_is_told_with_its_line(tmp_path: Path) -> None:
    """One message of a patch does not hide the others."""
    path = chat(
        tmp_path,
        {"sessionId": "s"},
        {**ANSWER, "model": ""},
        {"$set": {"messages": [{**ANSWER, "tokens": {"input": -1}}, {**ANSWER, "id": "a2"}]}},
        {**ANSWER, "id": "a3", "tokens": {"input": 0}},
    )
    with path.open("ab") as stream:
        stream.write(b"[]\n" + b'{"type": "gemini", "id')
    reading = reading_of(path)
    assert [(one.line, one.reason) for one in reading.skipped] == [
        (2, "an answer without id, model, time or tokens"),
        (3, "input is not a count"),
        (5, "not a JSON object"),
        (6, "half-written"),
    ]
    assert named(reading) == ["google:chat:s/a2"]
    broken = chat(tmp_path, name="session-old.json")
    broken.write_text("{")
    assert reading_of(broken).skip_reasons == {"not JSON": 1}
    broken.write_text(json.dumps({"sessionId": "s", "messages": [ANSWER]})[:-2] + ', {"id": "a2", "ty')
    assert named(reading_of(broken)) == [f"google:chat:s/{ANSWER['id']}"]
    assert reading_of(broken).skip_reasons == {"half-written": 1}


def test_a_whole_chat_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is held whole while its answers are read."""
    monkeypatch.setattr("tabstop.agents.gemini.logs.LONGEST_CHAT", 10)
    path = chat(tmp_path, {"sessionId": "s", "messages": [ANSWER]}, name="session-old.json")
    assert reading_of(path).skip_reasons == {"longer than 64 MiB": 1}
    (path.parent / "notes.txt").write_text("")
    assert [file.path for file in discover(Homes(gemini=(tmp_path,)))] == [path]
