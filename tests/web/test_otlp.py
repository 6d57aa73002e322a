"""Telemetry over HTTP: both encodings, what is charged and where, what is refused and how, and that no content is kept."""

from __future__ import annotations

import gzip
import io
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from werkzeug.test import TestResponse

from app.api.report import MOST_CALLS
from app.ledger.books import SessionRow, UsageRow
from app.ledger.rows import NO_REPOSITORY
from app.store.engine import DatabaseUrlError
from app.web.otlp import AT_ONCE
from app.web.otlp_body import JSON, MOST_SENT, MOST_UNPACKED, PROTOBUF
from tabstop.agents.otlp import ALLOWED
from tabstop.session_key import session_key
from tests.support.otlp import SAMPLES, Json, a_body, a_call, a_record, as_protobuf, attributes, records, sent_by
from tests.web.conftest import Bench, json_of

WIDGET = {"vcs__repository__url__full": "https://github.com/acme/widget", "vcs__ref__head__name": "fix"}


def post(
    bench: Bench,
    body: Json | bytes,
    kind: str = JSON,
    *,
    token: str | None = None,
    path: str = "/v1/logs",
    headers: Mapping[str, str] | None = None,
) -> TestResponse:
    """Send telemetry, with alice's own token unless told otherwise."""
    if isinstance(body, dict):
        body = as_protobuf(body) if kind == PROTOBUF else json.dumps(body).encode()
    token = bench.engineer_token("alice", "telemetry") if token is None else token
    return bench.client.post(
        path, data=body, content_type=kind, headers={"Authorization": f"Bearer {token}", **(headers or {})}
    )


def sessions(bench: Bench) -> list[SessionRow]:
    """All of them, oldest first."""
    with bench.world.store.look(bench.organization.id) as books:
        return books.all_sessions()


def usages(bench: Bench) -> list[tuple[UsageRow, str, str, str]]:
    """Every usage with its repository, its tab's branch and its confidence."""
    found = []
    with bench.world.store.look(bench.organization.id) as books:
        places = books.all_places()
        for session in books.all_sessions():
            for row in books.usages_of(session.id):
                place = places[row.place_id]
                tab = books.tab(place.tab_id) if place.tab_id is not None else None
                repository = books.repository(place.repository_id) if place.repository_id is not None else None
                found.append(
                    (row, repository.full_name if repository else "", tab.branch if tab else "", place.confidence)
                )
    return found


@pytest.mark.parametrize("kind", [JSON, PROTOBUF])
@pytest.mark.parametrize("path", ["/v1/logs", "/otlp/v1/logs"])
def test_a_call_is_charged(bench: Bench, kind: str, path: str) -> None:
    """To its engineer, and to the tab of the branch that the resource names; the answer is empty, in the same encoding."""
    answer = post(bench, a_body(a_call(bench.clock.now), **WIDGET), kind, path=path)
    assert (answer.status_code, answer.mimetype, answer.data) == (200, kind, b"{}" if kind == JSON else b"")
    ((row, repository, branch, confidence),) = usages(bench)
    assert (repository, branch, confidence, row.cost) == ("acme/widget", "fix", "claimed", 15_000_000)
    (session,) = sessions(bench)
    assert (session.agent, session.unadmitted, session.spent.nano) == ("claude-code", True, 15_000_000)
    assert session.engineer_id is not None


@pytest.mark.parametrize("kind", [JSON, PROTOBUF])
def test_a_real_claude_run(bench: Bench, kind: str) -> None:
    """Main thread, subagent and compaction: every request id once, at the price the client named, sent in whichever encoding, twice."""
    sent = [one for body in sent_by("claude") for one in records(body)]
    calls = [one for one in sent if one["body"]["stringValue"] == "claude_code.api_request"]
    costs = [int(a["value"]["intValue"]) for one in calls for a in one["attributes"] if a["key"] == "cost_usd_micros"]
    for _ in range(2):
        for body in sent_by("claude"):
            assert post(bench, body, kind).status_code == 200
    found = usages(bench)
    assert sum(row.cost for row, *_ in found) == sum(costs) * 1_000
    assert len(found) == len(calls) == 8
    assert {(where, confidence) for _, where, _, confidence in found} == {("", "engineer only")}


