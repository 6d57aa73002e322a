"""OTLP for tests: what real clients sent, the same as protobuf, and records made from a few words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

SAMPLES = Path(__file__).parents[1] / "samples" / "otlp"

Json = dict[str, Any]


def sent_by(client: str) -> list[Json]:
    """The bodies that a real client posted to `/v1/logs`, as JSON: `claude`, `gemini` or `codex`."""
    found: list[Json] = json.loads((SAMPLES / f"{client}-logs.json").read_text())
    return found


def as_protobuf(body: Json) -> bytes:
    """The same body in the other encoding. Only for bodies without trace ids, which JSON has in hexadecimal."""
    return bytes(ParseDict(body, ExportLogsServiceRequest(), ignore_unknown_fields=True).SerializeToString())


def records(body: Json) -> Iterator[Json]:
    """Every log record of a body, as it is, so that a test may change it."""
    for group in body["resourceLogs"]:
        for scoped in group["scopeLogs"]:
            yield from scoped["logRecords"]


def attributes(values: Mapping[str, object]) -> list[Json]:
    """Attributes in OTLP's JSON."""
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def a_body(*logs: Json, scope: str = "com.anthropic.claude_code.events", **resource: str) -> Json:
    """A request with these records. resource: its attributes, `__` for each dot."""
    named = {name.replace("__", "."): value for name, value in resource.items()}
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": attributes(named)},
                "scopeLogs": [{"scope": {"name": scope}, "logRecords": list(logs)}],
            }
        ]
    }


def a_record(event: str, at: datetime, **values: object) -> Json:
    """A record as Claude Code 2.1 and Gemini CLI 0.61 send one."""
    return {
        "timeUnixNano": f"{int(at.timestamp() * 1000)}000000",
        "body": {"stringValue": event},
        "attributes": attributes({name.replace("__", "."): value for name, value in values.items()}),
    }


def a_call(at: datetime, request: str = "req_1", **changes: object) -> Json:
    """A call of Claude Code, claude-sonnet-4-5, 1,000 output tokens: 1.5 cents."""
    values = {
        "session__id": "s-1",
        "event__name": "api_request",
        "request_id": request,
        "model": "claude-sonnet-4-5",
        "input_tokens": 0,
        "output_tokens": 1_000,
        "cache_read_tokens": 0,
        "cache_creation_tokens": 0,
        **changes,
    }
    return a_record(
        "claude_code.api_request", at, **{name: value for name, value in values.items() if value is not None}
    )


def _value(value: object) -> Json:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case _:
            return {"arrayValue": {"values": [{"stringValue": str(value)}]}}
