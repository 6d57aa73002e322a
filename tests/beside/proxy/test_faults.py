"""When things go wrong upstream: the agent gets what the vendor sent or a clear error, and what was used is never taken for nothing."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tabstop.beside.proxy import server, streams
from tabstop.session import Limits
from tabstop.usage import Tokens
from tests.beside.proxy.scene import Scene, answer, events_of, request, scene
from tests.support.fake_llm import Fault, Seen
from tests.support.llm_answers import Step

APIS = ("anthropic", "responses", "chat", "gemini")

WORST_PROMPT = 1_000
"""Tokens the smallest request is bounded by at least: what vendors add to it."""


def settled(on: Scene) -> None:
    """Nothing is held any more, and something was counted."""
    deadline = time.monotonic() + 60
    held = 1
    while held and time.monotonic() < deadline:
        time.sleep(0.01)
        with on.governed.lock:  # a call is settled under it
            held = on.proxy.meter.held.iterations
    assert held == 0


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("status", [429, 500, 529])
def test_the_vendors_errors_pass_as_they_are(api: str, status: int) -> None:
    """And cost nothing; the agent tries again as it always does."""
    with scene(lambda _seen: Step(status=status, error="overloaded"), headers={"Retry-After": "7"}) as on:
        got = on.ask(api)
        assert (got.status_code, got.headers["retry-after"]) == (status, "7")
        assert "overloaded" in got.text
        assert on.governed.state.totals.tokens == 0
        settled(on)


def test_a_vendor_that_cannot_be_reached() -> None:
    """502 in its shape, nothing used."""
    with scene() as on:
        on.fake._server.shutdown()
        on.fake._server.server_close()
        on.fake._server = _Nobody()  # type: ignore[assignment]
        got = on.ask()
        assert got.status_code == 502
        assert got.json()["error"]["type"] == "api_error"
        assert "cannot be reached" in got.json()["error"]["message"]
        assert on.governed.state.totals.tokens == 0
        other = on.client.get(f"/{on.proxy.token}/openai/v1/models")
        assert (other.status_code, "cannot be reached" in other.text) == (502, True)


class _Nobody:
    def shutdown(self) -> None:
        """It is down already."""

    def server_close(self) -> None:
        """It is down already."""


@pytest.mark.parametrize(
    ("fault", "status"),
    [(Fault("hang"), 504), (Fault("reset"), 502)],
)
@pytest.mark.parametrize("api", APIS)
def test_a_vendor_that_takes_a_call_and_never_answers(api: str, fault: Fault, status: int) -> None:
    """A clear error, and the worst case counts: it may have been worked on, and billed."""
    with scene(faults=deque([fault]), silence=0.3) as on:
        got = on.ask(api)
        assert got.status_code == status
        assert "Trying again may help." in got.json()["error"]["message"]
        totals = on.governed.state.totals
        assert totals.tokens >= WORST_PROMPT + 1_000
        assert totals.assumed == 1
        assert "was not told: it counts as its worst case" in on.said()[0]
        assert on.usages == []
        settled(on)


@pytest.mark.parametrize("how", ["reset", "hang"])
@pytest.mark.parametrize("api", ["anthropic", "responses", "chat"])
def test_a_stream_that_breaks_ends_with_an_error_the_agent_can_read(api: str, how: str) -> None:
    """Behind what was sent so far. What the vendor told of its input is taken, and reported; the rest counts at its worst."""
    with scene(answer(input=500), faults=deque([Fault(how, after=2)]), silence=0.3) as on:
        events = events_of(on.ask(api, stream=True).text)
        assert [one.tokens for one in on.usages] == ([Tokens(input=500, output=1)] if api == "anthropic" else [])
        assert len(events) == 3
        assert "Trying again may help." in str(events[-1])
        totals = on.governed.state.totals
        assert totals.assumed == 1
        assert totals.tokens == (1_500 if api == "anthropic" else totals.tokens)
        assert totals.tokens >= 1_500
        settled(on)


@pytest.mark.parametrize("api", ["anthropic", "responses"])
def test_a_stream_that_ends_half_way(api: str) -> None:
    """The agent gets just what was sent."""
    with scene(faults=deque([Fault("end", after=2)])) as on:
        assert len(events_of(on.ask(api, stream=True).text)) == 2
        assert on.governed.state.totals.assumed == 1


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_cut_off_is_cut_off(stream: bool) -> None:
    """Where no error can be put into it, the connection breaks for the agent too."""
    with scene(faults=deque([Fault("reset", after=10)]), packed=True) as on:
        if stream:
            on.fake.faults = deque([Fault("reset", after=2)])
        with pytest.raises(httpx.RemoteProtocolError):
            on.ask(stream=stream, headers={"Accept-Encoding": "gzip"})
        assert on.governed.state.totals.assumed == 1
        settled(on)


@pytest.mark.parametrize("stream", [False, True])
def test_garbage_passes_and_counts_at_its_worst(stream: bool) -> None:
    """A page of somebody's gateway where an answer was expected."""
    with scene(faults=deque([Fault("garbage")])) as on:
        assert on.ask(stream=stream).text == "<html>not what you asked for</html>"
        assert on.governed.state.totals.assumed == 1


