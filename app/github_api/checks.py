"""Check runs: the request bodies, within GitHub's limits."""

from __future__ import annotations

from typing import Any

from app.github_api.connection import Connection
from app.github_api.protocol import Annotation, CheckRun

ANNOTATIONS_A_REQUEST = 50
"""More are appended by further updates (docs.github.com/rest/checks/runs)."""

LONGEST_OUTPUT = 65_535
"""Characters of `summary` and of `text`."""

_CUT = "\n\n… (cut: GitHub shows no more)"


def create(connection: Connection, full_name: str, check: CheckRun) -> int:
    """Post a completed check run with all its annotations; answers its id."""
    data = connection.send("POST", f"/repos/{full_name}/check-runs", body_of(check) | {"head_sha": check.head_sha})
    check_run_id = int(data["id"])
    _append(connection, full_name, check_run_id, check)
    return check_run_id


def update(connection: Connection, full_name: str, check_run_id: int, check: CheckRun) -> None:
    """Replace conclusion and output. Annotations already there stay: GitHub only appends."""
    connection.send("PATCH", f"/repos/{full_name}/check-runs/{check_run_id}", body_of(check))
    _append(connection, full_name, check_run_id, check)


def body_of(check: CheckRun, skipped: int = 0) -> dict[str, Any]:
    """The body of a create or an update; annotations from number `skipped` on, as many as one request may have."""
    shown = check.annotations[skipped : skipped + ANNOTATIONS_A_REQUEST]
    output: dict[str, Any] = {"title": check.title, "summary": _within(check.summary)}
    if check.text:
        output["text"] = _within(check.text)
    if shown:
        output["annotations"] = [_annotation(annotation) for annotation in shown]
    body: dict[str, Any] = {
        "name": check.name,
        "status": "completed",
        "conclusion": check.conclusion,
        "output": output,
    }
    if check.details_url:
        body["details_url"] = check.details_url
    return body


def _append(connection: Connection, full_name: str, check_run_id: int, check: CheckRun) -> None:
    for skipped in range(ANNOTATIONS_A_REQUEST, len(check.annotations), ANNOTATIONS_A_REQUEST):
        connection.send("PATCH", f"/repos/{full_name}/check-runs/{check_run_id}", body_of(check, skipped))


def _annotation(annotation: Annotation) -> dict[str, Any]:
    body = {
        "path": annotation.path,
        "start_line": annotation.start_line,
        "end_line": annotation.end_line,
        "annotation_level": annotation.level,
        "message": annotation.message,
    }
    return body | {"title": annotation.title} if annotation.title else body


def _within(text: str) -> str:
    return text if len(text) <= LONGEST_OUTPUT else text[: LONGEST_OUTPUT - len(_CUT)] + _CUT
