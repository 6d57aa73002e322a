"""Transports under the real anthropic, openai and google-genai clients: every call counts, and a stopped session makes none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from google import genai

from tabstop.library import BudgetExceeded, Governor, limits
from tabstop.library.httpx2 import AsyncGovernedTransport, GovernedTransport
from tests.library.builders import governor
from tests.library.fake_api import IN, OUT, FakeApi, response

MESSAGES: Any = [{"role": "user", "content": "go on"}]
CLAUDE, GPT, GEMINI = "claude-opus-5-5", "gpt-5.5", "gemini-2.5-pro"
RETRIES = genai.types.HttpRetryOptions(attempts=3)


def claude(http: httpx2.Client) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="k", base_url="http://api.test", http_client=http, max_retries=3)


def gpt(http: httpx2.Client) -> openai.OpenAI:
    return openai.OpenAI(api_key="k", base_url="http://api.test/v1", http_client=http, max_retries=3)


def gemini(http: httpx2.Client) -> genai.Client:
    options = genai.types.HttpOptions(httpx_client=http, base_url="http://api.test", retry_options=RETRIES)
    return genai.Client(api_key="k", http_options=options)


def claude_stream(http: httpx2.Client) -> None:
    with claude(http).messages.stream(model=CLAUDE, max_tokens=100, messages=MESSAGES) as stream:
        assert stream.get_final_text() == "done"


def chat_stream(http: httpx2.Client) -> None:
    for chunk in gpt(http).chat.completions.create(model=GPT, messages=MESSAGES, stream=True):
        assert chunk.choices, "a program that never asked for usage gets no chunk without choices"


def response_stream(http: httpx2.Client) -> None:
    list(gpt(http).responses.create(model=GPT, input="go on", stream=True))


def gemini_stream(http: httpx2.Client) -> None:
    list(gemini(http).models.generate_content_stream(model=GEMINI, contents="go on"))


CALLS: dict[str, Callable[[httpx2.Client], Any]] = {
    "anthropic": lambda http: claude(http).messages.create(model=CLAUDE, max_tokens=100, messages=MESSAGES),
    "anthropic, streamed": claude_stream,
    "openai chat": lambda http: gpt(http).chat.completions.create(model=GPT, messages=MESSAGES),
    "openai chat, streamed": chat_stream,
    "openai responses": lambda http: gpt(http).responses.create(model=GPT, input="go on"),
    "openai responses, streamed": response_stream,
    "google-genai": lambda http: gemini(http).models.generate_content(model=GEMINI, contents="go on"),
    "google-genai, streamed": gemini_stream,
}


def over(g: Governor, api: FakeApi) -> httpx2.Client:
    return httpx2.Client(transport=GovernedTransport(g, httpx2.MockTransport(api)))


@pytest.mark.parametrize("client", CALLS)
def test_every_call_is_counted(client: str) -> None:
    """Streamed or not, whichever client makes it; the program itself says nothing."""
    api = FakeApi(httpx2)
    with governor(limits(tokens=100_000)) as g, over(g, api) as http:
        CALLS[client](http)
        assert (g.totals.iterations, g.totals.tokens) == (1, IN + OUT)
        assert g.totals.cost > 0
        assert g.totals.assumed == 0


@pytest.mark.parametrize("client", CALLS)
def test_a_stopped_session_makes_no_call_and_no_client_tries_again(client: str) -> None:
    """The refusal has the vendor's own shape, says why, and is not met with a retry; it leaves the block as our stop."""
    api = FakeApi(httpx2)

    def call_twice() -> None:
        with governor(limits(iterations=1)) as g, over(g, api) as http:
            CALLS[client](http)
            with pytest.raises(
                (anthropic.BadRequestError, openai.BadRequestError, genai.errors.ClientError)
            ) as refused:
                CALLS[client](http)
            assert "BUDGET_EXCEEDED" in str(refused.value)
            assert isinstance(g.stop_behind(refused.value), BudgetExceeded)
            raise refused.value

    with pytest.raises(BudgetExceeded, match=r"^BUDGET_EXCEEDED: .*iteration limit: 1 of 1"):
        call_twice()
    assert len(api.asked) == 1


