"""A session that runs, as its server has it: its row, its audit, its notices, and how more is asked for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from werkzeug.test import TestResponse

from app.ledger.books import SessionRow
from tabstop.beside.pricing import Pricer
from tabstop.beside.session_folder import Record, SessionFolder, create
from tabstop.beside.transport import Request, Response
from tabstop.governor.settings import settings_of
from tabstop.money import dollars
from tabstop.price_card import PriceCard
from tabstop.wire import Allowance, StartRequest
from tabstop.wire_json import from_json
from tests.web.conftest import Bench, json_of

POLICY = "session:\n  cost: $1\n  tokens: 150k\n  on_tokens: suspend\n  on_limit: halt\nslack:\n  channel: '#spend'\n"


def row(bench: Bench, started: TestResponse) -> SessionRow:
    """The session as stored."""
    with bench.world.store.look(bench.organization.id) as books:
        session = books.session(json_of(started)["session"])
    assert session is not None
    return session


def overdrive(
    bench: Bench,
    started: TestResponse,
    *,
    login: str = "carol",
    token: str = "",
    key: str = "raise-000001",
    **body: Any,
) -> TestResponse:
    """Ask for more: a dollar and 100,000 tokens unless told otherwise."""
    wanted = {"by_how_much": {"cost": dollars("1"), "tokens": 100_000}, "why": "nearly done", **body}
    bearer = token or bench.engineer_token(login, "approve")
    return bench.client.post(
        f"/api/v1/sessions/{json_of(started)['session']}/overdrive",
        json=wanted,
        headers={"Authorization": f"Bearer {bearer}", "Idempotency-Key": key},
    )


def resume(bench: Bench, started: TestResponse) -> TestResponse:
    """Ask to go on, with the session's first token."""
    answer = json_of(started)
    url = f"/api/v1/sessions/{answer['session']}/resume"
    return bench.client.post(url, json={}, headers={"Authorization": f"Bearer {answer['token']}"})


def audit(bench: Bench, *kinds: str) -> list[Any]:
    """Audit rows of these kinds, in order."""
    bench.world.store.seal_audit(bench.organization.id, b"k")
    with bench.world.store.look(bench.organization.id) as books:
        return [sealed.row for sealed in books.audit_rows() if sealed.row.kind in kinds]


def notices(bench: Bench, about: str) -> list[Any]:
    """Payloads of the notices that wait."""
    found = []
    while (job := bench.world.store.take_job("test", bench.clock.now)) is not None:
        bench.world.store.finish_job(job, bench.clock.now)
        if job.kind == "notice" and job.payload["notice"] == about:
            found.append(job.payload)
    return found


def an_event(bench: Bench, **changes: Any) -> dict[str, Any]:
    """A runaway alert."""
    return {
        "kind": "alert",
        "signal": "runaway",
        "scope": "token_spike",
        "value": 900,
        "threshold": 500,
        "occurred_at": bench.clock.now.isoformat(),
        **changes,
    }


# What it hears.


class OverTheBench:
    """The reporter's transport, to the server in this process."""

    def __init__(self, bench: Bench) -> None:
        """To this one."""
        self.bench = bench

    def send(self, request: Request, timeout: float) -> Response:
        """See `tabstop.beside.transport.Transport`."""
        path = request.url.removeprefix("http://localhost")
        answer = self.bench.client.open(path, method=request.method, data=request.body, headers=dict(request.headers))
        return Response(answer.status_code, answer.get_data())


def beside(bench: Bench, tmp_path: Path, started: Any) -> tuple[SessionFolder, Pricer]:
    """The folder of a started session on the machine where it runs, and its prices."""
    allowance = from_json(Allowance, started["allowance"])
    settings = settings_of(allowance.governor, allowance.limits, "s1", ci=False, can_summarize=False)
    record = Record(
        "s1",
        bench.clock.now,
        StartRequest("claude-code"),
        settings,
        allowance.price_card,
        server="http://localhost",
        server_session=started["session"],
        token=started["token"],
    )
    return create(tmp_path, record), Pricer(PriceCard.from_json(allowance.price_card))
