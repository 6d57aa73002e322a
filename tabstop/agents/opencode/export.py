"""What `opencode export SESSION` prints: one session with its messages, as JSON."""

from __future__ import annotations

from typing import BinaryIO

from tabstop.agents.claude_code.responses import Responses
from tabstop.agents.claude_code.rows import Row, RowError, Skips, ident, mapping, text
from tabstop.agents.log_files import LogReading
from tabstop.agents.long_list import parts_of
from tabstop.agents.opencode.messages import Messages, Place

LONGEST_EXPORT = 64 * 1024 * 1024
"""Bytes; it is one JSON object."""

_NEITHER = "neither a database nor an export of OpenCode"


def read_export(stream: BinaryIO) -> LogReading:
    """Read an export. The number of what was skipped is its message's. Never raises for its content.

    What is none has a `problem`.
    """
    content = stream.read(LONGEST_EXPORT + 1)
    if len(content) > LONGEST_EXPORT:
        return LogReading(problem="larger than 64 MiB")
    # The client prints a line of its own before it when its output is a terminal.
    parts = parts_of(content[max(0, content.find(b"{")) :], "messages")
    try:
        about = mapping(next(parts).get("info"))
    except RowError as error:
        return LogReading(problem=f"{_NEITHER} ({error})")
    session = ident(about.get("id"))
    if not session:
        return LogReading(problem=_NEITHER)
    messages = Messages(session, Place(text(about.get("directory"))))
    skips, responses, number = Skips(), Responses(), 0
    try:
        for number, one in enumerate(parts, start=1):
            _take(messages, one, number, skips, responses)
    except RowError as error:
        skips.add(number + 1, str(error))
    return LogReading(
        session=ident(about.get("parentID")) or session,
        usages=responses.usages(),
        pull_requests=messages.git.pull_requests,
        commits=messages.git.commits,
        skipped=tuple(skips.first),
        skip_reasons=dict(skips.reasons),
    )


def _take(messages: Messages, one: Row, number: int, skips: Skips, responses: Responses) -> None:
    message = mapping(one.get("info"))
    try:
        for usage in messages.take(text(message.get("id")), message, _parts(one)):
            responses.add(usage)
    except (RowError, RecursionError) as error:
        skips.add(number, str(error))


def _parts(one: Row) -> list[Row]:
    parts = one.get("parts")
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
