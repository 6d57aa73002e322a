"""The Anthropic API on loopback, for a real Claude Code: each answer asks for one more `echo`, and never comes to an end."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.library.fake_api import IN, OUT

MODEL = "claude-opus-5-5"


class LoopbackClaude(ThreadingHTTPServer):
    """`answers`: how many it gave. Requests without tools are the client's own side calls; they get a word and are not counted."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def loopback_claude() -> Iterator[LoopbackClaude]:
    """It listens inside the block."""
    with LoopbackClaude() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackClaude

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
        if not self.path.split("?")[0].endswith("/v1/messages"):
            return self._send("application/json", b'{"input_tokens": 5}')
        with self.server.lock:
            self.server.answers += 1 if body.get("tools") else 0
            number = self.server.answers
        events = answer(number, with_tool=bool(body.get("tools")))
        return self._send(
            "text/event-stream", "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events).encode()
        )

    def do_HEAD(self) -> None:
        self._send("text/plain", b"")

    def do_GET(self) -> None:
        self._send("application/json", b'{"data": []}')

    def _send(self, kind: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def answer(number: int, *, with_tool: bool) -> list[dict[str, Any]]:
    """The events of one answer."""
    tool = {"type": "tool_use", "id": f"toolu_{number}", "name": "Bash", "input": {}}
    block: dict[str, Any] = tool if with_tool else {"type": "text", "text": ""}
    wanted = json.dumps({"command": f"echo {number}", "description": "Say a number"})
    delta = {"type": "input_json_delta", "partial_json": wanted} if with_tool else {"type": "text_delta", "text": "Yes"}
    message: dict[str, Any] = {
        "id": f"msg_{number}", "type": "message", "role": "assistant", "model": MODEL, "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": {"input_tokens": IN, "output_tokens": 1},
    }  # fmt: skip
    reason = "tool_use" if with_tool else "end_turn"
    return [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {"output_tokens": OUT}},
        {"type": "message_stop"},
    ]  # fmt: skip
