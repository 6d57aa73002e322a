"""A scene: a fake vendor, a governed session and a running proxy between them, and a client that asks through it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.pricing import Pricer
from tabstop.beside.proxy.routes import Upstreams
from tabstop.beside.proxy.running import RunningProxy, running_proxy
from tabstop.beside.session_folder import SessionFolder
from tabstop.governor.orders import Event
from tabstop.governor.settings import Settings
from tabstop.price_card import ModelPrice, PriceCard, Rates, Tier
from tabstop.session import Limits
from tabstop.usage import Usage
from tests.support.fake_llm import FakeLlm, Plan
from tests.support.llm_answers import Step, Used

PATHS = {
    "anthropic": "/anthropic/v1/messages",
    "responses": "/openai/v1/responses",
    "chat": "/openai/v1/chat/completions",
    "gemini": "/google/v1beta/models/{model}:generateContent",
}
STREAM = "/google/v1beta/models/{model}:streamGenerateContent?alt=sse"


def price(model: str, rate: int, output: int | None = None, window: int | None = 1_000_000) -> ModelPrice:
    """So many nano-dollars a token; cached reads a tenth, writes a quarter more or twice as much."""
    rates = Rates(
        Decimal(rate), Decimal(rate) / 10, Decimal(rate) * 5 / 4, Decimal(rate) * 2, Decimal(output or rate * 5)
    )
    return ModelPrice(
        model, model, exact=True, tiers=(Tier(0, rates),), context_window=window, web_search=Decimal(10_000_000)
    )


CARD = PriceCard(
    datetime(2026, 11, 2, tzinfo=UTC),
    {one.model: one for one in (price("dear", 1_000), price("cheap", 10), price("gpt-5.5", 1_000))},
)


def request(api: str, text: str = "hello", *, model: str = "dear", stream: bool = False, **more: Any) -> dict[str, Any]:
    """The smallest request of each API."""
    if api == "anthropic":
        return {
            "model": model,
            "max_tokens": 1_000,
            "stream": stream,
            "messages": [{"role": "user", "content": text}],
            **more,
        }
    if api == "responses":
        return {"model": model, "max_output_tokens": 1_000, "stream": stream, "input": text, **more}
    if api == "chat":
        return {
            "model": model,
            "max_tokens": 1_000,
            "stream": stream,
            "messages": [{"role": "user", "content": text}],
            **more,
        }
    return {
        "contents": [{"role": "user", "parts": [{"text": text}]}],
        "generationConfig": {"maxOutputTokens": 1_000},
        **more,
    }


@dataclass
class Scene:
    """What a test looks at."""

    fake: FakeLlm
    governed: GovernedSession
    proxy: RunningProxy
    events: list[Event]
    alerts: list[Event]
    usages: list[Usage]
    client: httpx.Client = field(repr=False)

    def path(self, api: str, model: str = "dear", *, stream: bool = False) -> str:
        path = STREAM if stream and api == "gemini" else PATHS[api]
        return f"/{self.proxy.token}{path.format(model=model)}"

    def ask(
        self,
        api: str = "anthropic",
        text: str = "hello",
        *,
        model: str = "dear",
        stream: bool = False,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """One model call through the proxy."""
        body = request(api, text, model=model, stream=stream, **more)
        return self.client.post(self.path(api, model, stream=stream), json=body, headers=headers)

    @property
    def sent(self) -> dict[str, Any]:
        """The body of the last model call the vendor got."""
        return self.fake.calls()[-1].body

    def said(self) -> list[str]:
        """What the proxy itself found worth saying."""
        return [event.finding.sentence for event in self.alerts if event.finding is not None]


def answer(text: str = "Fine.", *, input: int = 100, output: int = 50, **used: int) -> Step:  # noqa: A002 - as the vendors call it
    return Step(text, used=Used(input=input, output=output, **used))


@contextmanager
def scene(
    plan: Plan | Step | None = None,
    *,
    limits: Limits | None = None,
    settings: Settings | None = None,
    card: PriceCard = CARD,
    folder: SessionFolder | None = None,
    silence: float = 5.0,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    **fake: Any,
) -> Iterator[Scene]:
    """plan: an answer for all requests, or a function of each. silence: seconds until a vendor is given up."""
    step = plan if isinstance(plan, Step) else answer()
    events: list[Event] = []
    alerts: list[Event] = []
    usages: list[Usage] = []
    with FakeLlm(plan=plan if callable(plan) else lambda _seen: step, **fake) as vendor:
        governed = GovernedSession(
            settings or Settings(session="s1", limits=limits or Limits(cost=10**9)),
            Pricer(card),
            now,
            on_event=lambda event, _order: events.append(event),
            on_usage=usages.append,
        )
        upstreams = Upstreams(vendor.url, vendor.url, vendor.url, vendor.url)
        with (
            running_proxy(
                governed, key=b"k", folder=folder, upstreams=upstreams, on_event=alerts.append, silence=silence
            ) as proxy,
            httpx.Client(base_url=proxy.address, trust_env=False, timeout=20) as client,
        ):
            yield Scene(vendor, governed, proxy, events, alerts, usages, client)


def events_of(text: str) -> list[Any]:
    """The data of each event of a stream."""
    lines = [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]
