"""A fake of the model APIs that agents call, on loopback: Anthropic Messages, OpenAI Responses and Chat Completions, Gemini.

Stateless by default: the newest user text with `[[script:NAME]]` picks a script of `llm_scripts.json`, and the number of answers
since then its step, so that real agents can be led through a session. Tests may give a `plan` of their own, and faults.
`python -m tests.support.fake_llm PORT FOLDER` runs it alone: requests go to FOLDER/requests.jsonl, what it bills to invoice.jsonl.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import sys
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from backports import zstd

from tests.support.llm_answers import SHAPES, Json, Step, Used, error, frames, new_id

SCRIPTS = Path(__file__).with_name("llm_scripts.json")
_MARK = re.compile(r"\[\[script:([\w-]+)\]\]")
_CALLS = (
    (re.compile(r"/messages$"), "anthropic"),
    (re.compile(r"/responses(?:/compact)?$"), "responses"),
    (re.compile(r"/chat/completions$"), "chat"),
    (re.compile(r":(stream)?generateContent$", re.IGNORECASE), "gemini"),
)


@dataclass(frozen=True)
class Seen:
    """One request. raw: its body as it came; body: the same read. at: when it began, by `time.time`."""

    method: str
    path: str
    headers: Mapping[str, str]
    raw: bytes
    body: Json
    api: str = ""
    at: float = field(default_factory=time.time)

    @property
    def stream(self) -> bool:
        return self.body.get("stream") is True or ":stream" in self.path


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one answer. after: events, or for a whole answer bytes, that are sent before.

    how: `hang`, `reset`, `end` (as if nothing were wrong), `garbage`, `redirect`, `cut` (a stream, right after
    its head).
    """

    how: str
    after: int = 0
    seconds: float = 30.0


Plan = Callable[[Seen], Step]


@dataclass
class Billed:
    """One answer as the vendor bills it."""

    api: str
    model: str
    used: Used
    script: str = ""
    step: int = 0


