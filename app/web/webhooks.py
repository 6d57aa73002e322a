"""Webhooks from GitHub: signature first, delivery id once, answered at once; a job does the rest."""

from __future__ import annotations

import json

from flask import Blueprint, Response, request

from app.api.problems import ApiError
from app.github_api.signature import signed_by
from app.web.metrics import Meters
from app.web.sessions import answered
from app.world import World


def webhooks(world: World, meters: Meters) -> Blueprint:
    """`POST /webhooks/github`."""
    pages = Blueprint("webhooks", __name__)

    @pages.post("/webhooks/github")
    def github() -> Response:
        body = request.get_data()
        _check_signature(world, body)
        event, guid = _headers()
        new = world.store.keep_delivery(guid, event, _object(body), world.now())
        meters.webhooks.labels(event=event, kind="new" if new else "repeated").inc()
        return answered({"delivery": guid, "new": new}, 202)

    return pages


def _check_signature(world: World, body: bytes) -> None:
    secret = world.settings.github_webhook_secret
    if not secret:
        raise ApiError(
            503,
            "This server has no webhook secret yet.",
            remedy="Open /setup, or set TABSTOP_GITHUB_WEBHOOK_SECRET.",
            retry_after_seconds=300,
        )
    if not signed_by(secret, body, request.headers.get("X-Hub-Signature-256", "")):
        raise ApiError(
            401,
            "The webhook's signature does not match.",
            "The secret in the App's settings and TABSTOP_GITHUB_WEBHOOK_SECRET differ, or this is not GitHub.",
            "Set the same secret on both sides.",
        )


def _headers() -> tuple[str, str]:
    event, guid = request.headers.get("X-GitHub-Event", ""), request.headers.get("X-GitHub-Delivery", "")
    if not event or not guid or len(event) > 100 or len(guid) > 100:
        raise ApiError(
            400, "The webhook names no event or delivery.", "X-GitHub-Event and X-GitHub-Delivery are needed."
        )
    return event, guid


def _object(body: bytes) -> dict[str, object]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiError(
            400, "The webhook is not JSON.", remedy="Set the App's webhook content type to application/json."
        ) from error
    if not isinstance(data, dict):
        raise ApiError(400, "The webhook is not a JSON object.")
    return data
