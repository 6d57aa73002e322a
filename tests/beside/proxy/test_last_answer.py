"""A proxy for nothing but a session's last answer: one call, of a conversation that another process had."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.pricing import Pricer
from tabstop.beside.proxy.routes import Upstreams
from tabstop.beside.proxy.running import RunningProxy, running_proxy
from tabstop.governor.settings import Degradation, Exhaustion, OnLimit, Settings
from tabstop.session import Limits
from tabstop.usage import Tokens, Usage
from tests.beside.proxy.scene import CARD, PATHS, answer, request
from tests.support.fake_llm import FakeLlm
from tests.support.llm_answers import Step, Used

TOOLS: dict[str, Any] = {
    "anthropic": [{"name": "Bash", "input_schema": {}}],
    "responses": [{"type": "function", "name": "shell"}],
    "chat": [{"type": "function", "function": {"name": "shell"}}],
    "gemini": [{"functionDeclarations": [{"name": "shell"}]}],
}
ROLES = {"anthropic": "assistant", "responses": "assistant", "chat": "assistant", "gemini": "model"}
LONG = "word " * 10_000
"""50,000 bytes of a conversation that had 12,000 tokens."""


def now() -> datetime:
    return datetime.now(UTC)


def conversation(api: str) -> dict[str, Any]:
    """A long one that somebody resumes."""
    turns = [("user", LONG), (ROLES[api], "done"), ("user", "Sum up.")]
    body = request(api, tools=TOOLS[api])
    if api == "gemini":
        return {**body, "contents": [{"role": role, "parts": [{"text": text}]} for role, text in turns]}
    name = "input" if api == "responses" else "messages"
    return {**body, name: [{"role": role, "content": text} for role, text in turns]}


@contextmanager
def ending(fake: FakeLlm, tokens: int, taken_up: int) -> Iterator[tuple[GovernedSession, RunningProxy]]:
    """A session of this limit that has come to its end."""
    summing = Exhaustion(on_limit=OnLimit.SUMMARY, on_tokens=OnLimit.SUMMARY, summary_tokens=300)
    rules = Settings(
        limits=Limits(tokens=tokens), exhaustion=summing, degradation=Degradation(ladder=()), can_summarize=True
    )
    governed = GovernedSession(rules, Pricer(CARD), now)
    governed.answered(Usage(("a",), "dear", Tokens(input=12_000), now()), reserve_tokens=tokens)
    upstreams = Upstreams(fake.url, fake.url, fake.url, fake.url)
    with running_proxy(governed, upstreams=upstreams, taken_up=taken_up) as proxy:
        yield governed, proxy


def ask(proxy: RunningProxy, api: str, body: dict[str, Any]) -> httpx.Response:
    path = PATHS[api].format(model="dear")
    return httpx.post(f"{proxy.address}/{proxy.token}{path}", json=body, trust_env=False)


@pytest.mark.parametrize("api", ROLES)
def test_one_answer_of_a_conversation_it_has_not_seen(api: str) -> None:
    """What it had is known by its tokens, what is new by its bytes: so it fits, and no further call is let through."""
    with FakeLlm(plan=lambda _seen: Step("Done. " * 2_000, used=Used(13_000, output=300))) as fake:
        with ending(fake, 26_000, 13_000) as (governed, proxy):
            assert [ask(proxy, api, conversation(api)).status_code for _ in range(2)] == [200, 400]
            assert proxy.meter.last_words == "Done. " * 2_000
            assert governed.state.totals.tokens == 12_000 + 13_300
        assert len(fake.calls()) == 1
        assert LONG in fake.calls()[0].raw.decode()
        assert "One last answer" not in fake.calls()[0].raw.decode()


@pytest.mark.parametrize(("tokens", "taken_up"), [(25_000, 13_000), (26_000, 0)])
def test_one_that_does_not_fit(tokens: int, taken_up: int) -> None:
    """Nothing is sent. Of a conversation that is not known every byte counts."""
    with FakeLlm(plan=lambda _seen: answer()) as fake, ending(fake, tokens, taken_up) as (governed, proxy):
        assert "does not fit either" in ask(proxy, "anthropic", conversation("anthropic")).text
        assert not fake.calls()
        assert governed.state.stopped is not None
        assert not proxy.meter.last_came


def test_side_questions_do_not_take_its_place() -> None:
    """They offer no tools."""
    with FakeLlm(plan=lambda _seen: answer()) as fake, ending(fake, 40_000, 13_000) as (_, proxy):
        assert "Nothing but the session's last answer" in ask(proxy, "anthropic", request("anthropic")).text
        other = f"{proxy.address}/{proxy.token}/openai/v1/embeddings"
        assert "Nothing but the session's last answer" in httpx.post(other, json={}, trust_env=False).text
        assert ask(proxy, "anthropic", conversation("anthropic")).status_code == 200


def test_two_at_once_are_one() -> None:
    """However much room there is."""
    with FakeLlm(plan=lambda _seen: answer(), think=0.4) as fake, ending(fake, 400_000, 13_000) as (_, proxy):
        codes: list[int] = []
        asking = [
            threading.Thread(
                target=lambda: codes.append(ask(proxy, "anthropic", conversation("anthropic")).status_code)
            )
            for _ in range(3)
        ]
        for one in asking:
            one.start()
        for one in asking:
            one.join()
        assert sorted(codes) == [200, 400, 400]
        assert len(fake.calls()) == 1


def test_one_that_failed_may_be_tried_again() -> None:
    """Nothing was used."""
    steps = iter([Step(status=529, error="overloaded_error"), answer()])
    with FakeLlm(plan=lambda _seen: next(steps)) as fake, ending(fake, 40_000, 13_000) as (_, proxy):
        assert [ask(proxy, "anthropic", conversation("anthropic")).status_code for _ in range(3)] == [529, 200, 400]
