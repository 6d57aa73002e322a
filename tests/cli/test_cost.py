"""`tabstop cost` on a home folder with captured logs of all four agents: what people and programs get, and what is refused."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.beside.test_local_git import git
from tests.cli.cost_at_home import an_answer, home, run, told
from tests.report.test_shown import read_page
from tests.support.golden import expect

__all__ = ["home"]


@pytest.mark.parametrize("columns", ["80", "120"])
def test_what_people_read(home: Path, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no server, no network and no option."""
    monkeypatch.setenv("COLUMNS", columns)
    first, second = run(), run("--no-cache")
    assert first.exit_code == 0
    assert first.output == second.output
    assert "\x1b" not in first.output
    expect(f"cost/home-{columns}.txt", first.output)


def test_every_agent_is_there_and_the_parts_are_the_whole(home: Path) -> None:
    """By whatever it is asked."""
    whole = told()["total"]
    assert {one["name"] for one in told("--by", "agent")["rows"]} == {"claude-code", "codex", "gemini-cli", "opencode"}
    for by in ("pr", "branch", "repo", "model", "agent", "day"):
        found = told("--by", by)
        assert found["total"] == whole
        assert sum(one["nano_dollars"] for one in found["rows"]) == whole["nano_dollars"]
        assert sum(one["calls"] for one in found["rows"]) == whole["calls"]


def test_the_pull_request_its_agent_opened(home: Path) -> None:
    """Is a row of its own, with the work that led to it."""
    [row] = [one for one in told()["rows"] if one["pull_request"]]
    assert (row["repository"], row["branch"], row["pull_request"]["number"]) == (
        "acme/widget",
        "feature/rename-heading",
        42,
    )
    assert row["confidence"] == "claimed"
    assert row["pull_request"]["url"] is None  # whose clone is not here


def test_the_pull_request_of_a_clone_that_is_here(home: Path) -> None:
    """Has an address without GitHub being asked, and without its default branch being known."""
    tree = home / "src" / "widget"
    tree.mkdir(parents=True)
    git(tree, "init", "-q", "-b", "main")
    git(tree, "remote", "add", "origin", "git@github.com:acme/widget.git")
    log = home / ".claude" / "projects" / "-x" / "here.jsonl"
    log.parent.mkdir()
    answer = json.loads(an_answer("here", "2026-11-20T10:00:00.000Z", output_tokens=900_000))
    log.write_text(json.dumps(answer | {"cwd": str(tree), "gitBranch": "main"}) + "\n")
    rows = told()["rows"]
    [pull] = [one["pull_request"] for one in rows if one["pull_request"]]
    assert pull["url"] == "https://github.com/acme/widget/pull/42"
    [main] = [one for one in rows if one["of"] == "repository" and one["repository"] == "acme/widget"]
    assert main["reason"] == "work on main, the default branch, led to no pull request"
    assert "main, no pull request" in run("--offline").output


def test_csv_and_page(home: Path, tmp_path: Path) -> None:
    """The same numbers; the page asks nobody for anything."""
    lines = run("--offline", "--csv").output.splitlines()
    assert len(lines) == len(told()["rows"]) + 1
    page = tmp_path / "page.html"
    done = run("--offline", "--html", str(page))
    assert done.output == f"{page}: open it in a browser; it needs no network.\n"
    assert read_page(page.read_text(encoding="utf-8")).loads == []


def test_since(home: Path) -> None:
    """A day nothing was done on is empty, and says so."""
    assert told("--since", "2026-11-21")["total"] == told()["total"]
    assert told("--since", "2026-11-21")["since"] == "2026-11-21T00:00:00Z"
    late = told("--since", "2030-01-01")
    assert (late["rows"], late["total"]["calls"], late["total"]["nano_dollars"]) == ([], 0, 0)
    assert "no model call in them that was asked for" in run("--offline", "--since", "2030-01-01").output
    assert "since 2026-11-21" in run("--offline", "--since", "2026-11-21").output.splitlines()[0]


def test_time_zones(home: Path) -> None:
    """Days are those of the zone; sums do not change."""
    here, there = told("--by", "day"), told("--by", "day", "--timezone", "Asia/Tokyo")
    assert here["total"] == there["total"]
    assert here["timezone"] == "UTC"
    assert there["timezone"] == "Asia/Tokyo"
    assert [one["name"] for one in here["rows"]] != [one["name"] for one in there["rows"]]


