"""Telemetry that is refused, on both databases: in the protocol's own words, and so that clients repeat what may go well the next time."""

from __future__ import annotations

import gzip
import io
import json
import re
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import exc
from werkzeug.test import TestResponse

from app.api.report import MOST_CALLS
from app.store.engine import DatabaseUrlError
from app.web.otlp import AT_ONCE
from app.web.otlp_body import JSON, MOST_PARTS, MOST_SENT, MOST_UNPACKED, PROTOBUF
from tests.support.otlp import a_body, a_call
from tests.web.conftest import EACH_DATABASE, Bench, json_of
from tests.web.test_otlp import post, sessions, usages

pytestmark = EACH_DATABASE


def of_many(part: bytes, *, inside: int) -> bytes:
    """As protobuf: more parts than are looked at, each with next to nothing in it, within so many others."""
    body = part * (MOST_PARTS // 2 + 1)
    for number in (2, 2, 1)[3 - inside :]:
        length, size = len(body), b""
        while length > 0x7F:
            size += bytes([length & 0x7F | 0x80])
            length >>= 7
        body = bytes([number << 3 | 2]) + size + bytes([length]) + body
    return body * 2


def in_json(parts: str, *around: str) -> bytes:
    """The same as JSON: so many parts in the list that these names lead to."""
    body = "[" + ",".join([parts] * (MOST_PARTS + 1)) + "]"
    for name in around:
        body = f'[{{"{name}": {body}}}]'
    return body[1:-1].encode()


OF_NOTHING = [
    (PROTOBUF, of_many(b"\x0a\x00", inside=0)),
    (PROTOBUF, of_many(b"\x12\x00", inside=1)),
    (PROTOBUF, of_many(b"\x12\x00", inside=2)),
    (PROTOBUF, of_many(b"\x32\x00", inside=3)),
    (JSON, in_json("1", "resourceLogs")),
    (JSON, in_json("1", "logRecords", "scopeLogs", "resourceLogs")),
    (JSON, in_json("1", "attributes", "logRecords", "scopeLogs", "resourceLogs")),
]
"""Bodies that are small and take long."""


def said(answer: TestResponse) -> str:
    """The message of a `google.rpc.Status`, in either encoding."""
    if answer.mimetype == JSON:
        return str(json_of(answer)["message"])
    found = re.fullmatch(rb"\x12[\x00-\x7f\x80-\xff]{1,2}([^\x00-\x1f].*)", answer.data, re.DOTALL)
    assert found
    return found[1].decode()


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"token": ""}, 401, "No token was sent"),
        ({"token": "tabstop_eng_" + "0" * 64}, 401, "unknown or revoked"),
        ({"token": "a.b.c"}, 401, "Only an engineer may do this"),
        ({"body": b"{", "kind": JSON}, 400, "This is not OTLP: the body is not JSON."),
        ({"body": b"[" * 100_000, "kind": JSON}, 400, "This is not OTLP"),
        ({"body": b'{"resourceLogs": ' + b"9" * 5_000 + b"}", "kind": JSON}, 400, "This is not OTLP"),
        ({"body": b"\xff" * 50}, 400, "not an ExportLogsServiceRequest"),
        ({"kind": "text/plain"}, 415, "content type 'text/plain'"),
        ({"headers": {"Content-Encoding": "br"}}, 415, "Send gzip, or none."),
        ({"headers": {"Content-Encoding": "gzip"}}, 400, "the body is not gzip"),
        ({"body": gzip.compress(b"x" * 99)[:-9], "headers": {"Content-Encoding": "gzip"}}, 400, "ends before its gzip"),
        ({"body": b" " * (MOST_SENT + 1)}, 413, "too much telemetry"),
        (
            {"body": gzip.compress(b" " * (MOST_UNPACKED + 1)), "headers": {"Content-Encoding": "gzip"}},
            413,
            "8 MiB unpacked",
        ),
        (
            {
                "body": gzip.compress(b" " * MOST_UNPACKED) + gzip.compress(b" "),
                "headers": {"Content-Encoding": "gzip"},
            },
            413,
            "8 MiB unpacked",
        ),
        (
            {"body": gzip.compress(b"") * 101, "headers": {"Content-Encoding": "gzip"}},
            400,
            "too many gzip members",
        ),
        *(({"body": body, "kind": kind}, 413, "too much telemetry") for kind, body in OF_NOTHING),
    ],
)
def test_what_is_refused(bench: Bench, changes: dict[str, Any], status: int, message: str) -> None:
    """In the protocol's own words, with a status that a client does not repeat; never the server's mistake."""
    given = {"body": a_body(a_call(bench.clock.now)), "kind": PROTOBUF, **changes}
    body, kind = given.pop("body"), given.pop("kind")
    answer = post(bench, body, kind, **given)
    assert (answer.status_code, answer.mimetype) == (status, PROTOBUF if kind == PROTOBUF else JSON)
    assert message in said(answer)
    assert "Retry-After" not in answer.headers
    assert sessions(bench) == []


