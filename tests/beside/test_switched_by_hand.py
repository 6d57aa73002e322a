"""Switched by hand: agents that note no branch, and somebody who switches branches in another window while they work."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tabstop.agents.homes import Homes
from tabstop.beside.local_cost import Wanted, local_cost
from tabstop.beside.local_usage import local_usage
from tabstop.report.by import By
from tests.git_histories.git import environ_of, git

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _at(time: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-20T{time}Z")


@pytest.mark.parametrize("cached", [False, True])
def test_each_call_lies_on_the_branch_of_its_second(cached: bool, tmp_path: Path) -> None:
    """Also where one quarter of an hour saw several branches; nothing is lost over it."""
    tree, home = tmp_path / "widget", tmp_path / "gemini"
    chats = home / "tmp" / "widget" / "chats"
    chats.mkdir(parents=True)
    (chats.parent / ".project_root").write_text(str(tree))
    tree.mkdir()
    dawn = environ_of(_at("09:00:00"))
    git(tree, dawn, "init", "-q", "-b", "main")
    git(tree, dawn, "remote", "add", "origin", "https://github.com/acme/widget.git")
    git(tree, dawn, "commit", "-q", "--allow-empty", "-m", "begin")
    git(tree, environ_of(_at("10:05:00")), "switch", "-q", "-c", "one")
    git(tree, environ_of(_at("10:09:30")), "switch", "-q", "-c", "two")
    used = {"input": 1_000, "output": 100, "cached": 0, "thoughts": 0, "tool": 0}
    times = ["10:04:59", "10:05:20", "10:09:10", "10:09:40", "10:16:00"]
    answers = [
        {"id": f"m{at}", "type": "gemini", "timestamp": _at(at).isoformat(), "model": "gemini-2.5-pro", "tokens": used}
        for at in times
    ]
    rows = [{"sessionId": "chat"}, *answers]
    (chats / "session-1.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    homes, cache = Homes(gemini=(home,)), tmp_path / "usage" if cached else None
    local_usage(homes, cache=cache, processes=1)
    usage = local_usage(homes, cache=cache, processes=1)
    found = local_cost(usage, Wanted(By.BRANCH, NOW, zone=UTC), {}, None)
    assert {row.branch: row.sum.calls for row in found.report.rows} == {"": 1, "one": 2, "two": 2}
    assert found.report.total.cost == 5 * (1_000 * 1_250 + 100 * 10_000)
