"""A web proxy that leads nowhere: agents are pointed at it, so that whatever they would ask beyond loopback is seen and goes no further."""

from __future__ import annotations

import socketserver
import threading
from contextlib import suppress
from typing import Self


class DeadEnd:
    """Listens on loopback. asked: the first line of each request it got, such as `CONNECT example.com:443 HTTP/1.1`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Handler(socketserver.StreamRequestHandler):
            timeout = 5.0

            def handle(self) -> None:
                asked.append(self.rfile.readline(4096).decode("latin-1").strip())
                with suppress(OSError):
                    self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def environ(self) -> dict[str, str]:
        """What leads there."""
        url = f"http://127.0.0.1:{self._server.server_address[1]}"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        here = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
        return {**{name: url for one in names for name in (one, one.lower())}, **here}
