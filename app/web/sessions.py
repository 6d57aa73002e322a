"""Sessions: `POST /api/v1/sessions`, its usage, end, resume and overdrive, the dry question `GET /api/v1/verdict`, and `GET /api/v1/gauges`."""

from __future__ import annotations

from typing import Any, TypeVar

from flask import Blueprint, Request, Response, jsonify, request

from app.api.gauges import gauges_for
from app.api.overdrive import raise_session
from app.api.problems import ApiError
from app.api.report import finish_session, report_usage
from app.api.resume import resume_session
from app.api.start import Asker, laptop, problem_with_lengths, problem_without_key, runner, start_session, would_start
from app.identity.oidc import RunnerClaims
from app.registry import EngineerToken
from app.web.access import Access
from app.web.metrics import Meters
from app.world import World
from tabstop.wire import EndRequest, OverdriveRequest, ResumeRequest, StartRequest, UsageBatch
from tabstop.wire_json import WireError, from_json, to_json

T = TypeVar("T")


def sessions(access: Access, meters: Meters) -> Blueprint:
    """The API that runs beside an agent call. Every route: check, parse, call, answer."""
    pages = Blueprint("sessions", __name__, url_prefix="/api/v1")
    world = access.world

    @pages.post("/sessions")
    def start() -> Response:
        key = request.headers.get("Idempotency-Key", "")
        problem_without_key(key)
        who = access.asker(request, "start")
        asked = parsed(StartRequest, request)
        problem_with_lengths(asked)
        attempt = start_session(world, _asker(world, who, key, asked), key, asked)
        meters.starts.labels(outcome="admitted" if attempt.session_id else "refused").inc()
        return answered(attempt.answer, attempt.status)

    @pages.post("/sessions/<session_id>/usage")
    def usage(session_id: str) -> Response:
        claim = access.session(request, session_id)
        answer = report_usage(world, claim, parsed(UsageBatch, request))
        meters.usages.labels(kind="new").inc(answer.new)
        meters.usages.labels(kind="known").inc(answer.known)
        return answered(to_json(answer), 200)

    @pages.post("/sessions/<session_id>/end")
    def end(session_id: str) -> Response:
        claim = access.session(request, session_id)
        return answered(to_json(finish_session(world, claim, parsed(EndRequest, request))), 200)

    @pages.post("/sessions/<session_id>/resume")
    def resume(session_id: str) -> Response:
        claim = access.session(request, session_id)
        answer = resume_session(world, claim, parsed(ResumeRequest, request))
        return answered(to_json(answer), 200 if answer.token else 403)

    @pages.post("/sessions/<session_id>/overdrive")
    def overdrive(session_id: str) -> Response:
        key = request.headers.get("Idempotency-Key", "")
        problem_without_key(key)
        token = access.engineer(request, "approve")
        answer = raise_session(world, token, session_id, key, parsed(OverdriveRequest, request))
        return answered(to_json(answer), 200 if answer.overdrive else 403)

    @pages.get("/verdict")
    def verdict() -> Response:
        who = access.asker(request, "read")
        asked = from_query(request)
        problem_with_lengths(asked)
        asker = _asker(world, who, "", asked)
        return answered({"verdict": to_json(would_start(world, asker, asked))}, 200)

    @pages.get("/gauges")
    def gauges() -> Response:
        return answered(to_json(gauges_for(world, access.engineer(request, "read"))), 200)

    return pages


def parsed(kind: type[T], call: Request) -> T:
    """The request's JSON body as a wire value. Raises `ApiError` with every problem."""
    try:
        data = call.get_json(silent=True, force=True)
    except RecursionError:
        data = None
    if data is None:
        raise ApiError(400, "The body is not JSON.", remedy="Send a JSON object.")
    try:
        return from_json(kind, data)
    except WireError as error:
        raise ApiError(400, "The body is not what the contract says.", "; ".join(error.problems[:20])) from error


def from_query(call: Request) -> StartRequest:
    """A dry question's fields from the query string."""
    number = call.args.get("pull_request", "")
    if number and not (number.isascii() and number.isdigit() and len(number) < 12):
        raise ApiError(400, "pull_request must be a number.", f"Found {number!r}.")
    return StartRequest(
        agent=call.args.get("agent", ""),
        repository=call.args.get("repository", ""),
        branch=call.args.get("branch", ""),
        pull_request=int(number) if number else None,
        model=call.args.get("model", ""),
        purpose=call.args.get("purpose", ""),
    )


def answered(body: Any, status: int) -> Response:
    """A JSON answer."""
    response = jsonify(body)
    response.status_code = status
    return response


def _asker(world: World, who: RunnerClaims | EngineerToken, key: str, asked: StartRequest) -> Asker:
    if isinstance(who, RunnerClaims):
        return runner(world, who, asked)
    return laptop(world, who, key, asked)
