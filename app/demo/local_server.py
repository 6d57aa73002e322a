"""The server's application and the demo's pages on one port, in threads of this process.

`serve` uses worker processes; here GitHub and Slack are objects of this process, so the web server has to be in it too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from werkzeug.serving import make_server

from app.identity.oidc import OidcVerifier
from app.web.application import application
from app.web.metrics import meters
from app.world import World

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@contextmanager
def serving(world: World, verifier: OidcVerifier, pages: Flask, port: int) -> Iterator[None]:
    """Answer on 127.0.0.1 until the end: the demo's own paths from `pages`, everything else from the real application."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", port, _first(pages, application(world, verifier, meters())), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="web", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _first(pages: Flask, rest: Flask) -> Wsgi:
    """Whatever `pages` has a route for is its; a path both know (`/`) too."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        adapter = pages.url_map.bind_to_environ(environ)
        chosen = pages if adapter.test() else rest
        return chosen.wsgi_app(environ, start_response)

    return answer
