"""What is taken of clients' OTLP logs: which events, which of their attributes, and what each tells.

Codex sends logs too, and they are not read: they name neither the response nor anything else by which a call that its
rollout tells as well could be known.
"""

from __future__ import annotations

from collections.abc import Mapping

from tabstop.agents.claude_code import otlp as claude_code
from tabstop.agents.gemini import otlp as gemini
from tabstop.agents.telemetry import Heard, LogRecord

CLAUDE_CODE_SCOPE = "com.anthropic.claude_code.events"
"""Of the records whose `event.name` leaves out `claude_code.`."""

ALLOWED: Mapping[str, frozenset[str]] = {**claude_code.ALLOWED, **gemini.ALLOWED}
"""By event, the attributes that are taken, of records and of resources. Everything else is dropped as it is decoded."""


def event_named(scope: str, *names: str) -> str:
    """The event that is read, by any of the names a record gives itself; empty for all others."""
    for name in names:
        full = f"claude_code.{name}" if scope == CLAUDE_CODE_SCOPE else name
        if name in ALLOWED or full in ALLOWED:
            return name if name in ALLOWED else full
    return ""


def heard(record: LogRecord, behind: LogRecord | None = None) -> Heard | None:
    """What a record tells; None for nothing of use. Raises `RowError` for a call that cannot be read.

    behind: the record that came right behind it in its request.
    """
    return gemini.heard(record, behind) if record.name in gemini.ALLOWED else claude_code.heard(record)
