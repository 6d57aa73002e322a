"""The Flask application: blueprints, one error answer, security headers, a meter and a log line per request."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from app.api.problems import ApiError
from app.identity.oidc import OidcVerifier
from app.web.access import Access
from app.web.health import health
from app.web.login import login
from app.web.metrics import Meters
from app.web.otlp import otlp
from app.web.sessions import answered, sessions
from app.web.setup import setup
from app.web.webhooks import webhooks
from app.world import World
from tabstop.wire import Problem
from tabstop.wire_json import to_json

MOST_BYTES = 26 * 1024 * 1024
"""GitHub sends webhooks up to 25 MB."""

log = structlog.get_logger()


def application(world: World, verifier: OidcVerifier, meters: Meters, renew: Callable[[], None] | None = None) -> Flask:
    """Build the application around one world. `renew` makes the running server build its world anew, where it can."""
    app = Flask("app.web")
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    access = Access(world, verifier)
    app.register_blueprint(sessions(access, meters))
    app.register_blueprint(login(access))
    app.register_blueprint(otlp(access, meters))
    app.register_blueprint(webhooks(world, meters))
    app.register_blueprint(health(world, meters))
    app.register_blueprint(setup(world, renew))
    _explain_errors(app)
    _watch(app, meters)
    return app


def problem(status: int, what: Problem) -> Response:
    """An answer that explains itself; `Retry-After` only when repeating can help."""
    response = answered(to_json(what), status)
    if what.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(what.retry_after_seconds)
    return response


def _explain_errors(app: Flask) -> None:
    @app.errorhandler(ApiError)
    def explained(error: ApiError) -> Response:
        return problem(error.status, error.problem)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        return problem(error.code or 500, Problem(error.name, error.description or ""))

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("request failed", route=str(request.url_rule), exc_info=error)
        return problem(
            500,
            Problem(
                "The server made a mistake.",
                "Nothing of this request was kept.",
                "Try again; if it happens again, tell the people who run Tabstop, who find it in the log.",
                retry_after_seconds=10,
            ),
        )


def _watch(app: Flask, meters: Meters) -> None:
    @app.before_request
    def begin() -> None:
        g.begun = time.perf_counter()

    @app.after_request
    def done(response: Response) -> Response:
        seconds = time.perf_counter() - g.get("begun", time.perf_counter())
        route = str(request.url_rule) if request.url_rule else "unknown"
        meters.requests.labels(route=route, status=str(response.status_code)).observe(seconds)
        if route not in {"/healthz", "/readyz", "/metrics"}:
            log.info(
                "request", method=request.method, route=route, status=response.status_code, ms=round(seconds * 1000, 1)
            )
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        return response
