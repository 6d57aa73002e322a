"""Transports for clients that stand on httpx, such as anthropic and openai before they moved to httpx2.

    client = anthropic.Anthropic(http_client=httpx.Client(transport=GovernedTransport(g)))

Every call is counted as its answer is read, streamed or not; while the session is stopped none is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabstop.library.extras import needed
from tabstop.library.transports import transports

with needed("httpx"):
    import httpx

if TYPE_CHECKING:
    from tabstop.library.governor import Governor

    class GovernedTransport(httpx.BaseTransport):
        """Under a `httpx.Client`. inner: what really sends; `httpx.HTTPTransport()` where none is given."""

        def __init__(self, governor: Governor, inner: httpx.BaseTransport | None = None) -> None:
            """Nothing is opened yet."""

    class AsyncGovernedTransport(httpx.AsyncBaseTransport):
        """Under a `httpx.AsyncClient`. inner: what really sends; `httpx.AsyncHTTPTransport()` where none is given."""

        def __init__(self, governor: Governor, inner: httpx.AsyncBaseTransport | None = None) -> None:
            """Nothing is opened yet."""

else:
    GovernedTransport, AsyncGovernedTransport = transports(httpx)