async def aclaude(http: httpx2.AsyncClient) -> None:
    client = anthropic.AsyncAnthropic(api_key="k", base_url="http://api.test", http_client=http)
    async with client.messages.stream(model=CLAUDE, max_tokens=100, messages=MESSAGES) as stream:
        assert await stream.get_final_text() == "done"


async def agpt(http: httpx2.AsyncClient) -> None:
    client = openai.AsyncOpenAI(api_key="k", base_url="http://api.test/v1", http_client=http)
    async for chunk in await client.chat.completions.create(model=GPT, messages=MESSAGES, stream=True):
        assert chunk.choices


async def agemini(http: httpx2.AsyncClient) -> None:
    options = genai.types.HttpOptions(httpx_async_client=http, base_url="http://api.test")
    client = genai.Client(api_key="k", http_options=options)
    await client.aio.models.generate_content(model=GEMINI, contents="go on")
    client.close()


@pytest.mark.parametrize("call", [aclaude, agpt, agemini])
def test_tasks_are_governed_alike(call: Callable[[httpx2.AsyncClient], Any]) -> None:
    """Async clients over the async transport: counted, then refused once, and the block ends with our stop."""
    api = FakeApi(httpx2)

    async def run() -> None:
        async with governor(limits(iterations=1)) as g:
            transport = AsyncGovernedTransport(g, httpx2.MockTransport(api))
            async with httpx2.AsyncClient(transport=transport) as http:
                await call(http)
                assert g.totals.tokens == IN + OUT
                await call(http)

    with pytest.raises(BudgetExceeded):
        asyncio.run(run())
    assert len(api.asked) == 1


def test_usage_is_asked_for_where_the_vendor_would_tell_none() -> None:
    """OpenAI's chat streams tell usage only when asked; nothing else of a request is changed."""
    api = FakeApi(httpx2)
    with governor() as g, over(g, api) as http:
        chat_stream(http)
        gpt(http).chat.completions.create(model=GPT, messages=MESSAGES)
    assert api.asked[0][1] == {
        "model": GPT,
        "messages": MESSAGES,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert api.asked[1][1] == {"model": GPT, "messages": MESSAGES}
    assert [one["accept-encoding"] for one in api.headers] == ["identity", "gzip, deflate"]


def test_a_program_that_asks_for_usage_gets_it() -> None:
    """Its own wish is left as it is, chunk without choices included."""
    with governor() as g, over(g, FakeApi(httpx2)) as http:
        chunks = list(
            gpt(http).chat.completions.create(
                model=GPT, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
            )
        )
    assert chunks[-1].usage is not None
    assert g.totals.tokens == IN + OUT


def test_a_stream_that_is_left_half_way_is_not_free(caplog: pytest.LogCaptureFixture) -> None:
    """What was told counts, the rest by its length; people are told."""
    with governor() as g, over(g, FakeApi(httpx2)) as http:
        with http.stream("POST", "http://api.test/v1/messages", json={"model": CLAUDE, "stream": True}) as answer:
            next(answer.iter_text(400))
        assert g.totals.tokens > IN
        assert g.totals.assumed == 1
    assert "told no usage; such are counted by their length" in caplog.text


def test_a_whole_answer_without_usage_is_not_free(caplog: pytest.LogCaptureFixture) -> None:
    """Some servers that speak OpenAI's language tell none: the length of question and answer counts."""
    api = FakeApi(httpx2)
    api.tells_usage = False
    with governor() as g, over(g, api) as http:
        gpt(http).chat.completions.create(model="gpt-5.5", messages=[{"role": "user", "content": "x" * 3_000}])
        assert g.totals.tokens > 1_000
    assert "counted by their length" in caplog.text


def test_an_answer_in_a_compression_we_did_not_ask_for_is_not_free() -> None:
    """It passes through untouched and counts by its length."""

    def packed(_request: httpx2.Request) -> httpx2.Response:
        body = httpx2.ByteStream(b"\x1f\x8b not really")
        return httpx2.Response(200, headers={"content-encoding": "x-own"}, stream=body)

    with governor() as g, httpx2.Client(transport=GovernedTransport(g, httpx2.MockTransport(packed))) as http:
        http.post("http://api.test/v1/messages", json={"model": CLAUDE, "messages": MESSAGES})
        assert g.totals.iterations == 1


def test_an_answer_that_was_read_already_counts() -> None:
    """As a cache or a mock gives it."""

    def ready(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"id": "msg_1", "type": "message", "model": CLAUDE, "usage": {"input_tokens": 5, "output_tokens": 1}})  # fmt: skip

    async def run(g: Governor) -> None:
        async with httpx2.AsyncClient(transport=AsyncGovernedTransport(g, httpx2.MockTransport(ready))) as http:
            await http.post("http://api.test/v1/messages", json={"model": CLAUDE})

    with governor() as g, httpx2.Client(transport=GovernedTransport(g, httpx2.MockTransport(ready))) as http:
        http.post("http://api.test/v1/messages", json={"model": CLAUDE})
        assert g.totals.tokens == 6
        asyncio.run(run(g))
        assert g.totals.tokens == 6, "the same answer again"


