"""The proxy beside an agent that `tabstop run` starts. aiohttp is needed only once one is made."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import PurePath

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.proxy.pointing import address_of, codex_arguments, listen
from tabstop.beside.session_folder import SessionFolder
from tabstop.beside.wrapper.opening import NotOpenedError
from tabstop.governor.orders import Event
from tabstop.wire_json import to_json


def check_installed() -> None:
    """Raises `NotOpenedError` where the packages of the extra are missing."""
    if find_spec("aiohttp") is None:
        raise NotOpenedError("The proxy needs aiohttp. Install it with: pip install 'tabstop[proxy]'")


def _listen() -> socket.socket:
    check_installed()
    return listen()


@dataclass(frozen=True, slots=True)
class ProxyAttachment:
    """An attachment of `tabstop run`. Made before the agent's command line is, which may have to name its address.

    Raises `NotOpenedError` where the proxy is not installed. on_event: for what the proxy itself finds worth saying, besides the
    session's log.
    """

    environ: Mapping[str, str] = field(repr=False)
    on_event: Callable[[Event], None] = lambda _event: None
    listener: socket.socket = field(default_factory=_listen)

    def command(self, argv: Sequence[str]) -> tuple[str, ...]:
        """The agent's command line. Only Codex's changes: all others find the proxy by their environment."""
        if PurePath(argv[0]).name != "codex":
            return tuple(argv)
        return (argv[0], *codex_arguments(address_of(self.listener), self.environ), *argv[1:])

    @contextmanager
    def __call__(self, governed: GovernedSession, folder: SessionFolder) -> Iterator[Mapping[str, str]]:
        """Run it; what the agent's environment needs."""
        from tabstop.beside.proxy.routes import Upstreams  # noqa: PLC0415 - an extra
        from tabstop.beside.proxy.running import running_proxy  # noqa: PLC0415

        log = logger(folder)

        def on_event(event: Event) -> None:
            log(event)
            self.on_event(event)

        key = bytes.fromhex(folder.record().hmac_key)
        upstreams = Upstreams.from_environ(self.environ)
        with running_proxy(
            governed, key=key, folder=folder, upstreams=upstreams, on_event=on_event, listener=self.listener
        ) as proxy:
            yield proxy.environ(self.environ)


def logger(folder: SessionFolder) -> Callable[[Event], None]:
    """Writes events into the session's log."""

    def log(event: Event) -> None:
        with suppress(OSError), folder.events.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(to_json(event)) + "\n")

    return log
