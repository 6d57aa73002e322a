"""GitHub's half of the device flow, on loopback: `POST /login/device/code` and `/login/oauth/access_token`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

PENDING: dict[str, Any] = {"error": "authorization_pending"}
GIVEN = {"access_token": "ghu_alice", "token_type": "bearer", "scope": ""}


@dataclass
class FakeGitHubLogin:
    """answers: to the polls, in order; the last one for ever. seen: (path, form) of every request."""

    url: str = ""
    client_id: str = "Iv1.tabstop"
    answers: list[dict[str, Any]] = field(default_factory=lambda: [GIVEN])
    code: dict[str, Any] = field(
        default_factory=lambda: {
            "device_code": "d" * 40,
            "user_code": "WDJB-MJHT",
            "verification_uri": "https://elsewhere.example/login/device",
            "expires_in": 900,
            "interval": 1,
        }
    )
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, bytes]:
        """Status and body."""
        self.seen.append((path, form))
        if form.get("client_id") != self.client_id:
            return 404, b"Not Found"
        if path == "/login/device/code":
            return 200, json.dumps(self.code).encode()
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:device_code"
        assert form["device_code"] == self.code["device_code"]
        return 200, json.dumps(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]).encode()


@contextmanager
def github_login() -> Iterator[FakeGitHubLogin]:
    """A running one."""
    fake = FakeGitHubLogin()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(text).items()}
            status, body = fake.answer(self.path, form)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quietly."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