def test_a_token_that_may_not(bench: Bench) -> None:
    """`telemetry` or `start` it takes, for metrics too; and `telemetry` starts nothing."""
    read = bench.engineer_token("alice", "read", "approve")
    for signal in ("logs", "metrics"):
        answer = post(bench, a_body(), token=read, path=f"/v1/{signal}")
        assert (answer.status_code, said(answer)) == (
            403, "This engineer token is not good for `telemetry`. It has: read, approve.",
        )  # fmt: skip
    narrow = bench.engineer_token("alice", "telemetry")
    assert bench.start(token=narrow, repository="acme/widget").status_code == 403


@pytest.mark.parametrize(("size", "status"), [(0, 200), (MOST_SENT, 413)])
def test_a_body_without_a_length(bench: Bench, size: int, status: int) -> None:
    """Gemini CLI sends in chunks: read to its end, and no further than is allowed."""
    body = json.dumps(a_body(a_call(bench.clock.now))).encode() + b" " * size
    answer = bench.client.post(
        "/v1/logs",
        input_stream=io.BytesIO(body),
        content_type=JSON,
        environ_overrides={"wsgi.input_terminated": True},
        headers={"Authorization": f"Bearer {bench.engineer_token('alice', 'telemetry')}"},
    )
    assert (answer.status_code, len(usages(bench))) == (status, int(status == 200))


def test_a_client_that_is_gone(bench: Bench) -> None:
    """In the middle of its body: nothing is stored, and nothing is our mistake."""
    answer = bench.client.post(
        "/v1/logs",
        input_stream=io.BytesIO(b'{"resourceLogs": ['),
        content_type=JSON,
        environ_overrides={"CONTENT_LENGTH": "10000"},
        headers={"Authorization": f"Bearer {bench.engineer_token('alice', 'telemetry')}"},
    )
    assert (answer.status_code, sessions(bench)) == (400, [])
    assert said(answer) == "Bad Request"


def test_gzip_of_several_members(bench: Bench) -> None:
    """Is one body."""
    body = json.dumps(a_body(a_call(bench.clock.now))).encode()
    packed = gzip.compress(body[:100]) + gzip.compress(body[100:])
    assert post(bench, packed, headers={"Content-Encoding": "gzip"}).status_code == 200
    assert len(usages(bench)) == 1


@pytest.mark.parametrize(
    "body",
    [
        [], None, 7, {"resourceLogs": None}, {"resourceLogs": [7, {"scopeLogs": {}}]},
        {"resourceLogs": [{"resource": [], "scopeLogs": [{"scope": 5, "logRecords": ["x", {"body": 3, "attributes": [4]}]}]}]},
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"eventName": "gemini_cli.api_response"}]}]}]},
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [
            {"body": {"stringValue": "claude_code.api_request"}, "timeUnixNano": "9" * 30, "attributes": [
                {"key": "session.id"}, {"key": ["x"], "value": {}}, {"key": "model", "value": {"arrayValue": {}}}]}]}]}]},
    ],
)  # fmt: skip
def test_shapes_nobody_sends(bench: Bench, body: object) -> None:
    """Are empty requests, or records that are rejected; nothing of them is stored."""
    assert post(bench, json.dumps(body).encode()).status_code == 200
    assert usages(bench) == []


