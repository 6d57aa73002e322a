"""A hello-world on the server's own stack (granian, Flask, as many threads): the floor of what HTTP costs here."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
from flask import Flask
from granian import Granian
from granian.constants import Interfaces

from app.serving import THREADS
from tests.support.server import READY_SECONDS, ROOT, free_port


def create() -> Flask:
    """One route."""
    app = Flask("bench.hello")

    @app.get("/hello")
    def hello() -> str:
        return "hello"

    return app


@contextmanager
def hello_server() -> Iterator[str]:
    """Run it as a process of its own; its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([sys.executable, "-m", "bench.hello", str(port)], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                httpx.get(f"{url}/hello", timeout=2, trust_env=False)
                break
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Serve, as `app.serving` does."""
    Granian(
        "bench.hello:create",
        factory=True,
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=THREADS,
        websockets=False,
        log_access=False,
        log_enabled=False,
    ).serve()


if __name__ == "__main__":
    main()