def test_what_a_real_client_packed(bench: Bench) -> None:
    """Its own bytes, gzip around them."""
    body = (SAMPLES / "claude-logs.pb").read_bytes()
    assert post(bench, gzip.compress(body), PROTOBUF, headers={"Content-Encoding": "gzip"}).status_code == 200
    assert usages(bench)


def test_a_real_gemini_run(bench: Bench) -> None:
    """Five calls; what was cached is no fresh input, and thoughts are output."""
    for body in sent_by("gemini") * 2:
        assert post(bench, body).status_code == 200
    found = [row.tokens for row, *_ in usages(bench)]
    assert [(one.input, one.cache_read, one.output) for one in found] == [
        (8010, 0, 214), (911, 8000, 224), (912, 8900, 234), (913, 9800, 244), (914, 10700, 254),
    ]  # fmt: skip
    assert sessions(bench)[0].agent == "gemini-cli"


def test_codex_and_metrics_are_taken_and_dropped(bench: Bench) -> None:
    """Success, so that clients do not send them again; nothing is kept."""
    for body in sent_by("codex"):
        assert (post(bench, body).status_code, sessions(bench)) == (200, [])
    metrics = (SAMPLES / "claude-metrics.json").read_bytes()
    assert (post(bench, metrics, path="/v1/metrics").data, sessions(bench)) == (b"{}", [])
    packed = (SAMPLES / "claude-metrics.pb").read_bytes()
    for signal in ("metrics", "traces"):
        answer = post(bench, packed, PROTOBUF, path=f"/otlp/v1/{signal}")
        assert (answer.status_code, answer.mimetype, answer.data) == (200, PROTOBUF, b"")
    assert sessions(bench) == []


@pytest.mark.parametrize("kind", [JSON, PROTOBUF])
def test_part_of_a_request_can_be_taken(bench: Bench, kind: str) -> None:
    """A call that cannot be read is rejected with a reason that does not quote it; the others count."""
    now = bench.clock.now
    body = a_body(
        a_call(now), a_call(now, "req_2", model=None), a_call(now, "req_3", input_tokens=-5), a_call(now, "r4")
    )
    answer = post(bench, body, kind)
    if kind == PROTOBUF:
        told = ExportLogsServiceResponse.FromString(answer.data).partial_success
        rejected, why = told.rejected_log_records, told.error_message
    else:
        part = json_of(answer)["partialSuccess"]
        rejected, why = int(part["rejectedLogRecords"]), part["errorMessage"]
    assert (answer.status_code, rejected) == (200, 2)
    assert why == "a call without model or time (1); input_tokens is not a count (1)"
    assert len(usages(bench)) == 2


def test_sending_again_changes_nothing(bench: Bench) -> None:
    """In whole, in part, in another order, with another token of the same engineer, after the session ended in silence."""
    now = bench.clock.now
    calls = [a_call(now, f"req_{number}", session__id=f"s-{number % 2}") for number in range(6)]
    post(bench, a_body(*calls, **WIDGET))
    before = usages(bench)
    bench.clock.pass_by(days=2)
    for part in (calls, calls[::-1], calls[2:4], [*calls, *calls]):
        assert post(bench, a_body(*part, **WIDGET), token=bench.engineer_token("alice", "start")).status_code == 200
    assert usages(bench) == before
    assert (len(before), len(sessions(bench))) == (6, 2)


