"""Gemini CLI's telemetry: `gemini_cli.api_response` tells each call, routing and compression too. As sent by 0.61."""

from __future__ import annotations

from tabstop.agents.claude_code.rows import RowError, ident
from tabstop.agents.gemini.hooks import AGENT
from tabstop.agents.gemini.same_call import recognizable
from tabstop.agents.telemetry import WHERE, Heard, LogRecord, counted, where_sent
from tabstop.usage import Tokens, Usage

API_RESPONSE = "gemini_cli.api_response"

ALLOWED = {
    API_RESPONSE: WHERE
    | {
        "session.id", "model",
        "input_token_count", "output_token_count", "cached_content_token_count", "thoughts_token_count", "tool_token_count",
    },
}  # fmt: skip
"""All that is taken. Never its `response_text` or `error`, nor its resource's `process.command_args`, which hold the prompt."""


def heard(record: LogRecord) -> Heard:
    """What a record tells. `input` holds what was cached; thoughts stand beside the output. Raises `RowError` for what is no call."""
    session, model, at = ident(record.text("session.id")), ident(record.attributes.get("model")), record.at
    if not session or not model or at is None:
        raise RowError("a call without session.id, model or time")
    cached = counted(record, "cached_content_token_count")
    tokens = Tokens(
        input=max(0, counted(record, "input_token_count") - cached) + counted(record, "tool_token_count"),
        cache_read=cached,
        output=counted(record, "output_token_count") + counted(record, "thoughts_token_count"),
    )
    usage = Usage((), model, tokens, at, AGENT, thread=session, evidence=where_sent(record))
    return Heard(AGENT, session, usage=recognizable(usage, session))
