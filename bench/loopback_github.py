"""GitHub on loopback, as far as the server talks to it: a small fake over real HTTP that keeps what it is sent.

Where Node is, the end-to-end tests use a far fuller one; this one starts in no time, and tells of every write.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

Json = dict[str, Any]

ORGANIZATION = {"id": 1, "login": "acme", "type": "Organization"}
INSTALLATION_ID = 777
APP_SLUG = "tabstop"
WEBHOOK_SECRET = "loopback-webhook-secret"  # noqa: S105 (guards nothing)


@dataclass
class LoopbackGitHub:
    """The running service: repository `acme/widget` (id 1), `alice` a member, the App installed.

    policy: the text of the organization's policy file; empty for none. policy_reads: how often it was fetched.
    """

    policy: str = ""
    policy_reads: int = 0
    pulls: dict[int, Json] = field(default_factory=dict)
    check_runs: dict[int, Json] = field(default_factory=dict)
    comments: dict[int, Json] = field(default_factory=dict)
    writes: int = 0
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        """Listen on a free port."""
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.private_key = _private_key()

    @property
    def repository(self) -> Json:
        """The one repository, as every payload shows it."""
        return {
            "id": 1,
            "name": "widget",
            "full_name": "acme/widget",
            "owner": ORGANIZATION,
            "default_branch": "main",
            "private": True,
            "topics": [],
        }

    def open_pull_request(self, branch: str) -> Json:
        """Open one by `alice`; answers it as the API shows it."""
        with self._lock:
            number = next(self._ids)
            pull = {
                "id": 5_000 + number,
                "number": number,
                "title": f"Work on {branch}",
                "state": "open",
                "draft": False,
                "user": {"id": 3, "login": "alice", "type": "User"},
                "head": {"ref": branch, "sha": f"{number:040x}", "repo": self.repository, "user": ORGANIZATION},
                "base": {"ref": "main", "sha": "b" * 40, "repo": self.repository},
                "updated_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            self.pulls[number] = pull
            return pull

    def push(self, number: int) -> Json:
        """Move a pull request's head to a new commit; answers it as it is then."""
        with self._lock:
            pull = self.pulls[number]
            before = datetime.fromisoformat(pull["updated_at"])
            later = max(datetime.now(UTC), before + timedelta(seconds=1))
            sha = f"{next(self._ids):08x}{number:032x}"
            moved = {**pull, "head": {**pull["head"], "sha": sha}, "updated_at": later.strftime("%Y-%m-%dT%H:%M:%SZ")}
            self.pulls[number] = moved
            return moved

    def checks_on(self, sha: str) -> list[Json]:
        """The check runs on a commit, oldest first."""
        with self._lock:
            return [check for check in self.check_runs.values() if check["head_sha"] == sha]

    def comments_on(self, number: int) -> list[Json]:
        """The comments on a pull request, oldest first."""
        with self._lock:
            return [comment for comment in self.comments.values() if comment["number"] == number]

    def answer(self, method: str, path: str, body: Json) -> tuple[int, Any]:
        """Status and JSON for a request."""
        for wanted, pattern, route in _ROUTES:
            found = re.fullmatch(pattern, path) if wanted == method else None
            if found:
                with self._lock:
                    self.writes += method != "GET" and "access_tokens" not in path
                    return route(self, body, *found.groups())
        return 404, {"message": "Not Found"}

    def __enter__(self) -> Self:
        """Begin to answer."""
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

    def issue_token(self, _body: Json) -> tuple[int, Any]:
        expires = datetime.now(UTC) + timedelta(hours=1)
        return 201, {"token": "ghs_loopback", "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def create_check(self, body: Json) -> tuple[int, Any]:
        check = {**body, "id": next(self._ids)}
        self.check_runs[check["id"]] = check
        return 201, check

    def update_check(self, body: Json, check_id: str) -> tuple[int, Any]:
        if int(check_id) not in self.check_runs:
            return 404, {"message": "Not Found"}
        self.check_runs[int(check_id)] |= body
        return 200, self.check_runs[int(check_id)]

    def create_comment(self, body: Json, number: str) -> tuple[int, Any]:
        user = {"id": 9, "login": f"{APP_SLUG}[bot]", "type": "Bot"}
        comment = {"id": next(self._ids), "number": int(number), "body": body["body"], "user": user}
        self.comments[comment["id"]] = comment
        return 201, comment

    def update_comment(self, body: Json, comment_id: str) -> tuple[int, Any]:
        if int(comment_id) not in self.comments:
            return 404, {"message": "Not Found"}
        self.comments[int(comment_id)] |= body
        return 200, self.comments[int(comment_id)]

    def show_pull(self, _body: Json, number: str) -> tuple[int, Any]:
        pull = self.pulls.get(int(number))
        return (200, pull) if pull else (404, {"message": "Not Found"})

    def list_commits(self, _body: Json, repository: str) -> tuple[int, Any]:
        return 200, [{"sha": "c" * 40}] if self.policy and repository == ".github" else []

    def show_file(self, _body: Json) -> tuple[int, Any]:
        self.policy_reads += 1
        text = base64.b64encode(self.policy.encode()).decode()
        return 200, {"type": "file", "encoding": "base64", "content": text}

    def show_member(self, _body: Json, login: str) -> tuple[int, Any]:
        return (204, None) if login == "alice" else (404, {"message": "Not Found"})


Route = Callable[..., tuple[int, Any]]

_APP = {"id": 4242, "slug": APP_SLUG, "permissions": {"checks": "write", "pull_requests": "write"}, "events": []}
_INSTALLATION = {"id": INSTALLATION_ID, "account": ORGANIZATION, "suspended_at": None}
_REPO = "/repos/acme/widget"
_POLICY_REPOSITORY = {"id": 2, "name": ".github", "full_name": "acme/.github"}

_ROUTES: list[tuple[str, str, Route]] = [
    ("POST", rf"/app/installations/{INSTALLATION_ID}/access_tokens", LoopbackGitHub.issue_token),
    ("GET", "/app", lambda _g, _b: (200, _APP)),
    ("GET", "/app/installations", lambda _g, _b: (200, [_INSTALLATION])),
    ("GET", "/app/hook/deliveries", lambda _g, _b: (200, [])),
    ("GET", "/installation/repositories", lambda g, _b: (200, {"repositories": [g.repository]})),
    ("GET", _REPO, lambda g, _b: (200, g.repository)),
    ("GET", rf"{_REPO}/pulls", lambda g, _b: (200, [p for p in g.pulls.values() if p["state"] == "open"])),
    ("GET", rf"{_REPO}/pulls/(\d+)", LoopbackGitHub.show_pull),
    ("GET", rf"{_REPO}/pulls/\d+/files", lambda _g, _b: (200, [{"filename": "src/main.py"}])),
    ("GET", r"/repos/acme/([\w.-]+)/commits", LoopbackGitHub.list_commits),
    ("GET", r"/repos/acme/\.github", lambda g, _b: (200, {**g.repository, **_POLICY_REPOSITORY})),
    ("GET", r"/repos/acme/\.github/contents/\.github/tabstop\.yml", LoopbackGitHub.show_file),
    ("GET", r"/orgs/acme/members/([\w-]+)", LoopbackGitHub.show_member),
    ("POST", rf"{_REPO}/check-runs", LoopbackGitHub.create_check),
    ("PATCH", rf"{_REPO}/check-runs/(\d+)", LoopbackGitHub.update_check),
    ("GET", rf"{_REPO}/issues/(\d+)/comments", lambda g, _b, n: (200, g.comments_on(int(n)))),
    ("POST", rf"{_REPO}/issues/(\d+)/comments", LoopbackGitHub.create_comment),
    ("PATCH", rf"{_REPO}/issues/comments/(\d+)", LoopbackGitHub.update_comment),
]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that was killed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _handler(github: LoopbackGitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # connections stay open, as GitHub's do

        def _serve(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, told = github.answer(self.command, urlsplit(self.path).path, json.loads(sent) if sent else {})
            data = b"" if told is None else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815 (the base class names them so)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it so)
            """Say nothing."""

    return Handler


def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
