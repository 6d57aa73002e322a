"""Calls through the proxy, of every API, streamed or not: counted once, passed on untouched, answered byte for byte."""

from __future__ import annotations

import gzip
import json
import re

import httpx
import pytest
from backports import zstd

from tabstop.session import Limits
from tabstop.usage import Tokens
from tests.beside.proxy.scene import Scene, answer, events_of, request, scene
from tests.support.fake_llm import Seen
from tests.support.llm_answers import Step

APIS = ("anthropic", "responses", "chat", "gemini")


def direct(on: Scene, api: str, *, stream: bool) -> httpx.Response:
    """The same request without the proxy."""
    path = on.path(api, stream=stream).removeprefix(f"/{on.proxy.token}").split("/", 2)[2]
    return httpx.post(f"{on.fake.url}/{path}", json=request(api, stream=stream), trust_env=False)


def without_ids(text: str) -> str:
    """The fake numbers its answers."""
    return re.sub(r"[0-9a-f]{24}", "N", text)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_is_passed_on_and_counted(api: str, stream: bool) -> None:
    """What the vendor gets and what the agent gets is as without a proxy; what was used is known when the answer ends."""
    with scene(answer("Fine, all is done.", input=100, read=20, output=50)) as on:
        through, beside = on.ask(api, stream=stream), direct(on, api, stream=stream)
        assert through.status_code == 200
        assert without_ids(through.text) == without_ids(beside.text)
        seen = on.fake.calls()
        if api != "chat" or not stream:
            assert seen[0].raw == seen[1].raw
        totals = on.governed.state.totals
        assert (totals.tokens, totals.iterations, totals.cost) == (170, 1, 100_000 + 2_000 + 250_000)
        assert on.proxy.meter.held.iterations == 0
        assert on.usages[0].tokens == Tokens(input=100, cache_read=20, output=50)
        assert on.alerts == []


@pytest.mark.parametrize(
    ("api", "keys"),
    [
        ("anthropic", ("anthropic:msg:msg_", "anthropic:req:req_")),
        ("responses", ("openai:resp:resp_",)),
        ("chat", ("openai:chat:chatcmpl-",)),
        ("gemini", ("google:resp:g",)),
    ],
)
def test_usage_is_known_by_the_vendors_ids(api: str, keys: tuple[str, ...]) -> None:
    """Under the keys that transcripts have too, so that nothing counts twice."""
    with scene() as on:
        on.ask(api, stream=True)
        assert [key.startswith(start) for key, start in zip(on.usages[0].keys, keys, strict=True)] == [True] * len(keys)


@pytest.mark.parametrize("api", ["anthropic", "responses", "chat"])
@pytest.mark.parametrize("stream", [False, True])
def test_opencodes_calls_are_known_by_their_tools(api: str, stream: bool) -> None:
    """Its database has no other id of the vendor's. The last key says that whoever else tells of it may know none of the others."""
    tools = (("bash", {"command": "ls"}), ("read", {"filePath": "x"}))
    answers = iter((Step("", tools=tools), Step("Done."), Step("", tools=tools)))
    named = {"x-session-id": "ses_1", "user-agent": "opencode/1.18"}
    with scene(lambda _seen: next(answers)) as on:
        on.ask(api, stream=stream, headers=named)
        on.ask(api, stream=stream, headers=named)
        on.ask(api, stream=stream)
        kinds = [[key.rsplit("/", 1)[0] for key in usage.keys if "opencode" in key] for usage in on.usages]
        first = on.usages[0].keys[0]
        assert kinds[0] == ["opencode:tool:ses_1", "opencode:tool:ses_1", f"opencode:asked:{first}"]
        assert kinds[1] == [f"opencode:asked:{on.usages[1].keys[0]}"]
        assert kinds[2] == []


def test_cache_writes_count_by_their_lifetime() -> None:
    """An hour's write is not five minutes'."""
    with scene(answer(write_5m=7, write_1h=3)) as on:
        on.ask(stream=True)
        assert on.usages[0].tokens == Tokens(100, 0, 7, 3, 50)


def test_gemini_thoughts_are_output() -> None:
    """They come on top of the candidates there."""
    with scene(answer(output=50, reasoning=30)) as on:
        on.ask("gemini")
        assert on.usages[0].tokens.output == 80


def test_gemini_streams_an_array_where_nobody_asks_for_events() -> None:
    """`streamGenerateContent` without `alt=sse`."""
    with scene() as on:
        path = on.path("gemini", stream=True).removesuffix("?alt=sse")
        assert on.client.post(path, json=request("gemini")).json()[0]["responseId"]
        assert on.governed.state.totals.tokens == 150


def test_chat_usage_is_asked_for_and_kept_from_who_did_not_ask() -> None:
    """The vendor is asked for it; the agent gets the stream it asked for, also where that event comes alone."""
    with scene(delay=0.05) as on:
        events = events_of(on.ask("chat", stream=True).text)
        assert on.sent["stream_options"] == {"include_usage": True}
        assert events[-1] == "[DONE]"
        assert all(event["choices"] for event in events[:-1])
        told = events_of(on.ask("chat", stream=True, stream_options={"include_usage": True}).text)
        assert told[-2]["usage"]["completion_tokens"] == 50
        assert on.governed.state.totals.iterations == 2