def test_plans(home: Path) -> None:
    """What a plan pays for is told beside dollars; `all` is everybody."""
    dollars = told()["total"]
    codex = told("--plan", "codex")["total"]
    assert codex["nano_dollars"] + codex["notional_nano_dollars"] == dollars["nano_dollars"]
    assert 0 < codex["notional_nano_dollars"] < dollars["nano_dollars"]
    whole = told("--plan", "all")["total"]
    assert (whole["nano_dollars"], whole["notional_nano_dollars"]) == (0, dollars["nano_dollars"])
    assert "Never added" in run("--offline", "--plan", "codex").output


def test_paths(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only work in that folder, or elsewhere in the same repository."""
    tree = home / "src" / "widget"
    tree.mkdir(parents=True)
    git(tree, "init", "-q", "-b", "main")
    git(tree, "remote", "add", "origin", "https://github.com/acme/widget")
    log = home / ".claude" / "projects" / "-x" / "5d5c3c9e-0000-4000-8000-000000000000.jsonl"
    log.parent.mkdir()
    answer = {
        "type": "assistant", "sessionId": log.stem, "timestamp": "2026-11-20T10:00:00.000Z", "cwd": str(tree), "gitBranch": "fix/a",
        "requestId": "req_1", "message": {
            "id": "msg_1", "role": "assistant", "model": "frobnicate-9", "content": [], "usage": {"input_tokens": 5, "output_tokens": 7}
        },
    }  # fmt: skip
    log.write_text(json.dumps(answer) + "\n", encoding="utf-8")
    inside = told(str(tree))
    assert inside["total"]["calls"] > 1
    assert {one["repository"] for one in inside["rows"]} == {"acme/widget"}
    monkeypatch.chdir(tree)
    assert told(".")["rows"] == inside["rows"]
    assert told("/home/dev/widget")["total"]["calls"] < told()["total"]["calls"]
    (home / "new").mkdir()
    assert told(str(home / "new"))["rows"] == []
    unknown = next(one for one in inside["rows"] if one["branch"] == "fix/a")
    assert (unknown["dollars"], unknown["unpriced_calls"]) == (None, 1)
    assert inside["unpriced_models"] == {"frobnicate-9": 1}
    assert "frobnicate-9 (1)" in run("--offline", str(tree)).output
    shutil.rmtree(tree)
    assert next(one for one in told()["rows"] if one["branch"] == "fix/a")["repository"] == "acme/widget"


def test_a_folder_behind_a_link(home: Path) -> None:
    """Is the folder itself, also where a log names the link, and when the folder is gone."""
    tree, link = home / "disk" / "src" / "widget", home / "src"
    tree.mkdir(parents=True)
    link.symlink_to(tree.parent)
    log = home / ".claude" / "projects" / "-x" / "linked.jsonl"
    log.parent.mkdir()
    answer = json.loads(an_answer("linked", "2026-11-20T10:00:00.000Z", output_tokens=900))
    log.write_text(json.dumps(answer | {"cwd": str(link / "widget")}) + "\n")
    git(tree, "init", "-q", "-b", "main")
    git(tree, "remote", "add", "origin", "https://github.com/acme/widget")
    assert told(str(tree))["total"]["calls"] > 1  # the root of a working tree stands for all of its repository
    shutil.rmtree(tree)
    for named in (tree, link / "widget", tree.parent):
        assert told(str(named))["total"]["calls"] == 1


def test_an_empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And none at all."""
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "GEMINI_CLI_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    expect("cost/empty.txt", run("--offline").output)
    monkeypatch.delenv("HOME")
    assert told()["rows"] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--since", "soon"), ("--timezone", "Mars/Olympus"), ("--by", "moon"), ("--json", "--html", "x.html"),
        ("--html", "/nowhere/at/all.html"), ("--plan", "gpt"), ("--json", "--csv"), ("/home/dev/wigdet",),
    ],
)  # fmt: skip
def test_what_is_refused(home: Path, arguments: tuple[str, ...]) -> None:
    """With what is allowed."""
    done = run("--offline", *arguments)
    assert done.exit_code in {1, 2}
    expect(f"cost/refused{'-'.join(arguments).replace('/', '_')}.txt", done.output)


def test_on_a_terminal(home: Path) -> None:
    """Colours where there is a terminal, none with NO_COLOR."""
    for more, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "tests.cli.run_tabstop", "cost", "--offline"],
            stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", **more}, cwd=Path(__file__).parents[2],
        ) as running:  # fmt: skip
            os.close(theirs)
            said = b""
            while True:
                try:
                    read = os.read(ours, 65536)
                except OSError:
                    break
                if not read:
                    break
                said += read
        os.close(ours)
        assert running.returncode == 0
        assert b"total" in said
        assert (b"\x1b[36m" in said) is coloured
