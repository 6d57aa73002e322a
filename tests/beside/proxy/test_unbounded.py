"""What the proxy cannot bound, count or price: it passes and is said, or is refused, as the policy has it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tabstop.governor.facts import Answer
from tabstop.governor.limits import DEFAULTS
from tabstop.governor.settings import (
    Unbounded,
    UnknownPrice,
)
from tabstop.session import Limits
from tabstop.usage import Tokens
from tests.beside.proxy.rules import NO_LADDER, settings
from tests.beside.proxy.scene import CARD, request, scene

UNBOUNDED = [
    ("anthropic", {"tools": [{"type": "web_search_20260209", "name": "web_search"}]}, "web_search_20260209"),
    ("anthropic", {"tools": [{"type": "tool_search_tool_regex_20251119", "name": "t"}]}, "tool_search_tool_regex_20251119"),
    ("anthropic", {"container": {"skills": [{"type": "anthropic", "skill_id": "xlsx"}]}}, "skills that the vendor runs"),
    ("anthropic", {"mcp_servers": [{"url": "https://example.com"}]}, "MCP servers"),
    ("anthropic", {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "url", "url": "u"}}]}]}, "a document by its URL"),
    ("anthropic", {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}]}, "a file by its id"),
    ("anthropic", {"context_management": {"edits": [{"type": "compact_20260112"}]}}, "compaction at the vendor"),
    ("responses", {"tools": [{"type": "web_search"}]}, "the tool web_search"),
    ("responses", {"conversation": "c1"}, "a conversation kept by the vendor"),
    ("responses", {"previous_response_id": "resp_unseen"}, "an earlier answer that the proxy has not seen"),
    ("responses", {"background": True}, "fetched later"),
    ("responses", {"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}, "an item kept by the vendor"),
    ("chat", {"web_search_options": {}}, "web search"),
    ("chat", {"modalities": ["text", "audio"], "audio": {"voice": "v"}}, "an answer that is audio"),
    ("chat", {"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "an earlier answer that is audio"),
    ("gemini", {"tools": [{"googleSearch": {}}]}, "googleSearch"),
    ("gemini", {"cachedContent": "c"}, "a prompt kept by the vendor"),
    ("gemini", {"contents": [{"role": "user", "parts": [{"fileData": {"fileUri": "gs://x"}}]}]}, "a file by its address"),
    ("gemini", {"systemInstruction": {"parts": [{"fileData": {"fileUri": "gs://x"}}]}}, "a file by its address"),
    ("gemini", {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}, "an answer that is image"),
]  # fmt: skip


@pytest.mark.parametrize(("api", "more", "what"), UNBOUNDED)
def test_what_cannot_be_bounded_is_marked_or_refused(api: str, more: dict[str, object], what: str) -> None:
    """As the policy says: it passes and the session is told once that its cap is not exact, or it does not pass."""
    with scene() as on:
        for _ in range(2):
            assert on.client.post(on.path(api), json={**request(api), **more}).status_code == 200
        (said,) = on.said()
        assert what in said
        assert "not exact" in said
    with scene(settings=settings(Limits(cost=10**9), unbounded=Unbounded.REFUSE)) as on:
        got = on.client.post(on.path(api), json={**request(api), **more})
        assert (got.status_code, what in got.text) == (400, True)
        assert not on.fake.seen


def test_costs_that_are_not_counted_are_marked_or_refused() -> None:
    """Batches, embeddings, images: they pass uncounted, and are said to."""
    path = "/openai/v1/embeddings"
    with scene() as on:
        assert on.client.post(f"/{on.proxy.token}{path}", json={}).status_code == 200
        assert "/v1/embeddings may cost money and is not counted" in on.said()[0]
    with scene(settings=settings(Limits(cost=10**9), unbounded=Unbounded.REFUSE)) as on:
        assert on.client.post(f"/{on.proxy.token}{path}", json={}).status_code == 400
        assert not on.fake.seen
    with scene(limits=Limits(iterations=1)) as on:
        assert on.ask().status_code == 200
        on.governed.order()
        assert on.ask().status_code == 400
        assert "iteration limit" in on.client.post(f"/{on.proxy.token}{path}", json={}).text
        assert not on.said()


@pytest.mark.parametrize(
    "path",
    [
        "/anthropic/v1/messages/",
        "/anthropic/v1/%6dessages",
        "/anthropic/v1/Messages",
        "/openai/v1/responses/",
        "/google/v1beta/models/dear%3AgenerateContent",
        "/google/v1beta/tunedModels/dear:generateContent",
        "/openai/v1/threads/runs",
        "/openai/v1/evals/x/runs",
    ],
)
def test_no_spelling_of_a_path_passes_a_cap(path: str) -> None:
    """It is a model call, and counted, or nobody knows what it is, and it is refused."""
    rules = settings(Limits(cost=2_000), unbounded=Unbounded.REFUSE)
    with scene(settings=rules) as on:
        assert on.client.post(f"/{on.proxy.token}{path}", json=request("anthropic")).status_code == 400
        assert not on.fake.seen


def test_a_refused_call_marks_nothing() -> None:
    """The cap is as exact as before."""
    with scene(settings=settings(Limits(cost=1_000), degradation=NO_LADDER)) as on:
        assert on.ask(tools=[{"type": "web_search_20260209", "name": "web_search"}]).status_code == 400
        assert not on.said()


def test_a_model_without_a_price() -> None:
    """The dearest of the card is assumed, and bound by; with `block` it is not asked at all where the cost is limited."""
    with scene(limits=Limits(cost=10**9)) as on:
        assert on.ask(model="nobody-knows").status_code == 200
        assert on.governed.state.totals.assumed == 1
    empty = replace(CARD, prices={})
    for card in (empty, CARD):  # what may be assumed of it changes nothing
        with scene(card=card, settings=settings(Limits(cost=10**9), unpriced=UnknownPrice.BLOCK)) as on:
            assert on.ask(model="nobody-knows").status_code == 400
    with scene(card=empty, settings=settings(Limits(cost=10**9), unpriced=UnknownPrice.BLOCK)) as on:
        assert "The price of dear is not known" in on.ask().json()["error"]["message"]
    with scene(card=empty, limits=Limits(cost=10**9)) as on:
        assert on.ask().status_code == 200
        assert on.governed.state.totals.unpriced == 1


def test_a_model_without_a_price_in_a_long_session() -> None:
    """The default token limit binds it, and what was used before counts; the session itself is not stopped."""
    with scene(card=replace(CARD, prices={}), limits=Limits(cost=10**9)) as on:
        on.governed.tell(Answer(on.governed.now(), "dear", Tokens(DEFAULTS.tokens or 0), 5))
        said = on.ask().json()["error"]["message"]
        assert "The next model call may use" in said
        assert "A model of this session has no known price, so the default token limit applies" in said
        assert (on.governed.state.stopped, on.fake.seen) == (None, [])


def test_a_compaction_is_taken_whole_or_not_at_all() -> None:
    """Its answer cannot be shortened, nor made a last one."""
    body = {"model": "gpt-5.5", "input": "hello"}
    with scene(limits=Limits(cost=10**9)) as on:
        path = f"{on.path('responses')}/compact"
        assert on.client.post(path, json=body).status_code == 200
        assert "max_output_tokens" not in on.fake.seen[-1].body
    with scene(limits=Limits(cost=10**8)) as on:
        assert on.client.post(f"{on.path('responses')}/compact", json=body).status_code == 400