def test_one_call_told_twice_is_one_usage(bench: Bench) -> None:
    """A transcript's report has both ids, telemetry the request's alone; whichever comes first, and by whichever session."""
    now = bench.clock.now
    token = bench.engineer_token("alice", "start")
    post(bench, a_body(a_call(now, "one"), **WIDGET), token=token)
    late = bench.start(
        token=token, repository="acme/widget", branch="fix", unadmitted_since=now.isoformat(), thread="another"
    )
    assert late.status_code == 201
    both = [["anthropic:req:one", "anthropic:msg:m1"], ["anthropic:req:two", "anthropic:msg:m2"]]
    for keys in both:
        assert bench.report(late, bench.a_call("x", keys=keys)).status_code == 200
    post(bench, a_body(a_call(now, "two", session__id="s-2"), **WIDGET), token=token)
    assert [row.cost for row, *_ in usages(bench)] == [15_000_000] * 2


def test_the_session_that_hooks_announced_is_joined(bench: Bench) -> None:
    """By the client's own session id, and so by its branch; another engineer's session of the same id is another one."""
    token = bench.engineer_token("alice", "start")
    admitted = bench.start(token=token, repository="acme/widget", branch="fix", thread="s-1")
    assert admitted.status_code == 201
    assert post(bench, a_body(a_call(bench.clock.now)), token=token).status_code == 200
    ((row, repository, branch, _),) = usages(bench)
    assert (row.session_id, repository, branch) == (json_of(admitted)["session"], "acme/widget", "fix")
    post(bench, a_body(a_call(bench.clock.now, "req_2")), token=bench.engineer_token("bob", "telemetry"))
    assert {place[1:] for place in usages(bench) if place[0].session_id != row.session_id} == {
        ("", "", "engineer only")
    }
    assert len(usages(bench)) == 2


def test_telemetry_and_an_upload_are_one_session(bench: Bench) -> None:
    """Of one repository, in either order: both have its key."""
    token, now = bench.engineer_token("alice", "start"), bench.clock.now
    key = session_key("claude-code", "s-1", "acme/widget")
    post(bench, a_body(a_call(now), **WIDGET), token=token)
    late = bench.start(token=token, key=key, repository="acme/widget", branch="fix", unadmitted_since=now.isoformat())
    assert [json_of(late)["session"]] == [one.id for one in sessions(bench)]
    assert bench.report(late, bench.a_call("req_2")).status_code == 200
    key = session_key("claude-code", "s-2", "acme/widget")
    bench.start(token=token, key=key, repository="acme/widget", branch="fix", unadmitted_since=now.isoformat())
    post(bench, a_body(a_call(now, "req_3", session__id="s-2"), **WIDGET), token=token)
    assert (len(sessions(bench)), len(usages(bench))) == (2, 3)


@pytest.mark.parametrize(
    ("resource", "place"),
    [
        ({}, ("", "", "engineer only")),
        ({"vcs__repository__url__full": "https://github.com/else/where"}, ("", "", "engineer only")),
        ({"vcs__repository__url__full": "git@github.com:ACME/Widget.git"}, ("acme/widget", "", "repository only")),
        ({**WIDGET, "vcs__ref__head__name": "main"}, ("acme/widget", "", "repository only")),
        (WIDGET, ("acme/widget", "fix", "claimed")),
    ],
)
def test_where_it_lies(bench: Bench, resource: dict[str, str], place: tuple[str, str, str]) -> None:
    """As far down as the telemetry tells: branch, repository, engineer. Every place has a reason, and money is never dropped."""
    post(bench, a_body(a_call(bench.clock.now), **resource))
    assert [found[1:] for found in usages(bench)] == [place]
    (session,) = sessions(bench)
    assert (session.repository_id == NO_REPOSITORY) == (not place[0])
    with bench.world.store.look(bench.organization.id) as books:
        assert all(one.reason for one in books.all_places().values())


def test_a_repository_that_is_told_later_counts_from_then_on(bench: Bench) -> None:
    """Call by call: one session, the first call the engineer's only."""
    token, now = bench.engineer_token("alice", "telemetry"), bench.clock.now
    post(bench, a_body(a_call(now, "req_1")), token=token)
    post(bench, a_body(a_call(now, "req_2"), **WIDGET), token=token)
    assert [found[1:] for found in usages(bench)] == [("", "", "engineer only"), ("acme/widget", "fix", "claimed")]
    assert len(sessions(bench)) == 1


