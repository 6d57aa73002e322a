"""The same transports for clients that stand on httpx."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from google import genai

from tabstop.library import BudgetExceeded, limits
from tabstop.library.httpx import AsyncGovernedTransport, GovernedTransport
from tests.library.builders import governor
from tests.library.fake_api import IN, OUT, FakeApi


def test_a_client_on_httpx_is_counted_and_refused() -> None:
    """google-genai still takes one; a plain client is governed alike."""
    api = FakeApi(httpx)

    def run() -> None:
        with governor(limits(iterations=2)) as g:
            http = httpx.Client(transport=GovernedTransport(g, httpx.MockTransport(api)))
            http.post("http://api.test/v1/messages", json={"model": "claude-opus-5-5"})
            options = genai.types.HttpOptions(httpx_client=http, base_url="http://api.test")
            client = genai.Client(api_key="k", http_options=options)
            client.models.generate_content(model="gemini-2.5-pro", contents="go on")
            assert g.totals.tokens == 2 * (IN + OUT)
            client.models.generate_content(model="gemini-2.5-pro", contents="go on")

    with pytest.raises(BudgetExceeded):
        run()
    assert len(api.asked) == 2


def test_tasks_too() -> None:
    """The async transport on httpx.AsyncClient."""

    async def run() -> int:
        async with governor() as g:
            transport = AsyncGovernedTransport(g, httpx.MockTransport(FakeApi(httpx)))
            async with httpx.AsyncClient(transport=transport) as http:
                await http.post("http://api.test/v1/chat/completions", json={"model": "gpt-5.5", "stream": True})
            return g.totals.tokens

    assert asyncio.run(run()) == IN + OUT
