"""Logs that `tabstop cost` can use only in part or not at all, ones with odd names and dates, and an export in place of logs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.cost_at_home import an_answer, home, run, told
from tests.support.samples import SAMPLES

__all__ = ["home"]


def test_lines_that_could_not_be_used(home: Path) -> None:
    """Are counted for people, and named for who wants to look: file, line, reason."""
    assert (told()["skipped_lines"], told()["skipped"]) == (0, [])
    log = home / ".claude" / "projects" / "-x" / "broken.jsonl"
    log.parent.mkdir()
    log.write_text('{"type": "user"}\n{"type": \n[1]\n')
    found = told()
    assert found["skipped_lines"] == 2
    assert found["skipped"] == [
        {"path": str(log), "line": 2, "reason": "not JSON"},
        {"path": str(log), "line": 3, "reason": "not a JSON object"},
    ]
    assert "2 lines of the logs could not be used; `--json` says which" in run("--offline").output


def test_folders_that_may_not_be_looked_into(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Are told: what lies there is in no sum, and nobody would know."""
    other = home / ".claude" / "projects" / "-other"
    other.mkdir()
    closed = {other, home / ".codex" / "sessions", home / ".gemini" / "tmp", home / ".local" / "share" / "opencode"}

    def guarded(look: Callable[..., Any]) -> Callable[..., Any]:
        def looking(path: object) -> Any:
            if Path(str(path)) in closed:
                raise PermissionError(13, "Permission denied", str(path))
            return look(path)

        return looking

    monkeypatch.setattr(os, "scandir", guarded(os.scandir))
    monkeypatch.setattr(os, "listdir", guarded(os.listdir))
    found = told()
    assert {one["path"] for one in found["unread_files"]} == set(map(str, closed))
    assert {one["reason"] for one in found["unread_files"]} == {"may not be looked into"}
    assert found["total"]["calls"] > 0
    assert "4 files could not be read" in run("--offline").output


def test_a_log_whose_name_is_no_text(home: Path) -> None:
    """Counts like any other, each time."""
    before = told()["total"]["calls"]
    log = os.fsencode(home / ".claude" / "projects") + b"/-\xff/\xff\x1b[2J.jsonl"
    os.mkdir(os.path.dirname(log))  # noqa: PTH102, PTH120 - pathlib knows no bytes
    with open(log, "w", encoding="utf-8") as stream:  # noqa: PTH123
        stream.write(an_answer("odd", "2026-11-21T10:00:00Z", input_tokens=5, output_tokens=5) + "{\n")
    for _ in range(2):
        assert told()["total"]["calls"] == before + 1
        assert "1 line of the logs could not be used" in run("--offline").output


def test_a_call_that_cannot_have_been(home: Path) -> None:
    """A row of a trillion tokens is in no sum, and is told where it lies; also where there is nothing else."""
    before = told()["total"]
    log = home / ".claude" / "projects" / "-x" / "odd.jsonl"
    log.parent.mkdir()
    log.write_text(an_answer("odd", "2026-11-20T10:00:00.000Z", input_tokens=10**12))
    found = told()
    assert found["total"] == before
    why = "a prompt of more than 2,000,000 tokens: claude-opus-4-5 at 2026-11-20T10:00:00Z"
    assert (found["skipped_lines"], found["skipped"]) == (1, [{"path": str(log), "line": None, "reason": why}])
    pointed = "1 line of the logs could not be used; `--json` says which"
    assert pointed in run("--offline").output
    for other in (".claude/projects/-home-dev-widget", ".codex", ".gemini", ".local"):
        shutil.rmtree(home / other)
    alone = run("--offline").output
    assert "no model call in it that was asked for" in alone
    assert pointed in alone


def test_a_call_of_1969(home: Path, tmp_path: Path) -> None:
    """Counts on the day its log tells, on a page too; `--since` is the only thing that leaves it out."""
    before = told()["total"]
    log = home / ".claude" / "projects" / "-x" / "old.jsonl"
    log.parent.mkdir()
    log.write_text(an_answer("old", "1969-12-31T10:00:00.000Z", output_tokens=1_000))
    found = told("--by", "day")
    assert found["total"]["calls"] == before["calls"] + 1
    assert found["total"]["nano_dollars"] == before["nano_dollars"] + 1_000 * 25_000
    assert found["rows"][0]["name"] == "1969-12-31"
    assert found["total"]["first"] == "1969-12-31T10:00:00Z"
    assert run("--offline", "--html", str(tmp_path / "page.html")).exit_code == 0
    assert told("--since", "2026-01-01")["total"] == before


def test_an_export_of_opencode(home: Path) -> None:
    """A file that is named is read instead of the logs; nothing of it is remembered."""
    export = SAMPLES / "opencode" / "export.json"
    before = told()["total"]
    alone = told(str(export))
    assert {one["repository"] for one in alone["rows"]} == {None}
    assert (alone["files"], alone["total"]["calls"]) == (1, 5)
    (home / "elsewhere").mkdir()
    assert told(str(export), str(home / "elsewhere"))["total"]["calls"] == 0
    assert told()["total"] == before


def test_files_that_are_no_exports(home: Path) -> None:
    """Where none of the files named can be read, that is an error, which names each and says what to name; beside one that can, they are named."""
    notes, rollout = home / "README.md", next(home.glob(".codex/**/rollout-*.jsonl"))
    notes.write_text("# Widget\n")
    neither = "neither a database nor an export of OpenCode (not JSON)"
    for form in ((), ("--json",), ("--csv",), ("--html", str(home / "page.html"))):
        done = run("--offline", *form, str(notes), str(rollout))
        assert (done.exit_code, done.stdout) == (1, "")
        assert f"{notes}: {neither}\n{rollout}: {neither}\n" in done.stderr
        assert "None of the files named can be read." in done.stderr
        assert "Name files that `opencode export` wrote" in done.stderr
    assert not (home / "page.html").exists()
    export = str(SAMPLES / "opencode" / "export.json")
    both = told(export, str(notes))
    assert (both["total"]["calls"], both["unread_files"]) == (5, [{"path": str(notes), "reason": neither}])
    rows = run("--offline", "--csv", export, str(notes))
    assert f"1 file could not be read: {notes} ({neither})" in rows.stderr
    assert "could not" not in rows.stdout


def test_a_pipe_is_no_export(home: Path) -> None:
    """Nor is it waited for."""
    os.mkfifo(home / "pipe")
    done = run("--offline", str(home / "pipe"))
    assert done.exit_code == 1
    assert f"{home / 'pipe'}: not a plain file" in done.stderr


@pytest.mark.parametrize(
    "content", [b"SQLite format 3\x00" + bytes(3_000), bytes(range(250)) * 12, b'{"info": {"id": "ses']
)
def test_a_database_that_cannot_be_read(content: bytes, home: Path) -> None:
    """Is named with the reason each time, however the report is read, until it can be: its spend is missing."""
    path = home / ".local" / "share" / "opencode" / "opencode.db"
    whole, before = path.read_bytes(), told()["total"]
    path.write_bytes(content)
    for _ in range(2):
        found = told()
        [unread] = found["unread_files"]
        assert (unread["path"], found["skipped_lines"]) == (str(path), 0)
        assert 0 < found["total"]["calls"] < before["calls"]
        said = run("--offline").output.replace("\n", "").replace(" ", "")
        assert f"1 file could not be read: {path} ({unread['reason']})".replace(" ", "") in said
    path.write_bytes(whole)
    assert (told()["total"], told()["unread_files"]) == (before, [])