def test_too_many_calls_at_once(bench: Bench) -> None:
    """Are refused as a whole, before anything is stored."""
    calls = [a_call(bench.clock.now, f"req_{number}") for number in range(MOST_CALLS + 1)]
    answer = post(bench, a_body(*calls))
    assert (answer.status_code, sessions(bench)) == (413, [])


def test_the_gate_keeps_its_threads(bench: Bench) -> None:
    """More telemetry at once than there are turns for is to be sent again a second later."""
    inside, over = threading.Barrier(AT_ONCE + 1), threading.Event()
    price = bench.world.price

    def slowly(*given: Any) -> Any:
        inside.wait(10)
        over.wait(10)
        return price(*given)

    object.__setattr__(bench.world, "price", slowly)
    token, now = bench.engineer_token("alice", "telemetry"), bench.clock.now
    busy = [
        threading.Thread(
            target=post, args=(bench, a_body(a_call(now, f"r{n}", session__id=f"s{n}"))), kwargs={"token": token}
        )
        for n in range(AT_ONCE)
    ]
    for one in busy:
        one.start()
    inside.wait(10)
    answer = post(bench, a_body(a_call(now)), token=token)
    over.set()
    for one in busy:
        one.join(10)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert len(usages(bench)) == AT_ONCE


def fails(bench: Bench, error: Exception) -> TestResponse:
    """What a client hears whose token cannot be looked up."""

    def raising(_token: str) -> None:
        raise error

    object.__setattr__(bench.world.store, "engineer_token", raising)
    return post(bench, a_body(a_call(bench.clock.now)), token="tabstop_eng_" + "0" * 64)


@pytest.mark.parametrize(
    "error",
    [
        DatabaseUrlError("sqlite:///gone"),
        exc.OperationalError("SELECT 1", {}, Exception("database is locked")),
        exc.InterfaceError("SELECT 1", {}, Exception("connection already closed")),
        exc.TimeoutError("QueuePool limit of size 5 overflow 35 reached"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_database_that_is_away(bench: Bench, error: Exception) -> None:
    """Is the one thing that is to be sent again for."""
    answer = fails(bench, error)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "15")


@pytest.mark.parametrize(
    "error", [exc.DataError("INSERT", {}, Exception("a NUL")), KeyError("x")], ids=["data", "mistake"]
)
def test_a_mistake_of_ours(bench: Bench, error: Exception) -> None:
    """Would be made again: clients are not asked to send it again, and the people who run the server find it in the log."""
    answer = fails(bench, error)
    assert (answer.status_code, "Retry-After" in answer.headers) == (500, False)
    assert said(answer) == "The server made a mistake; its log says which. This telemetry is not kept."


def test_an_organization_that_left(bench: Bench) -> None:
    """Has its telemetry refused for good."""
    with bench.world.store.open(bench.organization.id) as books:
        books.save_organization(replace(bench.organization, installation_id=None))
    answer = post(bench, a_body(a_call(bench.clock.now)))
    assert (answer.status_code, "Retry-After" in answer.headers) == (403, False)


def test_times_that_cannot_be(bench: Bench) -> None:
    """A clock that is wrong moves nothing into another year: at most 35 days back, and never ahead."""
    token, now = bench.engineer_token("alice", "telemetry"), bench.clock.now
    post(bench, a_body(a_call(now + timedelta(days=400), "a"), a_call(now - timedelta(days=400), "b")), token=token)
    assert sorted(row.occurred_at for row, *_ in usages(bench)) == [now - timedelta(days=35), now]