def test_a_commit_is_evidence(bench: Bench) -> None:
    """Kept with its branch, for the calls of its session; what the resource repeats is none."""
    now, sha = bench.clock.now, "4543a44b1a7873eedc8daa0fc4898234ad6911b3"
    made = a_record(
        "claude_code.tool_result", now, session__id="s-1", vcs__ref__head__revision=sha, vcs__ref__head__name="x"
    )
    post(bench, a_body(a_call(now), made, vcs__repository__url__full="https://github.com/acme/widget"))
    (session,) = sessions(bench)
    with bench.world.store.look(bench.organization.id) as books:
        assert [(one.sha, one.repository, one.branch) for one in books.commits_of(session.id)] == [
            (sha, "acme/widget", "x")
        ]


SECRET = "xyzzy-hunter2-plugh"


def stuffed(bodies: list[Json]) -> list[Json]:
    """Real bodies with a secret in every field that is not read, and in new ones."""
    text = json.dumps(bodies)
    for body in (found := json.loads(text)):
        for group in body["resourceLogs"]:
            holders = [group["resource"], *records(body)]
            for holder in holders:
                name = str(
                    next((a["value"].get("stringValue") for a in holder["attributes"] if a["key"] == "event.name"), "")
                )
                allowed = next(
                    (names for event, names in ALLOWED.items() if name and event.endswith(name)), frozenset()
                )
                for one in holder["attributes"]:
                    if one["key"] not in {*allowed, "event.name"}:
                        one["value"] = {"stringValue": SECRET}
                holder["attributes"] += attributes(
                    {
                        SECRET: SECRET,
                        "prompt": SECRET,
                        "user.email": f"{SECRET}@example.com",
                        "vcs.repository.url.full": f"https://{SECRET}@github.com/acme/widget",
                        "tool_parameters": json.dumps({"git_commit_id": SECRET}),
                    }
                )
                holder[SECRET] = SECRET
                if "claude_code." not in str(holder.get("body")):
                    holder["body"] = {"stringValue": SECRET}
    return [json.loads(json.dumps(one)) for one in found]


@pytest.mark.parametrize("kind", [JSON, PROTOBUF])
@pytest.mark.parametrize("client", ["claude", "gemini"])
def test_no_content_is_kept(
    bench: Bench,
    kind: str,
    client: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever a client sends unasked, on purpose or by a wrong setting: neither database nor log nor answer has it."""
    answers = [post(bench, body, kind).data for body in stuffed(sent_by(client))]
    bad = a_body(
        a_call(bench.clock.now, model=f"{SECRET} no model", input_tokens=SECRET), a_call(bench.clock.now, SECRET * 99)
    )
    answers += [post(bench, bad, kind).data, post(bench, SECRET.encode(), kind).data]
    assert usages(bench)
    printed = capfd.readouterr()
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("books.db*"))
    everything = files + b"".join(answers) + (printed.out + printed.err + caplog.text).encode()
    assert len(files) > 10_000
    assert SECRET.encode() not in everything


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
            "16 MiB unpacked",
        ),
        (
            {
                "body": gzip.compress(b" " * MOST_UNPACKED) + gzip.compress(b" "),
                "headers": {"Content-Encoding": "gzip"},
            },
            413,
            "16 MiB unpacked",
        ),
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


def test_a_database_that_is_away(bench: Bench) -> None:
    """Is the one thing that is to be sent again for; nothing of the request is in the log."""

    def away(_token: str) -> None:
        raise DatabaseUrlError("sqlite:///gone")

    object.__setattr__(bench.world.store, "engineer_token", away)
    answer = post(bench, a_body(a_call(bench.clock.now)), token="tabstop_eng_" + "0" * 64)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "15")


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
