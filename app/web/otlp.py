"""OTLP/HTTP: `POST /v1/logs`, `/v1/metrics` and `/v1/traces`, also below `/otlp`: where agents' own clients send telemetry.

Statuses and bodies as the protocol has them (https://opentelemetry.io/docs/specs/otlp/#otlphttp): clients repeat what got 429,
502, 503 or 504, and drop what got any other error.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from flask import Blueprint, Response, request
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsPartialSuccess, ExportLogsServiceResponse
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app.api.problems import ApiError
from app.api.telemetry import Taken, take_telemetry
from app.store.failure import AWAY, reason
from app.web.access import Access
from app.web.metrics import Meters
from app.web.otlp_body import (
    JSON,
    MOST_SENT,
    MOST_UNPACKED,
    PROTOBUF,
    TooLargeError,
    UnreadableError,
    records_in,
    unpacked,
)
from tabstop.agents.telemetry import LogRecord

AT_ONCE = 2
"""Requests whose bodies are read at the same time, in one process; the rest of its threads (four) stay with the gate."""

log = structlog.get_logger()


def otlp(access: Access, meters: Meters) -> Blueprint:
    """Every route: check, read, call, answer."""
    pages = Blueprint("otlp", __name__)
    turns = threading.BoundedSemaphore(AT_ONCE)

    @pages.post("/v1/logs")
    @pages.post("/otlp/v1/logs")
    def logs() -> Response:
        token = access.telemetry(request)
        with _turn(turns):
            taken = take_telemetry(access.world, token, _records())
        meters.usages.labels(kind="new").inc(taken.new)
        meters.usages.labels(kind="known").inc(taken.known)
        return _answered(_what_came_of_it(taken), 200)

    @pages.post("/v1/metrics")
    @pages.post("/otlp/v1/metrics")
    @pages.post("/v1/traces")
    @pages.post("/otlp/v1/traces")
    def dropped() -> Response:
        """Taken and not kept: logs tell every call, and a metric's sums would count it again."""
        access.telemetry(request)
        _content_type()
        return _answered(ExportLogsServiceResponse(), 200)

    _explain_errors(pages)
    return pages


def _content_type() -> str:
    if request.mimetype not in {JSON, PROTOBUF}:
        raise ApiError(
            415,
            f"The content type {request.mimetype[:80]!r} is not read here.",
            remedy=f"Set OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf ({PROTOBUF}) or http/json ({JSON}).",
        )
    return request.mimetype


def _records() -> list[LogRecord]:
    """What the body tells. Raises `ApiError` and `UnreadableError`."""
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip"}:
        raise ApiError(415, "This Content-Encoding is not read here.", remedy="Send gzip, or none.")
    kind = _content_type()
    request.max_content_length = MOST_SENT
    try:
        return records_in(unpacked(request.get_data(cache=False), encoding), kind)
    except (TooLargeError, RequestEntityTooLarge) as error:
        most = f"At most {MOST_SENT >> 20} MiB are read, and {MOST_UNPACKED >> 20} MiB unpacked."
        raise ApiError(
            413, "This is too much telemetry at once.", most, "Lower OTEL_BLRP_MAX_EXPORT_BATCH_SIZE."
        ) from error


@contextmanager
def _turn(turns: threading.BoundedSemaphore) -> Iterator[None]:
    if not turns.acquire(blocking=False):
        raise ApiError(429, "Too much telemetry arrives at once.", remedy="Send it again.", retry_after_seconds=1)
    try:
        yield
    finally:
        turns.release()


def _what_came_of_it(taken: Taken) -> ExportLogsServiceResponse:
    """Nothing at all where everything was taken, as the protocol has it."""
    if not taken.rejected:
        return ExportLogsServiceResponse()
    told = ExportLogsPartialSuccess(rejected_log_records=taken.rejected, error_message=taken.why)
    return ExportLogsServiceResponse(partial_success=told)


def _answered(message: Message, status: int) -> Response:
    """In the encoding of the request."""
    if request.mimetype == PROTOBUF:
        return Response(message.SerializeToString(), status, content_type=PROTOBUF)
    return Response(MessageToJson(message, indent=None), status, content_type=JSON)


def _refused(status: int, said: str, retry_after: int | None = None) -> Response:
    """A `google.rpc.Status` with a message and nothing else: packed, that is one text with the number 2.

    `ExportLogsPartialSuccess.error_message` is such a text too, and spares a library.
    """
    if request.mimetype == PROTOBUF:
        answer = _answered(ExportLogsPartialSuccess(error_message=said), status)
    else:
        answer = Response(json.dumps({"message": said}), status, content_type=JSON)
    if retry_after is not None:
        answer.headers["Retry-After"] = str(retry_after)
    return answer


def _explain_errors(pages: Blueprint) -> None:
    @pages.errorhandler(ApiError)
    def explained(error: ApiError) -> Response:
        told = error.problem
        said = " ".join(part for part in (told.title, told.detail, told.remedy) if part)
        return _refused(error.status, said, told.retry_after_seconds)

    @pages.errorhandler(UnreadableError)
    def unreadable(error: UnreadableError) -> Response:
        return _refused(400, f"This is not OTLP: {error}.")

    @pages.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        return _refused(error.code or 500, error.name)

    def away(error: Exception) -> Response:
        log.error("telemetry could not be stored", error=type(error).__name__, why=reason(error))
        return _refused(503, "The database is not available. Send it again.", 15)

    for failure in AWAY:
        pages.register_error_handler(failure, away)

    @pages.errorhandler(Exception)
    def mistake(error: Exception) -> Response:
        """It would be made again, so that a client must not repeat it."""
        log.error("telemetry could not be taken", route=str(request.url_rule), exc_info=error)
        return _refused(500, "The server made a mistake; its log says which. This telemetry is not kept.")
