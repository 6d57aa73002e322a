"""What a run of Gemini CLI printed: `-o json`, `-o stream-json`, and `gemini-artifacts/stdout.log`, as run-gemini-cli leaves it.

It gives totals of one run by model, never calls, and with them those that no chat holds (the router that chooses a model).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tabstop.agents.claude_code.rows import Row, RowError, count, ident, mapping
from tabstop.agents.gemini.chat_rows import read_tokens
from tabstop.usage import Tokens
from tabstop.wire import ClientTotal

LONGEST_FILE = 256 * 1024 * 1024
"""Bytes; a file beyond this is not read."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """One run. counts: tokens by model, of this run alone also where it resumed a session. failed: it ended with an error.

    complete: False for one that was cut off, or in part cannot be read.
    """

    session: str = ""
    counts: Mapping[str, Tokens] = field(default_factory=dict)
    failed: bool = False
    complete: bool = False

    @property
    def totals(self) -> tuple[ClientTotal, ...]:
        """As the wire carries them."""
        return tuple(ClientTotal(self.session, model, tokens) for model, tokens in sorted(self.counts.items()))


def read_result(path: Path) -> RunResult | None:
    """What the file holds; None when it is not there, no plain file, too long, or nothing in it can be read."""
    try:
        if not path.is_file():  # opening a pipe would wait for its writer
            return None
        with path.open("rb") as stream:
            content = stream.read(LONGEST_FILE + 1)
    except OSError:
        return None
    if len(content) > LONGEST_FILE:
        return None
    session, result = "", None
    for event in _objects(content.decode("utf-8", "replace")):
        session = ident(event.get("session_id")) or session
        if event.get("type") == "result" or ("type" not in event and "session_id" in event):
            result = event
    if result is None:
        return RunResult(session) if session else None
    failed = bool(result.get("error")) or result.get("status") == "error"
    try:
        return RunResult(session, _counts(mapping(result.get("stats"))), failed, complete=True)
    except RowError:
        return RunResult(session, failed=failed)


def _counts(stats: Row) -> dict[str, Tokens]:
    told = {name: mapping(one) for key, one in mapping(stats.get("models")).items() if (name := ident(key))}
    found = {
        model: read_tokens(mapping(one["tokens"]), prompt="prompt", answer="candidates")
        if "tokens" in one
        else _of_stream(one)
        for model, one in told.items()
    }
    return {model: tokens for model, tokens in found.items() if tokens.total}


def _of_stream(told: Row) -> Tokens:
    """A stream does not tell thoughts: they are what its total has besides the prompt and the answer."""
    cached, prompt = count(told, "cached"), count(told, "input_tokens")
    output = max(count(told, "output_tokens"), count(told, "total_tokens") - prompt)
    return Tokens(input=max(0, prompt - cached), cache_read=cached, output=output)


_DECODER = json.JSONDecoder()


def _objects(content: str) -> Iterator[Row]:
    """JSON objects that begin at the beginning of a line; the client prints warnings between them."""
    at = 0
    while at < len(content):
        end = content.find("\n", at)
        if content[at] == "{":
            try:
                value, read_to = _DECODER.raw_decode(content, at)
            except (ValueError, RecursionError):
                pass
            else:
                if isinstance(value, dict):
                    yield value
                end = content.find("\n", read_to)
        if end < 0:
            return
        at = end + 1