@dataclass
class FakeLlm:
    """One fake. plan: from a request to its answer. faults: for the next answers, one each; None for an answer without.

    think: seconds before the first byte. headers: on every answer. packed: whether answers are gzip where the client takes it.
    broken: whether a GET is cut off in the middle. more: scripts beside those of the file.
    """

    plan: Plan | None = None
    faults: deque[Fault | None] = field(default_factory=deque)
    think: float = 0.0
    delay: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    packed: bool = False
    edit: Callable[[Json], Json] = lambda answer: answer
    broken: bool = False
    cwd: str = "/home/dev/widget"
    more: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    billed: list[Billed] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.lock = threading.RLock()
        self.failed: set[tuple[str, str, int]] = set()
        self.over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), type("Handler", (_Handler,), {"llm": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def calls(self, api: str = "") -> list[Seen]:
        """The model calls it got."""
        return [one for one in self.seen if one.api and (not api or one.api == api)]

    def answer(self, seen: Seen) -> Step:
        if self.plan is not None:
            step, name, number = self.plan(seen), "", 0
        else:
            step, name, number = self._scripted(seen)
        if step.status == 200:
            self.billed.append(Billed(seen.api, str(seen.body.get("model")), step.used, name, number))
            self._write("invoice.jsonl", {"api": seen.api, "model": seen.body.get("model"), "script": name, "step": number,
                                          "used": vars(step.used)})  # fmt: skip
        return step

    def note(self, seen: Seen) -> None:
        with self.lock:
            self.seen.append(seen)
            row = {
                "t": seen.at,
                "method": seen.method,
                "path": seen.path,
                "headers": dict(seen.headers),
                "api": seen.api,
            }
            self._write("requests.jsonl", {**row, "body": seen.body})

    def _write(self, name: str, row: Json) -> None:
        if self.folder is not None:
            with (self.folder / name).open("a") as stream:
                stream.write(json.dumps(row) + "\n")

    def _scripted(self, seen: Seen) -> tuple[Step, str, int]:
        turns = _turns(seen)
        name, start = "", 0
        for number, (assistant, text) in enumerate(turns):
            if not assistant and (marks := _MARK.findall(text)):
                name, start = marks[-1], number
        place = sum(assistant for assistant, _ in turns[start + 1 :])
        script = self.more.get(name) or json.loads(SCRIPTS.read_text().replace("@CWD@", self.cwd)).get(name)
        if script is None:
            return Step("OK.", used=_used(place)), name, place
        step = _step(script[place], place) if place < len(script) else Step("Nothing left to do.", used=_used(place))
        session = next((value for key, value in sorted(seen.headers.items()) if "session" in key.lower()), "")
        if step.then is not None:
            with self.lock:
                if (session, name, place) in self.failed:
                    return step.then, name, place
                self.failed.add((session, name, place))
        return step, name, place


def _used(place: int, **own: int) -> Used:
    """Fixed for a step, growing, with both lifetimes of cache writes; by fewer tokens than a step adds bytes, as at real vendors."""
    usual = Used(
        input=10 + place,
        write_5m=60 if place else 8_000,
        write_1h=30 if place else 0,
        read=8_000 + 90 * (place - 1) if place else 0,
        output=150 + 10 * place,
        reasoning=64,
    )
    names = {"w5m": "write_5m", "w1h": "write_1h"}
    return replace(usual, **{names.get(name, name): value for name, value in own.items()})


def _step(written: Any, place: int) -> Step:
    if isinstance(written, dict) and "error" in written:
        then = _step(written["then"], place) if "then" in written else None
        return Step(status=written["error"], error=written["type"], then=then)
    blocks = written["blocks"] if isinstance(written, dict) else written
    own = written.get("usage", {}) if isinstance(written, dict) else {}
    return Step(
        text="\n".join(block["text"] for block in blocks if "text" in block),
        tools=tuple((block["tool"], block["input"]) for block in blocks if "tool" in block),
        custom=tuple((block["custom"], block["input"]) for block in blocks if "custom" in block),
        used=_used(place, **own),
        hangs=written.get("hangs") if isinstance(written, dict) else None,
    )


def _turns(seen: Seen) -> list[tuple[bool, str]]:
    """(whether the model said it, its text), oldest first."""
    body = seen.body
    if seen.api == "gemini":
        return [(one.get("role") == "model", _text(one.get("parts"))) for one in body.get("contents", [])]
    if seen.api != "responses":
        found = [one for one in body.get("messages", []) if one.get("role") != "tool"]
        return [(one.get("role") == "assistant", _text(one.get("content"))) for one in found]
    turns: list[tuple[bool, str]] = []
    open_turn = False
    items = body.get("input") or []
    for item in [{"role": "user", "content": items}] if isinstance(items, str) else items:
        kind = item.get("type", "message")
        if kind == "message" and item.get("role") != "assistant":
            turns.append((False, _text(item.get("content"))))
            open_turn = False
        elif kind.endswith("_output"):
            open_turn = False
        elif not open_turn:
            turns.append((True, ""))
            open_turn = True
    return turns


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(one.get("text", "")) for one in content or [] if isinstance(one, dict))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    llm: FakeLlm

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass

    def handle(self) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # clients that are ended leave in the middle
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # and what was not written yet finds nobody
            super().finish()

    def do_GET(self) -> None:
        self.llm.note(Seen(self.command, self.path, dict(self.headers), b"", {}))
        if self.llm.broken:
            self._head("text/plain", {"Content-Length": "100"})
            self.wfile.write(b"some")
            self.wfile.flush()
            self._reset()
            return
        self._json({"object": "list", "data": [], "models": []})

    do_HEAD = do_GET  # noqa: N815 - the base class's name

    def do_POST(self) -> None:
        raw = self._raw()
        path = self.path.partition("?")[0]
        api = next((name for pattern, name in _CALLS if pattern.search(path)), "")
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            body = {}
        if api == "gemini":
            body["model"] = path.rpartition("/models/")[2].partition(":")[0]
        seen = Seen(self.command, self.path, dict(self.headers), raw, body, api)
        self.llm.note(seen)
        if path.endswith(("count_tokens", ":countTokens")):
            self._json({"input_tokens": 1234, "totalTokens": 1234})
        elif not api:
            self._json({"ok": True})
        else:
            self._call(seen)

    def _call(self, seen: Seen) -> None:
        llm = self.llm
        fault = llm.faults.popleft() if llm.faults else None
        time.sleep(llm.think)
        if fault is not None and fault.how == "hang" and not fault.after:
            llm.over.wait(fault.seconds)
        if fault is not None and fault.how == "reset" and not fault.after:
            return self._reset()
        if fault is not None and fault.how == "redirect":
            self._head("text/plain", {"Content-Length": "0", "Location": f"{llm.url}/elsewhere"}, 307)
            return None
        with llm.lock:
            step = llm.answer(seen)
        if step.status != 200:
            return self._json(error(seen.api, step), step.status)
        if step.hangs is not None:
            fault = Fault("hang", step.hangs)
        whole, events = SHAPES[seen.api](seen.body, step)
        if fault is not None and fault.how == "garbage":
            return self._bytes(b"<html>not what you asked for</html>", "text/html")
        if seen.stream and (seen.api != "gemini" or "alt=sse" in seen.path):
            return self._stream(frames(seen.api, [llm.edit(event) for event in events]), fault)
        answer = llm.edit(whole)
        content = json.dumps([answer] if seen.stream else answer).encode()
        if fault is not None:
            self._head("application/json", {"Content-Length": str(len(content))})
            self.wfile.write(content[: fault.after])
            self.wfile.flush()
            return self._break(fault)
        return self._bytes(content, "application/json")

    def _stream(self, events: Any, fault: Fault | None) -> None:
        packed = self.llm.packed and "gzip" in self.headers.get("Accept-Encoding", "")
        self._head(
            "text/event-stream", {"Transfer-Encoding": "chunked", **({"Content-Encoding": "gzip"} if packed else {})}
        )
        if fault is not None and fault.how == "cut":
            self.wfile.flush()
            self._reset()
            return
        packer = zlib.compressobj(wbits=31)
        for number, event in enumerate(events):
            if fault is not None and number == fault.after:
                self._break(fault)
                return
            chunk = packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH) if packed else event
            self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            self.wfile.flush()
            time.sleep(self.llm.delay)
        if packed and (rest := packer.flush()):
            self.wfile.write(f"{len(rest):x}\r\n".encode() + rest + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def _break(self, fault: Fault) -> None:
        if fault.how == "hang":
            self.llm.over.wait(fault.seconds)
        if fault.how == "end":
            self.wfile.write(b"0\r\n\r\n")
            return
        self._reset()

    def _reset(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(2)

    def _json(self, value: Json, status: int = 200) -> None:
        self._bytes(json.dumps(value).encode(), "application/json", status)

    def _bytes(self, content: bytes, kind: str, status: int = 200) -> None:
        self._head(kind, {"Content-Length": str(len(content))}, status)
        if self.command != "HEAD":
            self.wfile.write(content)

    def _head(self, kind: str, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "request-id": new_id("req_"), **headers, **self.llm.headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _raw(self) -> bytes:
        raw = b""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while size := int(self.rfile.readline().split(b";")[0], 16):
                raw += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        match self.headers.get("Content-Encoding", ""):
            case "gzip":
                return gzip.decompress(raw)
            case "zstd":
                return zstd.decompress(raw)
        return raw


def main() -> None:
    """Run it alone until it is killed."""
    with FakeLlm(port=int(sys.argv[1]), folder=Path(sys.argv[2])) as fake:
        print(fake.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
