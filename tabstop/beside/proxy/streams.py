"""Streams: an answer is read while it passes: server-sent events, or one JSON value; compressed or not."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable

from tabstop.beside.proxy.call import Api, Body, Reader

LARGEST = 64 * 1024 * 1024
"""Bytes of an answer, or of one event, that are read; what is larger passes unread."""

_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")


class Passing:
    """Reads one answer as its bytes come; hands back what is to be passed on. Never raises for content."""

    def __init__(self, api: Api, content_type: str, encoding: str, drops: Callable[[Body], bool] | None = None) -> None:
        """drops: which events of a stream are left out; None to leave it as it is."""
        self.reader: Reader = api.reader()
        self._events = content_type.lower().startswith("text/event-stream")
        self._unpack = zlib.decompressobj(wbits=47) if encoding in {"gzip", "x-gzip", "deflate"} else None
        self._lost = encoding not in {"", "identity", "gzip", "x-gzip", "deflate"}
        self._drops = drops if self.events else None
        self._buffer = bytearray()

    @property
    def events(self) -> bool:
        """Whether it is a stream of events that can be read, and so could be told of an error."""
        return self._events and self._unpack is None and not self._lost

    def feed(self, chunk: bytes) -> bytes:
        """Read what came; what of it goes on to the client."""
        plain = self._plain(chunk)
        if self._lost:
            return chunk
        self._buffer += plain
        if len(self._buffer) > LARGEST:
            self._lost, left = True, bytes(self._buffer)
            self._buffer.clear()
            return left if self._drops else chunk
        if not self._events:
            return chunk
        passed = self._take_events()
        return passed if self._drops else chunk

    def end(self) -> bytes:
        """The answer has ended; what is still to be passed on."""
        left = bytes(self._buffer)
        self._buffer.clear()
        if self._lost:
            return b""
        if self._events:
            self._event(left)
            return left if self._drops else b""
        value = _json(left)
        if isinstance(value, dict):
            self.reader.whole(value)
        elif isinstance(value, list):  # Gemini streams an array where nobody asks for events
            for one in value:
                if isinstance(one, dict):
                    self.reader.event(one)
        return b""

    def _plain(self, chunk: bytes) -> bytes:
        if self._unpack is None or self._lost:
            return chunk
        try:
            plain = self._unpack.decompress(chunk, LARGEST)
        except zlib.error:
            self._lost = True
            return b""
        self._lost = bool(self._unpack.unconsumed_tail)
        return plain

    def _take_events(self) -> bytes:
        passed = bytearray()
        start = 0
        for found in _END.finditer(self._buffer):
            event = bytes(self._buffer[start : found.end()])
            start = found.end()
            if self._event(event):
                passed += event
        del self._buffer[:start]
        return bytes(passed)

    def _event(self, raw: bytes) -> bool:
        """Read one; whether it goes on to the client."""
        data = b"\n".join(line[5:] for line in raw.splitlines() if line.startswith(b"data:")).strip()
        value = _json(data) if data and data != b"[DONE]" else None
        if not isinstance(value, dict):
            return True
        self.reader.event(value)
        return self._drops is None or not self._drops(value)


def _json(raw: bytes) -> Body | list[object] | None:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None
