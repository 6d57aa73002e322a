"""Telemetry that was cut, mixed up or made to do harm: each body is read, or refused as a whole, and what is read can be stored."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from itertools import zip_longest

import pytest

from app.web.otlp_body import JSON, PROTOBUF, TooLargeError, UnreadableError, records_in
from tabstop.agents.claude_code.rows import RowError
from tabstop.agents.otlp import heard
from tabstop.agents.telemetry import Heard
from tests.agents.test_hostile_logs import mutated
from tests.support.otlp import as_protobuf, sent_by

ROUNDS = 60
BODIES = [(client, number) for client in ("claude", "gemini", "codex") for number in range(len(sent_by(client)))]

_VALUE = re.compile(rb'"(?:\\.|[^"\\])*"(?!\s*:)|-?\d+(?:\.\d+)?')
_ODD = (
    b'"Infinity"', b"NaN", b"1e400", b"-1", b"null", b"[]", b"{}", b'"\\ud800"', b'"\\u0000"', b"99999999999999999999999",
    b"true", b"1.5", b'"-5"', b'"1e9"', '"²"'.encode(), '"٣"'.encode(),
)  # fmt: skip


def with_odd_values(body: bytes, chance: random.Random) -> bytes:
    """A few values of the JSON are others, none of which a client would send."""
    values = list(_VALUE.finditer(body))
    for one in sorted(chance.sample(values, min(len(values), chance.randint(1, 6))), key=lambda one: -one.start()):
        body = body[: one.start()] + chance.choice(_ODD) + body[one.end() :]
    return body


def told_by(body: bytes, kind: str) -> Iterator[Heard]:
    """What is read of it, as the receiver reads it; nothing of a body that is refused."""
    try:
        records = list(records_in(body, kind))
    except (UnreadableError, TooLargeError):
        return
    for record, after in zip_longest(records, records[1:]):
        try:
            found = heard(record, after)
        except RowError:
            continue
        if found is not None:
            yield found


def check(found: Heard) -> None:
    """A usage has keys, counts that are none below zero, a moment, and texts that any database takes."""
    texts = [found.session]
    if found.usage is not None:
        usage, counts = found.usage, found.usage.tokens
        assert usage.keys
        assert min(counts.input, counts.output, counts.cache_read, counts.cache_write_5m, counts.cache_write_1h) >= 0
        assert usage.occurred_at.tzinfo is not None
        texts += [*usage.keys, usage.model, usage.thread, usage.evidence.repository, usage.evidence.branch]
    for text in texts:
        assert "\0" not in text
        text.encode()


@pytest.mark.parametrize(("client", "number"), BODIES)
def test_damaged_bodies(client: str, number: int) -> None:
    """Bytes changed, cut and swapped, in both encodings, and odd values in the JSON."""
    chance, body = random.Random(number), sent_by(client)[number]
    plain = json.dumps(body).encode()
    assert list(told_by(plain, JSON)) or client == "codex"
    bodies = [(plain, JSON)] if "traceId" in plain.decode() else [(plain, JSON), (as_protobuf(body), PROTOBUF)]
    for _ in range(ROUNDS):
        content, kind = chance.choice(bodies)
        odd = kind == JSON and chance.random() < 0.7
        for found in told_by(with_odd_values(content, chance) if odd else mutated(content, chance), kind):
            check(found)