def test_a_background_answer_counts_when_it_is_there() -> None:
    """OpenAI answers a background request before the model does."""

    def queued(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"id": "resp_1", "object": "response", "status": "queued", "usage": None})

    with governor() as g, httpx2.Client(transport=GovernedTransport(g, httpx2.MockTransport(queued))) as http:
        http.post("http://api.test/v1/responses", json={"model": GPT, "background": True})
        assert g.totals.iterations == 0
        done = httpx2.MockTransport(lambda _request: httpx2.Response(200, json=response(1)))
        with httpx2.Client(transport=GovernedTransport(g, done)) as later:
            later.get("http://api.test/v1/responses/resp_1")
            later.get("http://api.test/v1/responses/resp_1")
        assert (g.totals.iterations, g.totals.tokens) == (1, IN + OUT)


def test_a_call_that_fails_is_told_and_costs_nothing() -> None:
    """Errors of the vendor and of the network: the governor hears of both, the program gets them as they are."""

    def gone(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no route", request=request)

    async def run(g: Governor) -> None:
        async with httpx2.AsyncClient(transport=AsyncGovernedTransport(g, httpx2.MockTransport(gone))) as http:
            await http.post("http://api.test/v1/messages", json={"model": CLAUDE})

    api = FakeApi(httpx2)
    api.fails = [429]
    with governor() as g, over(g, api) as http:
        with pytest.raises(anthropic.RateLimitError):
            CALLS["anthropic"](http)
        waiting = g.governed.state.watched.seen.waiting
        assert waiting.failures == 1
        assert waiting.until is not None
        with (
            httpx2.Client(transport=GovernedTransport(g, httpx2.MockTransport(gone))) as broken,
            pytest.raises(anthropic.APIConnectionError),
        ):
            anthropic.Anthropic(
                api_key="k", base_url="http://api.test", http_client=broken, max_retries=0
            ).messages.create(model=CLAUDE, max_tokens=9, messages=MESSAGES)
        with pytest.raises(httpx2.ConnectError):
            asyncio.run(run(g))
        assert g.governed.state.watched.seen.waiting.failures == 3
        assert g.totals.iterations == 0


def test_what_is_free_is_never_refused_and_what_is_unknown_is(caplog: pytest.LogCaptureFixture) -> None:
    """A stopped session may list models and count tokens; an embedding it may not, and that one is not counted is said."""
    api = FakeApi(httpx2)
    with governor(limits(iterations=1)) as g, over(g, api) as http:
        http.post("http://api.test/v1/embeddings", json={"input": "x"})
        assert "/v1/embeddings are not counted" in caplog.text
        CALLS["anthropic"](http)
        assert http.get("http://api.test/v1/models").status_code == 200
        assert http.post("http://api.test/v1/messages/count_tokens", json={}).status_code == 200
        refused = http.post("http://api.test/v1/embeddings", json={"input": "x"})
        assert refused.status_code == 400
        assert refused.headers["x-should-retry"] == "false"
        assert refused.json()["error"]["message"].startswith("BUDGET_EXCEEDED")


def test_a_free_call_of_a_task_and_a_broken_one_pass() -> None:
    """Nothing is counted, nothing is told."""

    def gone(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no route", request=request)

    async def run(g: Governor, api: FakeApi) -> None:
        async with httpx2.AsyncClient(transport=AsyncGovernedTransport(g, httpx2.MockTransport(api))) as http:
            assert (await http.get("http://api.test/v1/models")).status_code == 200

    with governor(limits(iterations=1)) as g:
        asyncio.run(run(g, FakeApi(httpx2)))
        with (
            httpx2.Client(transport=GovernedTransport(g, httpx2.MockTransport(gone))) as http,
            pytest.raises(httpx2.ConnectError),
        ):
            http.get("http://api.test/v1/models")
        assert g.governed.state.watched.seen.waiting.failures == 0


def test_claude_on_vertex_is_counted() -> None:
    """Its model is in the path; its answers are Anthropic's own."""
    path = "/v1/projects/p/locations/l/publishers/anthropic/models/claude-opus-5-5:rawPredict"
    answer = {"id": "msg_1", "type": "message", "model": CLAUDE, "usage": {"input_tokens": 5, "output_tokens": 1}}
    vertex = httpx2.MockTransport(lambda _request: httpx2.Response(200, json=answer))
    with governor() as g, httpx2.Client(transport=GovernedTransport(g, vertex)) as http:
        http.post(f"http://api.test{path}", json={"messages": []})
        assert g.totals.tokens == 6


def test_a_request_that_cannot_be_read_goes_to_the_vendor() -> None:
    """It knows best what is wrong with it."""
    seen: list[bytes] = []

    def strict(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.content)
        return httpx2.Response(400, json={"error": {"message": "not JSON"}})

    with governor() as g, httpx2.Client(transport=GovernedTransport(g, httpx2.MockTransport(strict))) as http:
        http.post("http://api.test/v1/messages", content=b"{", headers={"content-type": "application/json"})
    assert seen == [b"{"]


def test_gemini_streams_a_list_where_no_events_are_asked_for() -> None:
    """The last of the list tells what all of it used."""

    def listed(_request: httpx2.Request) -> httpx2.Response:
        used = {"promptTokenCount": 7, "candidatesTokenCount": 2, "totalTokenCount": 9}
        chunk = {
            "responseId": "g1",
            "modelVersion": GEMINI,
            "candidates": [{"finishReason": "STOP"}],
            "usageMetadata": used,
        }
        return httpx2.Response(200, json=[chunk])

    with governor() as g, httpx2.Client(transport=GovernedTransport(g, httpx2.MockTransport(listed))) as http:
        http.post(f"http://api.test/v1beta/models/{GEMINI}:streamGenerateContent", json={"contents": []})
        assert g.totals.tokens == 9


def test_without_an_inner_transport_it_sends_by_itself() -> None:
    """The default is the library's own; closing the client closes it."""
    with governor() as g:
        httpx2.Client(transport=GovernedTransport(g)).close()
        asyncio.run(httpx2.AsyncClient(transport=AsyncGovernedTransport(g)).aclose())
