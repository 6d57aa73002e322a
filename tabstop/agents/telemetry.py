"""Telemetry: a log record that a client sent over OTLP, cut down to the names somebody reads, and what it tells.

Names of repository, branch and commit are OpenTelemetry's: https://opentelemetry.io/docs/specs/semconv/registry/attributes/vcs/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tabstop.agents.claude_code.rows import RowError
from tabstop.evidence import CommitMade, Evidence, branch_named, commit_named, repository_named
from tabstop.usage import Usage

Value = str | int | float | bool
"""What is taken of an attribute; lists, maps and bytes are not."""

LONGEST_VALUE = 255
"""Characters of a text that is taken at all."""

REPOSITORY = "vcs.repository.url.full"
BRANCH = "vcs.ref.head.name"
COMMIT = "vcs.ref.head.revision"
KIND = "vcs.ref.head.type"
WHERE = frozenset({REPOSITORY, BRANCH, COMMIT, KIND})
"""Attributes that say where work is done: of a resource, for everything it sends."""

MOST_TOKENS = 10_000_000_000
"""Of one kind in one call, as in any report to the server."""

_DIGITS = 15


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record. name: the event's, as `claude_code.api_request`. at: when it happened.

    attributes, resource: only what the allow-list of this event lets through (`tabstop.agents.otlp.ALLOWED`).
    """

    name: str
    at: datetime | None = None
    attributes: Mapping[str, Value] = field(default_factory=dict)
    resource: Mapping[str, Value] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """An attribute that is a text; of the resource where the record has none. Empty for anything else."""
        value = self.attributes.get(name, self.resource.get(name))
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a record tells: of a client's session (the vendor's own id), a call or a commit."""

    agent: str
    session: str
    usage: Usage | None = None
    commit: CommitMade | None = None


def counted(record: LogRecord, name: str) -> int:
    """A count of tokens, which clients send as numbers or as texts; 0 when absent. Raises `RowError` for what is no count."""
    value = record.attributes.get(name, 0)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_TOKENS:
        raise RowError(f"{name} is not a count")
    return value


def where_sent(record: LogRecord) -> Evidence:
    """Where its resource says that work is done. That is said once, when the client starts: a later checkout is not in it."""
    resource = LogRecord(record.name, resource=record.resource)
    branch = "" if resource.text(KIND) == "tag" else branch_named(resource.text(BRANCH))
    return Evidence(repository_named(resource.text(REPOSITORY)), branch, commit_named(resource.text(COMMIT)))
