"""The body of an OTLP/HTTP request: unpacked within limits, and its log records cut down to what an allow-list names.

Both encodings: https://opentelemetry.io/docs/specs/otlp/#otlphttp. What is not on the list is never made into a value.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tabstop.agents.otlp import ALLOWED, event_named
from tabstop.agents.telemetry import LONGEST_VALUE, LogRecord, Value

JSON, PROTOBUF = "application/json", "application/x-protobuf"

MOST_SENT = 4 * 1024 * 1024
"""Bytes of a body as it arrives: clients send 512 records at a time, which is less than one megabyte without content."""

MOST_UNPACKED = 8 * 1024 * 1024
"""Bytes of it unpacked. Empty records become seventy times as much in memory."""

MOST_PARTS = 500_000
"""Resources, scopes, records and attributes of a body: more than fit into `MOST_UNPACKED` with something in them."""

_MOST_MEMBERS = 100
"""Gzip members of a body: each costs a copy of those behind it."""

_GZIP = 16 + zlib.MAX_WBITS
_YEAR_3000_NANO = 32_503_680_000 * 10**9

T = TypeVar("T")


class UnreadableError(ValueError):
    """A body that is not what its headers say; the text says why, without quoting it."""


class TooLargeError(ValueError):
    """A body that unpacks to more than `MOST_UNPACKED`, or has more than `MOST_PARTS`."""


def unpacked(body: bytes, encoding: str) -> bytes:
    """The body without its Content-Encoding, `gzip` or none. Raises `UnreadableError` and `TooLargeError`."""
    if encoding != "gzip":
        return body
    whole = bytearray()
    members = 0
    while body:
        members += 1
        if members > _MOST_MEMBERS:
            raise UnreadableError("the body is of too many gzip members")
        packed = zlib.decompressobj(_GZIP)
        try:
            whole += packed.decompress(body, MOST_UNPACKED + 1 - len(whole))
        except zlib.error as error:
            raise UnreadableError("the body is not gzip") from error
        if len(whole) > MOST_UNPACKED:
            raise TooLargeError
        if not packed.eof:
            raise UnreadableError("the body ends before its gzip does")
        body = packed.unused_data  # a gzip file may have several members
    return bytes(whole)


def records_in(body: bytes, content_type: str) -> list[LogRecord]:
    """The records of events that are read, in the body's order. Raises `UnreadableError` and `TooLargeError`."""
    parts = _Parts()
    if content_type == PROTOBUF:
        request = ExportLogsServiceRequest()
        try:
            request.ParseFromString(body)
        except DecodeError as error:
            raise UnreadableError("the body is not an ExportLogsServiceRequest") from error
        return list(_of_protobuf(request, parts))
    try:
        read = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("the body is not JSON") from error
    return list(_of_json(read, parts))


class _Parts:
    """Counts what a body is made of: looking at each part takes its time, however small it is."""

    def __init__(self) -> None:
        self._left = MOST_PARTS

    def of(self, some: Sequence[T]) -> Sequence[T]:
        """The same. Raises `TooLargeError` when they are too many together with those before."""
        self._left -= len(some)
        if self._left < 0:
            raise TooLargeError
        return some


def _of_protobuf(request: ExportLogsServiceRequest, parts: _Parts) -> Iterator[LogRecord]:
    for group in parts.of(request.resource_logs):
        # Once for all of its records: a resource may have as many attributes as there are records.
        resource = {event: _taken(event, parts.of(group.resource.attributes)) for event in ALLOWED}
        for scoped in parts.of(group.scope_logs):
            for one in parts.of(scoped.log_records):
                named = (a.value.string_value for a in parts.of(one.attributes) if a.key == "event.name")
                event = event_named(scoped.scope.name, one.event_name, one.body.string_value, *named)
                if event:
                    at = _moment(one.time_unix_nano) or _moment(one.observed_time_unix_nano)
                    yield LogRecord(event, at, _taken(event, one.attributes), resource[event])


def _taken(event: str, attributes: Iterable[Any]) -> dict[str, Value]:
    allowed = ALLOWED[event]
    found = ((one.key, one.value) for one in attributes if one.key in allowed)
    return _short((key, getattr(value, value.WhichOneof("value") or "string_value")) for key, value in found)


def _of_json(request: Any, parts: _Parts) -> Iterator[LogRecord]:
    """Fields that are missing or of another kind count as absent, and unknown ones are ignored, as the protocol has it."""
    for group in _items(_object(request), "resourceLogs", parts):
        about = _items(_object(group.get("resource")), "attributes", parts)
        resource = {event: _taken_json(event, about) for event in ALLOWED}
        for scoped in _items(group, "scopeLogs", parts):
            scope = str(_object(scoped.get("scope")).get("name"))
            for one in _items(scoped, "logRecords", parts):
                told = _items(one, "attributes", parts)
                named = [_text(a.get("value")) for a in told if a.get("key") == "event.name"]
                event = event_named(scope, str(one.get("eventName")), _text(one.get("body")), *named)
                if event:
                    at = _moment(one.get("timeUnixNano")) or _moment(one.get("observedTimeUnixNano"))
                    yield LogRecord(event, at, _taken_json(event, told), resource[event])


def _taken_json(event: str, attributes: Iterable[Mapping[str, Any]]) -> dict[str, Value]:
    allowed = ALLOWED[event]
    found = ((one.get("key"), _object(one.get("value"))) for one in attributes)
    return _short(
        (key, next(iter(value.values()), None)) for key, value in found if isinstance(key, str) and key in allowed
    )


def _short(pairs: Iterable[tuple[str, Any]]) -> dict[str, Value]:
    """Single values alone, and no long text."""
    return {
        key: value
        for key, value in pairs
        if isinstance(value, int | float) or (isinstance(value, str) and len(value) <= LONGEST_VALUE)
    }


def _moment(nano: Any) -> datetime | None:
    """A time in nanoseconds since 1970, which JSON has as a text."""
    if isinstance(nano, str) and nano.isascii() and nano.isdigit() and len(nano) <= 20:
        nano = int(nano)
    if not isinstance(nano, int) or not 0 < nano < _YEAR_3000_NANO:
        return None
    return datetime.fromtimestamp(nano // 10**9, UTC).replace(microsecond=nano // 1000 % 10**6)


def _text(value: Any) -> str:
    found = _object(value).get("stringValue")
    return found if isinstance(found, str) else ""


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(carrier: Mapping[str, Any], name: str, parts: _Parts) -> list[dict[str, Any]]:
    found = carrier.get(name)
    return [one for one in parts.of(found if isinstance(found, list) else []) if isinstance(one, dict)]
