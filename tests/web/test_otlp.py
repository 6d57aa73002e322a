"""Telemetry over HTTP, on both databases: both encodings, what is charged and where, and that no content is kept."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from psycopg.sql import SQL, Identifier
from werkzeug.test import TestResponse

from app.ledger.books import SessionRow, UsageRow
from app.ledger.rows import NO_REPOSITORY
from app.web.otlp_body import JSON, PROTOBUF
from tabstop.agents.otlp import ALLOWED
from tabstop.session_key import session_key
from tests.support.otlp import SAMPLES, Json, a_body, a_call, a_record, as_protobuf, attributes, records, sent_by
from tests.web.conftest import EACH_DATABASE, Bench, json_of

pytestmark = EACH_DATABASE

WIDGET = {"vcs__repository__url__full": "https://github.com/acme/widget", "vcs__ref__head__name": "fix"}


def stored(url: str) -> bytes:
    """All that a database holds: the file's bytes, or every row of every table as text."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        return b"".join(one.read_bytes() for one in path.parent.glob(f"{path.name}*"))
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        rows = [
            row[0]
            for (table,) in tables
            for row in connection.execute(SQL("SELECT t::text FROM {} t").format(Identifier(table)))
        ]
    return "\n".join(rows).encode()


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
    database_url: str,
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
    kept = stored(database_url)
    everything = kept + b"".join(answers) + (printed.out + printed.err + caplog.text).encode()
    assert b"anthropic:req:" in kept or b"google:" in kept
    assert SECRET.encode() not in everything
