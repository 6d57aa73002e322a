"""Transports for today's anthropic, openai and google-genai packages, which stand on httpx2.

    client = anthropic.Anthropic(http_client=httpx2.Client(transport=GovernedTransport(g)))

Every call is counted as its answer is read, streamed or not; while the session is stopped none is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabstop.library.extras import needed
from tabstop.library.transports import transports

with needed("httpx2"):
    import httpx2

if TYPE_CHECKING:
    from tabstop.library.governor import Governor

    class GovernedTransport(httpx2.BaseTransport):
        """Under a `httpx2.Client`. inner: what really sends; `httpx2.HTTPTransport()` where none is given."""

        def __init__(self, governor: Governor, inner: httpx2.BaseTransport | None = None) -> None:
            """Nothing is opened yet."""

    class AsyncGovernedTransport(httpx2.AsyncBaseTransport):
        """Under a `httpx2.AsyncClient`. inner: what really sends; `httpx2.AsyncHTTPTransport()` where none is given."""

        def __init__(self, governor: Governor, inner: httpx2.AsyncBaseTransport | None = None) -> None:
            """Nothing is opened yet."""

else:
    GovernedTransport, AsyncGovernedTransport = transports(httpx2)
