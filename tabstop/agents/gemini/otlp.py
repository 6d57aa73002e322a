"""Gemini CLI's telemetry: `gemini_cli.api_response` tells each call, routing and compression too. As sent by 0.61.

Right behind it comes a record of the same call under OpenTelemetry's own name, which tells the vendor's id of the response and not all
of its counts.
"""

from __future__ import annotations

from tabstop.agents.claude_code.rows import RowError, ident, moment
from tabstop.agents.gemini.hooks import AGENT
from tabstop.agents.telemetry import WHERE, Heard, LogRecord, counted, where_sent
from tabstop.usage import Tokens, Usage

API_RESPONSE = "gemini_cli.api_response"
DETAILS = "gen_ai.client.inference.operation.details"

_TIME, _ID = "event.timestamp", "gen_ai.response.id"
_INPUT, _OUTPUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"

ALLOWED = {
    API_RESPONSE: WHERE
    | {
        "session.id", "model", _TIME,
        "input_token_count", "output_token_count", "cached_content_token_count", "thoughts_token_count", "tool_token_count",
    },
    DETAILS: frozenset({"session.id", _TIME, _ID, _INPUT, _OUTPUT}),
}  # fmt: skip
"""All that is taken. Never its `response_text` or `error`, nor its resource's `process.command_args`, which hold the prompt."""


def heard(record: LogRecord, behind: LogRecord | None = None) -> Heard | None:
    """What a record tells; None for one that tells nothing by itself. Raises `RowError` for what is no call.

    behind: the record that came right behind it. `input` holds what was cached; thoughts stand beside the output.
    """
    if record.name == DETAILS:
        return None
    session, model, at = ident(record.text("session.id")), ident(record.attributes.get("model")), record.at
    if not session or not model or at is None:
        raise RowError("a call without session.id, model or time")
    prompt, answer = counted(record, "input_token_count"), counted(record, "output_token_count")
    cached = counted(record, "cached_content_token_count")
    tokens = Tokens(
        input=max(0, prompt - cached) + counted(record, "tool_token_count"),
        cache_read=cached,
        output=answer + counted(record, "thoughts_token_count"),
    )
    response = _response(record, behind, prompt, answer)
    told = record.text(_TIME) if moment(record.text(_TIME)) else int(at.timestamp() * 1000)
    said = f"{session}/{told}/{tokens.prompt}.{tokens.output}"
    key = f"google:resp:{response}" if response else f"google:said:{said}"
    return Heard(
        AGENT, session, usage=Usage((key,), model, tokens, at, AGENT, thread=session, evidence=where_sent(record))
    )


def _response(record: LogRecord, behind: LogRecord | None, prompt: int, answer: int) -> str:
    """The vendor's id, where the record behind is of the same call; two requests may have parted them."""
    if behind is None or behind.name != DETAILS:
        return ""
    same = all(record.text(name) == behind.text(name) for name in ("session.id", _TIME))
    if not same or (counted(behind, _INPUT), counted(behind, _OUTPUT)) != (prompt, answer):
        return ""
    return ident(behind.text(_ID))
