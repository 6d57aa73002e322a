"""What GitHub adds to `tabstop cost`: titles, states and new names, asked for once and only with a token; and when it is away."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.beside.test_local_git import git
from tests.beside.test_pull_requests import row
from tests.cli.cost_at_home import home, run, told

__all__ = ["home"]

PULLS = [
    row(42, title="Rename the heading", merged_at="2026-11-22T00:00:00Z", closed_at="2026-11-22T00:00:00Z", state="closed",
        head={"ref": "feature/rename-heading", "user": {"login": "acme"}, "repo": {"owner": {"login": "acme"}}}),
]  # fmt: skip


@pytest.fixture
def github() -> Iterator[tuple[str, list[str]]]:
    """A GitHub on the loopback: its address, and what it was asked. There `acme/old` was renamed to `acme/gadget`."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path.startswith("/repos/acme/old/"):
                self.answer(301, {"url": f"http://{self.headers['Host']}/repositories/7/pulls"})
            elif self.path == "/repositories/7":
                self.answer(200, {"full_name": "acme/gadget"})
            else:
                self.answer(200, PULLS)

        def answer(self, status: int, content: object) -> None:
            """Answer with this as JSON."""
            body = json.dumps(content).encode()
            self.send_response(status)
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


def test_a_renamed_repository_is_one(
    home: Path, github: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two clones, one with each name: joined when GitHub says so, and from then on offline too."""
    address, asked = github
    monkeypatch.setenv("GITHUB_API_URL", address)
    for name, branch in (("old", "fix/a"), ("gadget", "fix/b")):
        tree = tmp_path / "clones" / name
        tree.mkdir(parents=True)
        git(tree, "init", "-q", "-b", branch)
        git(tree, "remote", "add", "origin", f"git@github.com:acme/{name}.git")
        answer = {
            "type": "assistant", "sessionId": name, "requestId": f"r-{name}", "cwd": str(tree), "timestamp": "2026-11-20T08:00:00Z", "gitBranch": branch,
            "message": {"id": f"m-{name}", "model": "claude-sonnet-4-5", "usage": {"input_tokens": 10, "output_tokens": 5}},
        }  # fmt: skip
        log = home / ".claude" / "projects" / "renamed" / f"{name}.jsonl"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(json.dumps(answer) + "\n", encoding="utf-8")

    def repositories(*arguments: str) -> set[str]:
        rows = json.loads(run("--json", *arguments).output)["rows"]
        return {one["repository"] for one in rows if one["branch"] in {"fix/a", "fix/b"}}

    assert repositories("--offline") == {"acme/old", "acme/gadget"}
    monkeypatch.setenv("GH_TOKEN", "secret")
    assert repositories() == {"acme/gadget"}
    assert "/repositories/7" in asked
    count = len(asked)
    assert repositories() == repositories("--offline", str(tmp_path / "clones" / "old")) == {"acme/gadget"}
    assert len(asked) == count


def test_a_failing_network_fails_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said below the table."""
    monkeypatch.setenv("GH_TOKEN", "secret")
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    done = run()
    assert done.exit_code == 0
    assert "#42" in done.output
    assert "GitHub did not answer" in done.output
