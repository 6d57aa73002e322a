"""A running proxy: in a thread of its own beside the agent, and what the agent's environment needs to find it."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.proxy.learning import Learning
from tabstop.beside.proxy.meter import Meter
from tabstop.beside.proxy.pointing import address_of, environ_for, listen
from tabstop.beside.proxy.routes import Upstreams
from tabstop.beside.proxy.server import Proxy
from tabstop.beside.proxy.upstream import SILENCE_SECONDS, Upstream
from tabstop.beside.session_folder import SessionFolder
from tabstop.governor.orders import Event


@dataclass(frozen=True, slots=True)
class RunningProxy:
    """address: `http://127.0.0.1:PORT`. token: without it nothing is answered; only this user's processes are to know it."""

    address: str
    token: str = field(repr=False)
    meter: Meter = field(repr=False)
    learning: Learning = field(repr=False)

    def base(self, provider: str) -> str:
        """The vendor's address, for an agent: `https://api.anthropic.com` is `http://127.0.0.1:PORT/TOKEN/anthropic`."""
        return f"{self.address}/{self.token}/{provider}"

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """What an agent's environment needs besides `environ`, so that it asks here."""
        return environ_for(self.address, self.token, environ)


@contextmanager
def running_proxy(
    governed: GovernedSession,
    *,
    key: bytes = b"",
    folder: SessionFolder | None = None,
    upstreams: Upstreams | None = None,
    on_event: Callable[[Event], None] = lambda _event: None,
    listener: socket.socket | None = None,
    silence: float = SILENCE_SECONDS,
    taken_up: int | None = None,
) -> Iterator[RunningProxy]:
    """Run a proxy for this session on loopback until the block ends; calls under way are cut off then, and settled.

    key: for tools' arguments, as in the session's record. folder: where what it learns is kept. on_event: for what is worth
    logging beside the governor's events, from the proxy's thread. listener: of `listen`; any free port otherwise. silence:
    seconds after which a vendor is given up. taken_up: see `Meter`. Raises `OSError`.
    """
    with closing(listener or listen()) as found:
        thread = _Thread(governed, key, folder, upstreams or Upstreams(), on_event, found, silence, taken_up)
        running = thread.begin()
        try:
            yield running
        finally:
            thread.end()


class _Thread:
    def __init__(
        self,
        governed: GovernedSession,
        key: bytes,
        folder: SessionFolder | None,
        upstreams: Upstreams,
        on_event: Callable[[Event], None],
        listener: socket.socket,
        silence: float,
        taken_up: int | None,
    ) -> None:
        self._governed = governed
        self._key = key
        self._folder = folder
        self._upstreams = upstreams
        self._on_event = on_event
        self._listener = listener
        self._silence = silence
        self._taken_up = taken_up
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="tabstop-proxy", daemon=True)
        self._running: Future[RunningProxy] = Future()

    def begin(self) -> RunningProxy:
        self._thread.start()
        return self._running.result()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except OSError as error:
            self._running.set_exception(error)
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        token = secrets.token_urlsafe(24)
        meter = Meter(self._governed, self._key, self._on_event, taken_up=self._taken_up)
        learning = Learning(self._folder, self._governed.now)
        upstream = Upstream(self._upstreams, self._silence)
        # A client that goes away cancels its call: what nobody waits for is not paid on. Bodies are unpacked by us, since
        # what is not changed goes on byte for byte.
        runner = web.AppRunner(
            Proxy(meter, upstream, learning, token).application(),
            handler_cancellation=True,
            auto_decompress=False,
            access_log=None,
            shutdown_timeout=0.1,
        )
        try:
            await runner.setup()
            await web.SockSite(runner, self._listener).start()
            self._running.set_result(RunningProxy(address_of(self._listener), token, meter, learning))
            await self._stop.wait()
        finally:
            await runner.cleanup()
            await upstream.close()
