"""Health: `/healthz` says the process runs, `/readyz` that it can work, `/metrics` how it has been."""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.api.problems import ApiError
from app.web.metrics import Meters
from app.web.sessions import answered
from app.world import World


def health(world: World, meters: Meters) -> Blueprint:
    """Three routes for those who run the server."""
    pages = Blueprint("health", __name__)

    @pages.get("/healthz")
    def healthz() -> Response:
        return answered({"status": "ok"}, 200)

    @pages.get("/readyz")
    def readyz() -> Response:
        try:
            world.store.ping()
        except Exception as error:
            raise ApiError(
                503, "The database cannot be used.", type(error).__name__, "See the log.", retry_after_seconds=5
            ) from error
        return answered({"status": "ready"}, 200)

    @pages.get("/metrics")
    def metrics() -> Response:
        expected = world.settings.metrics_token
        sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if expected and not hmac.compare_digest(sent.encode(), expected.encode()):
            raise ApiError(
                401, "The metrics token is missing or wrong.", remedy="Send TABSTOP_METRICS_TOKEN as bearer."
            )
        meters.dead_jobs.set(len(world.store.dead_jobs()))
        return Response(generate_latest(meters.registry), content_type=CONTENT_TYPE_LATEST)

    return pages