def _without_usage(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_usage(value) if isinstance(value, dict) else value
        for name, value in answer.items()
        if name not in ("usage", "usageMetadata")
    }


def _with(**wrong: object) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def edit(answer: dict[str, Any]) -> dict[str, Any]:
        found = {name: edit(value) if isinstance(value, dict) else value for name, value in answer.items()}
        return {
            name: {**value, **wrong} if name in ("usage", "usageMetadata") and isinstance(value, dict) else value
            for name, value in found.items()
        }

    return edit


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "edit",
    [
        _without_usage,
        _with(output_tokens=-1, completion_tokens=-1, candidatesTokenCount=-1),
        _with(output_tokens="many", completion_tokens="many", candidatesTokenCount="many"),
        _with(output_tokens=10**30, completion_tokens=10**30, candidatesTokenCount=10**30),
    ],
    ids=["none", "negative", "text", "absurd"],
)
def test_usage_that_is_missing_or_none_counts_at_its_worst(
    api: str, stream: bool, edit: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """Never as nothing."""
    with scene(edit=edit) as on:
        assert on.ask(api, stream=stream).status_code == 200
        totals = on.governed.state.totals
        assert totals.assumed == 1
        assert totals.tokens >= 1_000
        settled(on)


def test_usage_beyond_what_a_request_allows_is_said() -> None:
    """It counts as the vendor says, and the session is told that its cap is not exact."""
    with scene(answer(input=90_000)) as on:
        on.ask()
        assert on.governed.state.totals.tokens == 90_050
        assert "is said to have used 90,050 tokens, more than the" in on.said()[0]


def test_a_client_that_goes_away_pays_for_what_can_have_been_written() -> None:
    """Its call is broken off upstream too. What was told of the input is taken, and as much output as time allowed."""
    with scene(answer(input=500), faults=deque([Fault("hang", after=2)]), silence=20) as on:
        with on.client.stream(
            "POST", on.path("anthropic", stream=True), json=request("anthropic", stream=True, max_tokens=100_000)
        ) as got:
            next(got.iter_raw())
        settled(on)
        totals = on.governed.state.totals
        assert totals.assumed == 1
        assert 500 < totals.tokens < 20_000


def test_a_client_that_goes_away_while_it_waits_has_used_nothing() -> None:
    """Its place is free for others."""
    go = threading.Event()

    def plan(_seen: Seen) -> Step:
        go.wait(60)
        return answer()

    with scene(plan, limits=Limits(iterations=1), silence=60) as on:
        first = threading.Thread(target=on.ask)
        first.start()
        while not on.fake.seen:
            time.sleep(0.01)
        with pytest.raises(httpx.ReadTimeout):
            on.client.post(on.path("anthropic"), json=request("anthropic"), timeout=0.2)
        go.set()
        first.join()
        settled(on)
        assert on.governed.state.totals.iterations == 1


def test_redirects_are_not_followed() -> None:
    """A key goes where it was sent, and nowhere else."""
    with scene(faults=deque([Fault("redirect")])) as on:
        got = on.ask()
        assert (got.status_code, "redirect" in got.text) == (502, True)
        assert (len(on.fake.seen), on.governed.state.totals.tokens) == (1, 0)


def test_a_request_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the vendor's shape, and not sent."""
    monkeypatch.setattr(server, "LARGEST", 1_000)
    with scene() as on:
        got = on.ask(text="x" * 2_000)
        assert (got.status_code, got.json()["error"]["type"]) == (413, "invalid_request_error")
        assert not on.fake.seen


def test_an_answer_too_long_to_be_read_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its usage is not known then."""
    monkeypatch.setattr(streams, "LARGEST", 50)
    with scene() as on:
        for stream in (False, True):
            assert on.ask("chat", stream=stream).text
        assert on.governed.state.totals.assumed == 2


def test_other_requests_that_break_off_are_cut_off() -> None:
    """As they are without a proxy."""
    with scene() as on:
        on.fake.broken = True
        with pytest.raises(httpx.RemoteProtocolError):
            on.client.get(f"/{on.proxy.token}/openai/v1/models")


def test_a_gemini_stream_that_breaks_says_so() -> None:
    """In its own shape."""
    with scene(faults=deque([Fault("cut")])) as on:
        assert events_of(on.ask("gemini", stream=True).text)[0]["error"]["status"] == "UNAVAILABLE"
