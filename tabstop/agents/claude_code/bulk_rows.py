"""Rows of transcripts as msgspec reads them: the fields that `tabstop.agents.claude_code.bulk` looks at, and nothing else."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from tabstop.agents.claude_code.rows import MOST_TOKENS, Row, count, mapping
from tabstop.agents.claude_code.transcript import read_tokens

_TEXTS = ("type", "timestamp", "sessionId", "cwd", "gitBranch", "requestId", "requestSessionId", "agentId")

_Count = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)] | None


class Lifetimes(msgspec.Struct, gc=False):
    """Cache writes by how long they are kept."""

    ephemeral_5m_input_tokens: _Count = None
    ephemeral_1h_input_tokens: _Count = None


class Searches(msgspec.Struct, gc=False):
    """What the vendor's own tools did."""

    web_search_requests: _Count = None


class Used(msgspec.Struct, gc=False):
    """`message.usage`."""

    input_tokens: _Count = None
    cache_read_input_tokens: _Count = None
    cache_creation_input_tokens: _Count = None
    output_tokens: _Count = None
    cache_creation: Lifetimes | None = None
    server_tool_use: Searches | None = None
    speed: str | None = None
    service_tier: str | None = None
    inference_geo: str | None = None


class Message(msgspec.Struct, gc=False):
    """An answer without what it says."""

    id: str | None = None
    model: str | None = None
    usage: Used | None = None


class ToolResult(msgspec.Struct, gc=False):
    """A command's result: only what the client saw git do."""

    gitOperation: Any = None  # noqa: N815 - the client's name


class BulkRow(msgspec.Struct, gc=False):
    """A row. The fields are in the client's order, in which they are found soonest."""

    agentId: str | None = None  # noqa: N815
    message: Message | None = None
    requestId: str | None = None  # noqa: N815
    requestSessionId: str | None = None  # noqa: N815
    isApiErrorMessage: bool | None = None  # noqa: N815
    type: str | None = None
    timestamp: str | None = None
    toolUseResult: ToolResult | str | list[msgspec.Raw] | int | float | bool | None = None  # noqa: N815
    cwd: str | None = None
    sessionId: str | None = None  # noqa: N815
    gitBranch: str | None = None  # noqa: N815
    modelUsage: Any = None  # noqa: N815
    prRepository: Any = None  # noqa: N815
    prNumber: Any = None  # noqa: N815


DECODER = msgspec.json.Decoder(BulkRow)

Spent = tuple[int, int, int, int, int, int, int]
"""Input, cache read, cache write 5 min and 1 h, output, web searches, split known."""


def git_row(row: BulkRow) -> Row:
    """What `transcript.commit_made` looks at."""
    told = row.toolUseResult
    return {
        "timestamp": row.timestamp,
        "toolUseResult": {"gitOperation": told.gitOperation if isinstance(told, ToolResult) else None},
    }


def spent_of(used: Used) -> Spent:
    """See `transcript.read_tokens`."""
    written = used.cache_creation_input_tokens or 0
    five_minutes = an_hour = searches = 0
    if used.cache_creation is not None:
        five_minutes = used.cache_creation.ephemeral_5m_input_tokens or 0
        an_hour = used.cache_creation.ephemeral_1h_input_tokens or 0
    if used.server_tool_use is not None:
        searches = used.server_tool_use.web_search_requests or 0
    untold = max(0, written - five_minutes - an_hour)
    return (
        used.input_tokens or 0,
        used.cache_read_input_tokens or 0,
        five_minutes + untold,
        an_hour,
        used.output_tokens or 0,
        searches,
        int(not untold),
    )


def odd_spent(used: Row) -> Spent:
    """The same of a usage in which something is not of the type it should have. Raises `RowError`."""
    tokens, split = read_tokens(used)
    searches = count(mapping(used.get("server_tool_use")), "web_search_requests")
    kinds = (tokens.input, tokens.cache_read, tokens.cache_write_5m, tokens.cache_write_1h, tokens.output)
    return (*kinds, searches, int(split))


def typed(row: Row) -> BulkRow:
    """The row with what has another type left out, as the functions of `rows` would read it; its usage is not in it."""
    message = mapping(row.get("message"))
    return BulkRow(
        **{name: value for name in _TEXTS if isinstance(value := row.get(name), str)},
        isApiErrorMessage=row.get("isApiErrorMessage") is True,
        message=Message(id=_string(message.get("id")), model=_string(message.get("model"))),
        modelUsage=row.get("modelUsage"),
        prRepository=row.get("prRepository"),
        prNumber=row.get("prNumber"),
    )


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None
