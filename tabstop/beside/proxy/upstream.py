"""Upstream: the vendors, as the proxy asks them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from tabstop.beside.proxy.routes import Upstreams

CONNECT_SECONDS = 30.0
SILENCE_SECONDS = 600.0
"""Without a byte for so long a vendor is given up; the agents' own patience is as long."""


class Upstream:
    """Connections to the vendors. Nothing is added to a request, no redirect is followed, no cookie is kept."""

    def __init__(self, upstreams: Upstreams, silence: float = SILENCE_SECONDS) -> None:
        """To be made within a running event loop."""
        self._upstreams = upstreams
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=20),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silence),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            auto_decompress=False,
        )
        self._company = getproxies()

    def open(self, method: str, provider: str, path: str, headers: Mapping[str, str], data: bytes | None) -> Any:
        """Ask; an async context manager that gives the answer. path: with its query, as it was written.

        Raises `aiohttp.ClientError` and `asyncio.TimeoutError`.
        """
        url = URL(self._upstreams.url(provider, path, headers), encoded=True)
        return self._client.request(
            method, url, headers=headers, data=data, allow_redirects=False, proxy=self._proxy(url)
        )

    def _proxy(self, url: URL) -> str | None:
        """A company's own proxy stays on the way. aiohttp's `trust_env` would also put keys from ~/.netrc into requests."""
        found = self._company.get(url.scheme) or self._company.get("all")
        return found if found and not proxy_bypass(url.host or "") else None

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.close()


def why_no_answer(error: Exception) -> str:
    """What went wrong between here and the vendor, for people."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{error.host} cannot be reached from here ({error.os_error}). Trying again may help."
    if isinstance(error, asyncio.TimeoutError):
        return "The vendor was silent for too long, and the connection was given up. Trying again may help."
    return f"The connection to the vendor broke ({type(error).__name__}). Trying again may help."