def test_packed_answers_pass_as_they_are_and_are_read() -> None:
    """gzip, which nearly every client takes."""
    with scene(packed=True) as on:
        got = on.ask(stream=True)
        assert got.headers["content-encoding"] == "gzip"
        assert events_of(got.text)[-1] == {"type": "message_stop"}
        assert on.governed.state.totals.tokens == 150


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_packed_requests_are_read_and_pass_as_they_are(encoding: str, pack: object) -> None:
    """Codex packs its requests where it may."""
    with scene() as on:
        body = json.dumps(request("responses")).encode()
        got = on.client.post(on.path("responses"), content=pack(body), headers={"Content-Encoding": encoding})  # type: ignore[operator]
        assert (got.status_code, on.fake.calls()[-1].headers["Content-Encoding"]) == (200, encoding)
        assert on.sent["input"] == "hello"


@pytest.mark.parametrize(
    ("content", "headers", "why"),
    [
        (b"{", {}, "is not JSON"),
        (b"[1]", {}, "is not a JSON object"),
        (b"[" * 100_000, {}, "is not JSON"),
        (b"{}", {"Content-Encoding": "br"}, "packed as br"),
        (b"{}" * 20, {"Content-Encoding": "gzip"}, "is not gzip"),
        (gzip.compress(b"{}", mtime=0)[:-4], {"Content-Encoding": "gzip"}, "is cut off"),
        (b"{}" * 20, {"Content-Encoding": "zstd"}, "is not zstd"),
        (b'{"max_tokens": "many"}', {}, "`max_tokens` is not a whole number"),
        (b'{"max_tokens": 9000000, "messages": [], "max_tokens": 1}', {}, "the same name stands twice"),
        (b'{"messages": [{"content": [{"type": "text", "type": "image"}]}]}', {}, "the same name stands twice"),
        (b'{"messages": [{"content": %b""%b}]}' % (b'{"content": ' * 950, b"}" * 950), {}, "is nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_not_sent(content: bytes, headers: dict[str, str], why: str) -> None:
    """It could not be bounded."""
    with scene() as on:
        got = on.client.post(on.path("anthropic"), content=content, headers=headers)
        assert got.status_code == 400
        assert why in got.json()["error"]["message"]
        assert not on.fake.seen


def test_other_paths_pass_and_count_nothing() -> None:
    """Counting tokens, listing models, Codex's own reports."""
    with scene() as on:
        start = f"/{on.proxy.token}"
        counted = on.client.post(f"{start}/anthropic/v1/messages/count_tokens?beta=true", json={"model": "dear"})
        assert counted.json()["input_tokens"] == 1234
        assert on.client.get(f"{start}/openai/v1/models").status_code == 200
        assert on.client.head(f"{start}/anthropic/").status_code == 200
        assert on.client.post(f"{start}/openai/v1/analytics/codex/turn-costs", json={"a": 1}).json() == {"ok": True}
        assert [one.path for one in on.fake.seen] == [
            "/v1/messages/count_tokens?beta=true",
            "/v1/models",
            "/",
            "/v1/analytics/codex/turn-costs",
        ]
        assert on.governed.state.totals.iterations == 0
        assert on.alerts == []


def test_who_does_not_show_the_token_gets_nothing() -> None:
    """Other users of this machine can reach the port."""
    with scene() as on:
        for path in (
            "/v1/messages",
            "/wrong/anthropic/v1/messages",
            f"/{on.proxy.token}",
            f"/{on.proxy.token}/elsewhere/v1/messages",
        ):
            assert on.client.post(path, json=request("anthropic")).status_code == 404
        shown = {"X-Tabstop-Token": on.proxy.token}
        assert on.client.post("/openai/v1/responses", json=request("responses"), headers=shown).status_code == 200
        assert len(on.fake.seen) == 1
        assert "X-Tabstop-Token" not in on.fake.seen[0].headers


def test_keys_go_on_and_nothing_is_added() -> None:
    """Every header the agent sends, and no other, but for how the answer may be packed."""
    with scene() as on:
        headers = {"Authorization": "Bearer secret", "anthropic-beta": "b", "Accept-Encoding": "br", "User-Agent": "me"}
        on.ask(headers=headers)
        got = {name.lower(): value for name, value in on.fake.seen[0].headers.items()}
        assert (got["authorization"], got["anthropic-beta"], got["user-agent"]) == ("Bearer secret", "b", "me")
        assert got["accept-encoding"] == "identity"
        assert set(got) == {
            "authorization", "anthropic-beta", "user-agent", "accept-encoding", "accept", "content-type", "content-length", "host",
        }  # fmt: skip


def test_web_sockets_are_refused_so_that_codex_falls_back() -> None:
    """426, at which it goes on with HTTP."""
    with scene() as on:
        headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
        assert on.client.get(on.path("responses"), headers=headers).status_code == 426


def test_a_conversation_is_bounded_by_what_it_was_and_what_is_new() -> None:
    """The second call of a long conversation needs no more room than its last prompt and the new bytes."""
    long = "word " * 40_000

    def plan(seen: Seen) -> Step:
        return answer(input=40_000 if len(seen.raw) > 100_000 else 10, output=10)

    with scene(plan, limits=Limits(tokens=300_000)) as on:
        assert on.ask(text=long).status_code == 200
        messages = [
            {"role": "user", "content": [{"type": "text", "text": long, "cache_control": {"type": "ephemeral"}}]},
            {"role": "assistant", "content": "Fine."},
            {"role": "user", "content": "And now?"},
        ]
        first = {**request("anthropic"), "messages": [{"role": "user", "content": [{"type": "text", "text": long}]}]}
        assert on.client.post(on.path("anthropic"), json=first).status_code == 200
        assert on.client.post(on.path("anthropic"), json={**first, "messages": messages}).status_code == 200
        assert on.sent["max_tokens"] == 1_000
        assert on.ask(text=long + "!").status_code == 400
