"""A tiny Slack on loopback: real HTTP, answers as told, remembers what was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Answer:
    """What the next call gets. body: JSON, or text as it is; None closes the connection without an answer."""

    body: Mapping[str, Any] | str | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class LoopbackSlack:
    """Accepts `chat.postMessage`, `users.lookupByEmail` and `auth.test` for the channels, the people and the token it knows.

    users: as `users.lookupByEmail` answers them, by e-mail address. scopes: said in a header of every answer, as Slack does.
    """

    token = "xoxb-test"

    def __init__(
        self,
        channels: frozenset[str] = frozenset({"ai-spend"}),
        users: Mapping[str, Mapping[str, Any]] | None = None,
        scopes: str | None = None,
    ) -> None:
        """Starts serving at once."""
        self.channels = channels
        self.users = users or {}
        self.scopes = scopes
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.next: list[Answer] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        """The API's address."""
        return f"http://127.0.0.1:{self._server.server_port}/api/"

    @property
    def posted(self) -> list[dict[str, Any]]:
        """Bodies of the messages that arrived, oldest first."""
        return [body for method, body in self.asked if method == "chat.postMessage"]

    def answer(self, method: str, token: str, body: Mapping[str, Any]) -> Answer:
        """What Slack would say."""
        if self.next:
            return self.next.pop(0)
        if token != f"Bearer {self.token}":
            return Answer({"ok": False, "error": "invalid_auth"})
        if method == "auth.test":
            said = {} if self.scopes is None else {"x-oauth-scopes": self.scopes}
            return Answer({"ok": True, "team": "acme", "user": "tabstop"}, headers=said)
        if method == "users.lookupByEmail":
            user = self.users.get(body["email"])
            return Answer({"ok": True, "user": user} if user else {"ok": False, "error": "users_not_found"})
        if body["channel"] not in self.channels | {user["id"] for user in self.users.values()}:
            return Answer({"ok": False, "error": "channel_not_found"})
        return Answer({"ok": True, "channel": "C1", "ts": f"17.{len(self.posted):06}"})

    def __enter__(self) -> Self:
        """Serving already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        slack = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
                form = "form-urlencoded" in self.headers["Content-Type"]
                body = dict(parse_qsl(raw)) if form else json.loads(raw or "{}")
                method = self.path.rpartition("/")[2]
                slack.asked.append((method, body))
                answer = slack.answer(method, self.headers["Authorization"] or "", body)
                if answer.body is None:
                    self.close_connection = True
                    return
                text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
                self.send_response(answer.status)
                for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
                """Nothing to the test's output."""

        return Handler
