"""`tabstop cost` on a home folder with captured logs of all four agents: what people and programs get, and what is refused."""

from __future__ import annotations

import json
import os
import pty
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tabstop.cli.main import main
from tests.beside.test_local_git import git
from tests.beside.test_pull_requests import row
from tests.report.test_shown import read_page
from tests.support.golden import expect
from tests.support.samples import CLAUDE, SAMPLES

CASES = ("compacted", "forked", "plain", "pull-request", "resumed", "sonnet", "subagent")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder as the four clients leave it, and an environment that names nothing else."""
    for name in list(os.environ):
        if name.startswith(("XDG_", "CLAUDE_", "CODEX_", "GEMINI_", "GH_", "GITHUB_", "TABSTOP_")) or name in {
            "COLUMNS",
            "TZ",
        }:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TZ", "UTC")
    for case in CASES:
        shutil.copytree(CLAUDE / case / "projects", tmp_path / ".claude" / "projects", dirs_exist_ok=True)
    day = tmp_path / ".codex" / "sessions" / "2026" / "11" / "21"
    day.mkdir(parents=True)
    shutil.copy(SAMPLES / "codex" / "rollout.jsonl", day / "rollout-2026-11-21T22-00-00-0.jsonl")
    chats = tmp_path / ".gemini" / "tmp" / "widget" / "chats"
    chats.mkdir(parents=True)
    shutil.copy(SAMPLES / "gemini" / "chat.jsonl", chats / "session-2026-11-21T21-00-0.jsonl")
    (tmp_path / ".local" / "share" / "opencode").mkdir(parents=True)
    with closing(sqlite3.connect(tmp_path / ".local" / "share" / "opencode" / "opencode.db")) as database:
        database.executescript((SAMPLES / "opencode" / "database.sql").read_text(encoding="utf-8"))
    return tmp_path


def run(*arguments: str) -> Result:
    done = CliRunner().invoke(main, ["cost", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def told(*arguments: str) -> dict[str, Any]:
    """As programs get it."""
    done = run("--offline", "--json", *arguments)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


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


def an_answer(session: str, at: str, **used: int) -> str:
    """A line of Claude Code's log."""
    answer = {
        "type": "assistant", "sessionId": session, "timestamp": at, "cwd": "/x", "gitBranch": "fix/a", "requestId": f"req_{at}",
        "message": {"id": f"msg_{at}", "role": "assistant", "model": "claude-opus-4-5", "content": [], "usage": used},
    }  # fmt: skip
    return json.dumps(answer) + "\n"


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
    assert "no model call in them that was asked for" in alone
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
    assert told(str(home / "nowhere"))["rows"] == []
    unknown = next(one for one in inside["rows"] if one["branch"] == "fix/a")
    assert (unknown["dollars"], unknown["unpriced_calls"]) == (None, 1)
    assert inside["unpriced_models"] == {"frobnicate-9": 1}
    assert "frobnicate-9 (1)" in run("--offline", str(tree)).output
    shutil.rmtree(tree)
    assert next(one for one in told()["rows"] if one["branch"] == "fix/a")["repository"] == "acme/widget"


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
        ("--html", "/nowhere/at/all.html"), ("--plan", "gpt"),
    ],
)  # fmt: skip
def test_what_is_refused(home: Path, arguments: tuple[str, ...]) -> None:
    """With what is allowed."""
    done = run("--offline", *arguments)
    assert done.exit_code in {1, 2}
    expect(f"cost/refused{'-'.join(arguments).replace('/', '_')}.txt", done.output)


@pytest.fixture
def github() -> Iterator[tuple[str, list[str]]]:
    """A GitHub on the loopback: its address, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = json.dumps([row(42, title="Rename the heading", merged_at="2026-11-22T00:00:00Z", closed_at="2026-11-22T00:00:00Z", state="closed",
                                   head={"ref": "feature/rename-heading", "user": {"login": "acme"}, "repo": {"owner": {"login": "acme"}}})]).encode()  # fmt: skip
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_github_gives_titles_and_states(
    home: Path, github: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a token; asked once in five minutes; what it said is still there offline."""
    address, asked = github
    monkeypatch.setenv("GITHUB_API_URL", address)
    assert "Rename the heading" not in run().output
    assert asked == []
    monkeypatch.setenv("GH_TOKEN", "secret")
    done = run()
    assert "#42 merged Rename the heading" in done.output
    assert len(asked) == 1
    assert run().output == done.output == run("--offline").output
    assert len(asked) == 1
    [found] = [one for one in told()["rows"] if one["pull_request"]]
    assert (found["state"], found["pull_request"]["title"]) == ("merged", "Rename the heading")


def test_a_failing_network_fails_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said below the table."""
    monkeypatch.setenv("GH_TOKEN", "secret")
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    done = run()
    assert done.exit_code == 0
    assert "#42" in done.output
    assert "GitHub did not answer" in done.output


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
