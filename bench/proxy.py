"""proxy.*: what the metering proxy adds to a model call, how many it carries, and whether its cap is ever passed."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from bench.figures import Figure, Part, in_turns, medians, say
from bench.proxied import INPUT, OUTPUT
from tests.support.server import ROOT

CALLS, REPEATS, AT_ONCE, ROUNDS = 60, 5, 64, 6
BODY_BYTES = 50_000
"""As Claude Code's first request has."""

FAR, NEAR = 10**18, 2_000_000_000
"""Caps, nano-dollars: one that is never reached, and one for about a quarter of the calls that are made."""

NAMES = ("proxy.first_byte", "proxy.call", "proxy.throughput", "proxy.overshoot")


def parts() -> list[Part]:
    """Four figures."""
    return [Part(NAMES, _measure)]


def _measure(wanted: Sequence[str]) -> Iterator[Figure]:
    with _process("bench.model_api") as model:
        with tempfile.TemporaryDirectory() as folder, _process("bench.proxied", model, folder, str(FAR)) as proxied:
            yield from _one_by_one(wanted, proxied, model)
            if "proxy.throughput" in wanted:
                value, floor = in_turns(
                    "proxy.throughput", lambda: _calls_a_second(proxied), lambda: _calls_a_second(model), 3
                )
                yield Figure("proxy.throughput", value, f"calls/s, {AT_ONCE} at once", floor)
        if "proxy.overshoot" in wanted:
            with (
                tempfile.TemporaryDirectory() as folder,
                _process("bench.proxied", model, folder, str(NEAR)) as proxied,
            ):
                yield Figure(
                    "proxy.overshoot", _overshoot(proxied, model), f"nano-dollars past the cap, {AT_ONCE} at once"
                )


def _one_by_one(wanted: Sequence[str], proxied: str, model: str) -> Iterator[Figure]:
    names = [(place, name) for place, name in enumerate(NAMES[:2]) if name in wanted]
    found = [_in_pairs(proxied, model) for _ in range(REPEATS + 1)][1:] if names else []  # the first warms up
    for place, name in names:
        value, floor = medians(name, [(ours[place], floors[place]) for ours, floors in found])
        yield Figure(name, value * 1_000, "ms", floor * 1_000)


def _in_pairs(*urls: str) -> list[tuple[float, float]]:
    """Medians of the seconds until the first byte and the end of a call, for each address, over one connection each.

    One call there, one here, so that a busy moment of the machine hits both: in series of their own they differ by what else ran.
    """

    async def go() -> list[tuple[float, float]]:
        body = _body()
        times: dict[str, list[tuple[float, float]]] = {url: [] for url in urls}
        async with aiohttp.ClientSession() as client:
            for number in range(CALLS):
                for url in urls if number % 2 else reversed(urls):
                    times[url].append(await _call(client, url, body))
        return [_medians(times[url]) for url in urls]

    return asyncio.run(go())


def _medians(times: list[tuple[float, float]]) -> tuple[float, float]:
    firsts, ends = zip(*times, strict=True)
    return statistics.median(firsts), statistics.median(ends)


def _calls_a_second(url: str) -> float:
    async def go() -> float:
        body = _body()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
            begun = time.perf_counter()
            for _ in range(ROUNDS):
                await asyncio.gather(*(_call(client, url, body) for _ in range(AT_ONCE)))
            return ROUNDS * AT_ONCE / (time.perf_counter() - begun)

    return asyncio.run(go())


def _overshoot(proxied: str, model: str) -> int:
    """By the vendor's bill, not by our own count. The vendor bills each byte as a token and up to all of the answer allowed."""

    async def go() -> tuple[int, int]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
            before = await _bill(client, model)
            bodies = [_body(1_000 + 400 * number, honest=False) for number in range(AT_ONCE)]
            for _ in range(ROUNDS):
                await asyncio.gather(*(_call(client, proxied, body) for body in bodies))
            after = await _bill(client, model)
        cost = (after["input"] - before["input"]) * INPUT + (after["output"] - before["output"]) * OUTPUT
        return cost, after["calls"] - before["calls"]

    cost, calls = asyncio.run(go())
    say(f"proxy.overshoot: {calls} of {ROUNDS * AT_ONCE} calls passed, {cost:,} of {NEAR:,} nano-dollars billed")
    return max(0, cost - NEAR)


async def _bill(client: aiohttp.ClientSession, model: str) -> dict[str, int]:
    async with client.get(f"{model}/bill") as answer:
        found: dict[str, int] = await answer.json()
        return found


async def _call(client: aiohttp.ClientSession, url: str, body: bytes) -> tuple[float, float]:
    begun = time.perf_counter()
    first = 0.0
    async with client.post(f"{url}/v1/messages", data=body, headers={"Content-Type": "application/json"}) as answer:
        assert answer.status in {200, 400}, await answer.text()
        async for _ in answer.content.iter_any():
            first = first or time.perf_counter() - begun
    return first, time.perf_counter() - begun


def _body(size: int = BODY_BYTES, *, honest: bool = True) -> bytes:
    """A request of about so many bytes. honest: billed as a prompt of some tokens, else as many as it has bytes."""
    words = "word " * 200
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": words}]} for _ in range(max(1, size // 1_050))
    ]
    more = {} if honest else {"metadata": {"user_id": "x"}}
    return json.dumps({"model": "model", "max_tokens": 2_000, "stream": True, "messages": messages, **more}).encode()


@contextmanager
def _process(module: str, *arguments: str) -> Iterator[str]:
    """Run it until the block ends; the address it prints first."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, cwd=Path(ROOT), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(10)
