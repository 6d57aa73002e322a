"""The report as JSON and CSV, for programs: integers of nano-dollars, and dollars as text. docs/cost.md describes both."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

from tabstop.money import Nano, plain
from tabstop.report.report import Report
from tabstop.report.tally import Row, Sum

VERSION = 1
"""Of the format. It grows only when something that was there means something else or is gone."""

_TOKENS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")

_COLUMNS = (
    "of", "repository", "branch", "pull_request", "title", "state", "name", "confidence", "reason",
    "dollars", "nano_dollars", "notional_dollars", "notional_nano_dollars", "calls", "unpriced_calls", "estimated_calls",
    "sessions", *(f"{kind}_tokens" for kind in _TOKENS), "web_searches", "first", "last",
)  # fmt: skip

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def as_json(report: Report) -> dict[str, Any]:
    """All of it."""
    return {
        "version": VERSION,
        "made_at": _time(report.made_at),
        "by": report.by.value,
        "since": _time(report.since) if report.since else None,
        "timezone": report.timezone,
        "paths": list(report.paths),
        "total": _sum(report.total),
        "unplaced": _sum(report.unplaced),
        "rows": [_row(row) for row in report.rows],
        "unpriced_models": dict(report.unpriced),
        "files": report.files,
        "skipped_lines": report.skipped,
        "skipped": [{"path": path, "line": line or None, "reason": why} for path, line, why in report.skipped_lines],
        "unread_files": [{"path": path, "reason": reason} for path, reason in report.unread],
        "notes": list(report.notes),
    }


def as_csv(report: Report) -> str:
    """The rows, without a total. A text that a spreadsheet would compute has `'` before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # RFC 4180
    writer.writerow(_COLUMNS)
    for row in report.rows:
        found = _row(row)
        pull = found.pop("pull_request") or {}
        tokens = found.pop("tokens")
        found |= {f"{kind}_tokens": count for kind, count in tokens.items()}
        found |= {"pull_request": pull.get("number"), "title": pull.get("title")}
        writer.writerow([_cell(found[name]) for name in _COLUMNS])
    return out.getvalue()


def _row(row: Row) -> dict[str, Any]:
    pull = row.pull_request
    return {
        "of": row.of.value,
        "repository": row.repository or None,
        "branch": row.branch or None,
        "pull_request": pull and {"number": pull.number, "title": pull.title or None, "url": pull.url or None},
        "state": row.state or None,
        "name": row.name or None,
        "confidence": row.confidence and row.confidence.value,
        "reason": row.reason or None,
        **_sum(row.sum),
    }


def _sum(one: Sum) -> dict[str, Any]:
    return {
        "nano_dollars": one.billed,
        "dollars": _dollars(one.billed),
        "notional_nano_dollars": one.by_plan,
        "notional_dollars": _dollars(one.by_plan),
        "calls": one.calls,
        "unpriced_calls": one.unpriced,
        "estimated_calls": one.estimated,
        "sessions": len(one.sessions),
        "tokens": {kind: getattr(one, kind) for kind in _TOKENS},
        "web_searches": one.web_searches,
        "first": _time(datetime.fromtimestamp(one.first, UTC)) if one.first else None,
        "last": _time(datetime.fromtimestamp(one.last, UTC)) if one.last else None,
    }


def _dollars(nano: Nano | None) -> str | None:
    return None if nano is None else plain(nano)


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
