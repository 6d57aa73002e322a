"""Claude Code's telemetry: `api_request` tells each call, subagents' and compaction's too; `tool_result` tells commits.

Attributes as sent by 2.1.330. Its metric `pull_request.count` counts attempts too, so it is no evidence and not read.
"""

from __future__ import annotations

from tabstop.agents.claude_code.rows import RowError, ident
from tabstop.agents.claude_code.transcript import AGENT
from tabstop.agents.telemetry import BRANCH, COMMIT, KIND, WHERE, Heard, LogRecord, counted, where_sent
from tabstop.evidence import CommitMade, branch_named, commit_named
from tabstop.model_id import with_variant
from tabstop.usage import Tokens, Usage

API_REQUEST = "claude_code.api_request"
TOOL_RESULT = "claude_code.tool_result"

ALLOWED = {
    API_REQUEST: WHERE
    | {
        "session.id", "agent_id", "request_id", "event.sequence", "model", "speed",
        "input_tokens", "output_tokens", "cache_read_tokens",
        "cache_creation_tokens", "cache_creation_5m_tokens", "cache_creation_1h_tokens",
    },
    TOOL_RESULT: WHERE | {"session.id"},
}  # fmt: skip
"""All that is taken of each event. Never a prompt, `tool_parameters`, `tool_input`, output or error, nor `user.email`."""


def heard(record: LogRecord) -> Heard | None:
    """What a record tells; None for nothing of use. Raises `RowError` for a call that cannot be read."""
    session = ident(record.attributes.get("session.id"))
    if record.name == TOOL_RESULT:
        made = _commit(record)
        return Heard(AGENT, session, commit=made) if made is not None and session else None
    if not session:
        raise RowError("a call without session.id")
    return Heard(AGENT, session, usage=_usage(record, session))


def _usage(record: LogRecord, session: str) -> Usage:
    model, at = ident(record.attributes.get("model")), record.at
    if not model or at is None:
        raise RowError("a call without model or time")
    tokens, split_known = _tokens(record)
    return Usage(
        keys=(_key(record, session, int(at.timestamp() * 1000)),),
        model=with_variant(model, record.text("speed")),
        tokens=tokens,
        occurred_at=at,
        agent=AGENT,
        thread=ident(record.attributes.get("agent_id")) or session,
        cache_split_known=split_known,
        evidence=where_sent(record),
    )


def _key(record: LogRecord, session: str, at: int) -> str:
    """The API's request id is the transcript's too. Other clouds' answers have none; then it is this record's own."""
    request = ident(record.attributes.get("request_id"))
    if request:
        return f"anthropic:req:{request}"
    return f"anthropic:otel:{session}/{at}.{counted(record, 'event.sequence')}"


def _tokens(record: LogRecord) -> tuple[Tokens, bool]:
    """The tokens, and whether each cache write's time to live is told."""
    written = counted(record, "cache_creation_tokens")
    short, long = counted(record, "cache_creation_5m_tokens"), counted(record, "cache_creation_1h_tokens")
    split_known = short + long >= written
    if not split_known:
        short = written - long
    read = counted(record, "cache_read_tokens")
    return Tokens(counted(record, "input_tokens"), read, short, long, counted(record, "output_tokens")), split_known


def _commit(record: LogRecord) -> CommitMade | None:
    """The commit that a tool made. The client repeats its resource's attributes in every record: those are none."""
    sha = commit_named(str(record.attributes.get(COMMIT, "")))
    if not sha or sha == commit_named(str(record.resource.get(COMMIT, ""))):
        return None
    branch = "" if record.text(KIND) == "tag" else branch_named(record.text(BRANCH))
    return CommitMade(sha, where_sent(record).repository, branch, record.at)
