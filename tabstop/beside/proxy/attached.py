"""The proxy beside an agent that `tabstop run` starts. aiohttp is needed only once one is made."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import PurePath
from typing import TYPE_CHECKING

from tabstop.beside.exit_codes import ExitCode
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.proxy.codex_config import CodexProvider, NotLedError, codex_provider
from tabstop.beside.proxy.pointing import address_of, listen
from tabstop.beside.session_folder import SessionFolder
from tabstop.beside.wrapper.opening import NotOpenedError
from tabstop.governor.orders import Event
from tabstop.wire_json import to_json

if TYPE_CHECKING:
    from tabstop.beside.proxy.running import RunningProxy


def is_installed() -> bool:
    """Whether the packages of the extra are there."""
    return find_spec("aiohttp") is not None


def check_installed() -> None:
    """Raises `NotOpenedError` where the packages of the extra are missing."""
    if not is_installed():
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
    codex: CodexProvider | None = None

    @classmethod
    def beside(cls, argv: Sequence[str], environ: Mapping[str, str]) -> ProxyAttachment:
        """One for this command line; its calls go where they would have gone. Raises `NotOpenedError` where they cannot be led."""
        if PurePath(argv[0]).name != "codex":
            return cls(environ)
        try:
            provider = codex_provider(argv, environ)
        except NotLedError as error:
            raise NotOpenedError(f"The agent was not started. {error}", ExitCode.UNBOUNDED) from error
        return cls(provider.upstream(environ), codex=provider)

    def command(self, argv: Sequence[str]) -> tuple[str, ...]:
        """The agent's command line. Only Codex's changes, at its end, where nothing overrides it: all others find the proxy by their
        environment.
        """
        if self.codex is None:
            return tuple(argv)
        end = argv.index("--") if "--" in argv else len(argv)
        leads = self.codex.arguments(address_of(self.listener), self.environ)
        return (*argv[:end], *leads, *argv[end:])

    @contextmanager
    def __call__(self, governed: GovernedSession, folder: SessionFolder) -> Iterator[Mapping[str, str]]:
        """Run it; what the agent's environment needs."""
        with self._running(governed, folder) as proxy:
            yield proxy.environ(self.environ)

    @contextmanager
    def for_last_answer(
        self, governed: GovernedSession, folder: SessionFolder, taken_up: int
    ) -> Iterator[RunningProxy]:
        """Run it for nothing but the last answer of a session. taken_up: see `Meter`."""
        with self._running(governed, folder, taken_up) as proxy:
            yield proxy

    @contextmanager
    def _running(
        self, governed: GovernedSession, folder: SessionFolder, taken_up: int | None = None
    ) -> Iterator[RunningProxy]:
        from tabstop.beside.proxy.routes import Upstreams  # noqa: PLC0415 - an extra
        from tabstop.beside.proxy.running import running_proxy  # noqa: PLC0415

        log = logger(folder)

        def on_event(event: Event) -> None:
            log(event)
            self.on_event(event)

        key = bytes.fromhex(folder.record().hmac_key)
        upstreams = Upstreams.from_environ(self.environ)
        with running_proxy(
            governed,
            key=key,
            folder=folder,
            upstreams=upstreams,
            on_event=on_event,
            listener=self.listener,
            taken_up=taken_up,
        ) as proxy:
            yield proxy


def logger(folder: SessionFolder) -> Callable[[Event], None]:
    """Writes events into the session's log."""

    def log(event: Event) -> None:
        with suppress(OSError), folder.events.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(to_json(event)) + "\n")

    return log
