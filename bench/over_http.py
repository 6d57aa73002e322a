"""gate.http.*, webhook.answer: milliseconds until the real server process answers, against a hello-world on its stack."""

from __future__ import annotations

import http.client
import itertools
import json
import statistics
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from bench.databases import Machine
from bench.figures import Figure, Part, say
from bench.hello import hello_server
from bench.stage import LoopbackStage, loopback_stage, signed
from bench.threads import seconds_for
from tabstop.wire import StartRequest
from tabstop.wire_json import to_json
from tests.support.github_payloads import PayloadsUnavailableError, octokit_examples

CLIENTS, REQUESTS, ROUNDS = 4, 60, 5
PULL_REQUESTS = 8
PAYLOAD_BYTES = 26_000

ROOMY = "tab: $1,000,000\nengineer: $1,000,000\nrepository: $1,000,000\n"
"""A policy under which nobody is refused, and every budget has a cap to be compared with."""


class Prepared(NamedTuple):
    """A request, ready to be sent."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"


HELLO = Prepared("/hello", {}, b"", "GET")


def parts(machine: Machine) -> list[Part]:
    """On SQLite, jobs done by the server's own thread, as it is installed."""
    return [
        Part(("gate.http.p50", "gate.http.p99", "webhook.answer"), lambda wanted: _over_http(machine.folder, wanted))
    ]


def _over_http(folder: Path, wanted: Sequence[str]) -> Iterator[Figure]:
    with loopback_stage(f"sqlite:///{folder / 'served.db'}", folder) as stage, hello_server() as hello:
        pulls = [stage.github.open_pull_request(f"claude/{n}") for n in range(PULL_REQUESTS)]
        stage.install(ROOMY)
        for pull in pulls:
            assert stage.deliver("pull_request", stage.pull_request("opened", pull))
        for pull in pulls:
            stage.eventually(
                lambda sha=pull["head"]["sha"]: stage.github.checks_on(sha),  # type: ignore[misc]
                "a pull request has no check",
            )
        if any(name.startswith("gate.http") for name in wanted):
            yield from _gate(stage, pulls, hello, wanted)
        if "webhook.answer" in wanted:
            yield from _webhook(stage, pulls[0], hello)


def _gate(stage: LoopbackStage, pulls: Sequence[Any], hello: str, wanted: Sequence[str]) -> Iterator[Figure]:
    runs = itertools.count(8_000)
    ours: list[float] = []
    floor: list[float] = []
    for number in range(ROUNDS + 1):
        starts = [[_start(stage, pulls, next(runs)) for _ in range(REQUESTS)] for _ in range(CLIENTS)]
        answered = _answered(stage.server.url, starts, 201)
        greeted = _answered(hello, [[HELLO] * REQUESTS] * CLIENTS, 200)
        if number:  # the first round warms up
            ours += answered
            floor += greeted
    for name, share in (("gate.http.p50", 50), ("gate.http.p99", 99)):
        if name in wanted:
            yield Figure(name, _percentile(ours, share), "ms", _percentile(floor, share))
    say(f"gate.http: {len(ours)} starts, longest {max(ours):.0f} ms, hello's {max(floor):.0f} ms")


def _webhook(stage: LoopbackStage, pull: Mapping[str, Any], hello: str) -> Iterator[Figure]:
    payload = _real_payload(stage, pull)
    ours: list[float] = []
    floor: list[float] = []
    for number in range(ROUNDS + 1):
        sent = [Prepared("/webhooks/github", *signed("pull_request", payload)) for _ in range(REQUESTS)]
        answered = _answered(stage.server.url, [sent], 202)
        greeted = _answered(hello, [[HELLO] * REQUESTS], 200)
        if number:
            ours += answered
            floor += greeted
    say(f"webhook.answer: {len(sent[0].body)} bytes, p99 {_percentile(ours, 99):.1f} ms")
    yield Figure("webhook.answer", statistics.median(ours), "ms", statistics.median(floor))


def _answered(url: str, work: Sequence[Sequence[Prepared]], status: int) -> list[float]:
    """Milliseconds of each request; one client per list, each on a connection of its own that stays open."""
    address = urlsplit(url).netloc
    taken: list[float] = []
    clients = [http.client.HTTPConnection(address, timeout=30) for _ in work]

    def client(number: int) -> None:
        for path, headers, body, method in work[number]:
            begun = time.perf_counter()
            clients[number].request(method, path, body or None, dict(headers))
            answer = clients[number].getresponse()
            said = answer.read()
            taken.append((time.perf_counter() - begun) * 1_000)
            assert answer.status == status, said.decode()

    try:
        seconds_for(len(work), client, lambda number: clients[number].connect())
    finally:
        for each in clients:
            each.close()
    return taken


def _start(stage: LoopbackStage, pulls: Sequence[Mapping[str, Any]], run_id: int) -> Prepared:
    """A start with a token of its own, signed before the clock runs."""
    pull = pulls[run_id % len(pulls)]
    asked = StartRequest("claude-code", pull_request=pull["number"], model="claude-sonnet-4-5", purpose="feature")
    headers = {
        "Authorization": f"Bearer {stage.token(pull, run_id)}",
        "Content-Type": "application/json",
        "Idempotency-Key": uuid.uuid4().hex,
    }
    return Prepared("/api/v1/sessions", headers, json.dumps(to_json(asked)).encode())


def _real_payload(stage: LoopbackStage, pull: Mapping[str, Any]) -> dict[str, Any]:
    """GitHub's own example nearest to 26 kB, about our pull request; without the examples one filled up to that size."""
    told = stage.pull_request("labeled", pull)
    try:
        example = min(octokit_examples("pull_request"), key=lambda found: abs(len(json.dumps(found)) - PAYLOAD_BYTES))
    except PayloadsUnavailableError as error:
        say(f"webhook.answer: a made-up payload. {error}")
        return {**told, "pull_request": {**told["pull_request"], "body": "x" * (PAYLOAD_BYTES - len(json.dumps(told)))}}
    merged: dict[str, Any] = _merged(example, told)
    merged.pop("installation", None)
    return merged


def _merged(under: Any, over: Any) -> Any:
    """`over` laid over `under`, object by object."""
    if isinstance(under, dict) and isinstance(over, Mapping):
        return {**under, **{key: _merged(under.get(key), value) for key, value in over.items()}}
    return over


def _percentile(values: Sequence[float], share: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]
