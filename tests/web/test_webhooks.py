"""Webhooks: signature first, each delivery once, answered at once."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.web.conftest import SECRET, Bench, json_of


def deliver(bench: Bench, body: bytes, *, guid: str = "", secret: str = SECRET, **headers: str) -> TestResponse:
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    sent: dict[str, str] = {
        "X-Hub-Signature-256": signature,
        "X-GitHub-Event": "ping",
        "X-GitHub-Delivery": guid or str(uuid.uuid4()),
        **headers,
    }
    return bench.client.post("/webhooks/github", data=body, headers=sent)


def test_a_signed_delivery_is_kept_and_answered_at_once(bench: Bench) -> None:
    """202, and a job that handles it waits."""
    answer = deliver(bench, json.dumps({"zen": "x"}).encode())
    assert answer.status_code == 202
    job = bench.world.store.take_job("test", bench.clock.now)
    assert job is not None
    assert job.kind == "delivery"


def test_a_redelivery_is_the_same_delivery(bench: Bench) -> None:
    """GitHub keeps the GUID when it sends again; the second time nothing is enqueued."""
    guid = str(uuid.uuid4())
    first, again = deliver(bench, b"{}", guid=guid), deliver(bench, b"{}", guid=guid)
    assert (json_of(first)["new"], json_of(again)["new"]) == (True, False)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"secret": "another"}, 401),
        ({"X-Hub-Signature-256": ""}, 401),
        ({"X-Hub-Signature-256": "sha1=abc"}, 401),
        ({"X-GitHub-Delivery": ""}, 400),
        ({"X-GitHub-Event": ""}, 400),
    ],
)
def test_what_is_not_signed_by_github_is_refused(bench: Bench, change: dict[str, Any], status: int) -> None:
    """The raw body is checked before it is parsed."""
    assert deliver(bench, b"{}", **change).status_code == status


@pytest.mark.parametrize("body", [b"not json", b"[]", b'"text"', b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"])
def test_a_signed_body_that_is_no_object_is_explained(bench: Bench, body: bytes) -> None:
    """400, with what to set in the App."""
    assert deliver(bench, body).status_code == 400


def test_health_and_metrics_answer(bench: Bench) -> None:
    """Alive, ready, and counting."""
    deliver(bench, b"{}")
    assert bench.client.get("/healthz").status_code == 200
    assert bench.client.get("/readyz").status_code == 200
    metrics = bench.client.get("/metrics").get_data(as_text=True)
    assert 'tabstop_webhooks_total{event="ping",kind="new"} 1.0' in metrics


def test_an_unknown_page_is_a_problem_in_json(bench: Bench) -> None:
    """Every error has the same shape."""
    answer = bench.client.get("/nowhere")
    assert (answer.status_code, json_of(answer)["title"]) == (404, "Not Found")
