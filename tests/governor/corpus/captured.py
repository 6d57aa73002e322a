"""Captured sessions as streams of facts: what a governor beside the agent would have been told, from the files the agent left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from tabstop.agents.claude_code.rows import RowError, Skips, lines_of, moment, rows_of
from tabstop.agents.claude_code.tools import canonical_json
from tabstop.agents.claude_code.transcript import read_tokens
from tabstop.governor.facts import Answer, Fact, Probed, SubagentEnded, ToolFinished, ToolStarted
from tabstop.governor.likeness import likeness_of
from tabstop.usage import Tokens
from tests.support.samples import CLAUDE, SAMPLES

EDITS = {"Edit", "MultiEdit", "Write", "NotebookEdit", "apply_patch", "write_file", "replace"}
"""Tools after which the working tree looks different. What shell commands change is left out: harder for a detector."""


def captured() -> dict[str, list[Fact]]:
    """Every captured session of the samples, by name."""
    found = {
        f"claude/{path.parts[-4]}/{path.stem[:8]}": list(claude_facts(path))
        for path in sorted(CLAUDE.glob("*/projects/*/*.jsonl"))
    }
    found |= {f"codex/{path.stem}": list(codex_facts(path)) for path in sorted(SAMPLES.glob("codex/rollout*.jsonl"))}
    found |= {f"gemini/{path.stem}": list(gemini_facts(path)) for path in sorted(SAMPLES.glob("gemini/chat*.jsonl"))}
    return found


def claude_facts(main: Path) -> Iterator[Fact]:
    """A Claude Code session: its transcript and those of its subagents."""
    facts = list(_claude_file(main, ""))
    for file in sorted(main.with_suffix("").glob("subagents/*.jsonl")):
        thread = list(_claude_file(file, file.stem))
        facts += thread
        if thread:
            facts.append(SubagentEnded(max(fact.at for fact in thread), file.stem))
    return _probed(facts)


def _claude_file(file: Path, thread: str) -> Iterator[Fact]:
    answers: dict[str, tuple[datetime, str, Tokens, str]] = {}
    called: dict[str, tuple[str, str]] = {}
    for row in _rows(file):
        at, message = moment(row.get("timestamp")), row.get("message")
        if at is None or not isinstance(message, dict) or message.get("model") == "<synthetic>":
            continue
        blocks = [one for one in message.get("content") or [] if isinstance(one, dict)]
        if row.get("type") == "assistant":
            yield from _claude_calls(at, blocks, thread, called)
            _claude_answer(at, message, blocks, answers)
        for block in blocks:
            call = str(block.get("tool_use_id", ""))
            if block.get("type") == "tool_result" and call in called:
                name, arguments = called.pop(call)
                yield ToolFinished(at, name, arguments, block.get("is_error") is True, thread, call)
    for at, model, tokens, text in answers.values():
        yield Answer(at, model, tokens, None, thread, likeness=likeness_of(text))


def _claude_calls(
    at: datetime, blocks: list[dict[str, Any]], thread: str, called: dict[str, tuple[str, str]]
) -> Iterator[Fact]:
    for block in blocks:
        if block.get("type") == "tool_use":
            call, name, arguments = str(block["id"]), str(block["name"]), _digest(block.get("input"))
            called[call] = (name, arguments)
            yield ToolStarted(at, name, arguments, thread, call)


def _claude_answer(
    at: datetime,
    message: dict[str, Any],
    blocks: list[dict[str, Any]],
    answers: dict[str, tuple[datetime, str, Tokens, str]],
) -> None:
    """Each block of an answer is a row of its own, and each says what the answer used."""
    try:
        tokens, _ = read_tokens(message.get("usage") or {})
    except RowError:
        return
    text = " ".join(str(block.get("text", "")) for block in blocks if block.get("type") == "text")
    first, model, most, so_far = answers.get(message["id"], (at, str(message.get("model")), tokens, ""))
    best = max(most, tokens, key=lambda one: one.total)
    answers[message["id"]] = (first, model, best, f"{so_far} {text}".strip())


def codex_facts(file: Path) -> Iterator[Fact]:
    """A Codex session's rollout."""
    return _probed(_codex(file))


def _codex(file: Path) -> Iterator[Fact]:
    called: dict[str, tuple[str, str]] = {}
    text = ""
    for row in _rows(file):
        at, payload = moment(row.get("timestamp")), row.get("payload")
        if at is None or not isinstance(payload, dict):
            continue
        kind, call = payload.get("type"), str(payload.get("call_id", ""))
        if kind in {"function_call", "custom_tool_call"}:
            called[call] = (str(payload["name"]), _digest(payload.get("arguments", payload.get("input"))))
            yield ToolStarted(at, *called[call], call=call)
        elif kind in {"function_call_output", "custom_tool_call_output"} and call in called:
            yield ToolFinished(at, *called.pop(call), call=call)
        elif kind == "message" and payload.get("role") == "assistant":
            text = " ".join(str(part.get("text", "")) for part in payload.get("content", []))
        elif row.get("type") == "token_usage_record":
            yield Answer(at, "gpt-5.5", _codex_tokens(payload["usage"]), likeness=likeness_of(text))
            text = ""


def _codex_tokens(used: dict[str, int]) -> Tokens:
    cached = used.get("cached_input_tokens", 0)
    return Tokens(input=used["input_tokens"] - cached, cache_read=cached, output=used["output_tokens"])


def gemini_facts(file: Path) -> Iterator[Fact]:
    """A Gemini CLI session's chat file. Its rows tell when an answer came, not when its tools ran."""
    return _probed(_gemini(file))


def _gemini(file: Path) -> Iterator[Fact]:
    last: dict[str, Any] = {}
    for row in _rows(file):
        # An answer is written once without its tool calls and once with them.
        if last and row.get("id", last.get("id")) != last.get("id"):
            yield from _gemini_answer(last)
            last = {}
        if row.get("type") == "gemini":
            last = row
    if last:
        yield from _gemini_answer(last)


def _gemini_answer(row: dict[str, Any]) -> Iterator[Fact]:
    at, used = moment(row.get("timestamp")), row.get("tokens") or {}
    if at is None:
        return
    cached = used.get("cached", 0)
    tokens = Tokens(input=used.get("input", 0) - cached, cache_read=cached, output=used.get("output", 0))
    yield Answer(at, str(row.get("model", "")), tokens, likeness=likeness_of(str(row.get("content", ""))))
    for call in row.get("toolCalls", []):
        failed = call.get("status") == "error"
        yield ToolFinished(at, str(call["name"]), _digest(call.get("args")), failed, call=str(call["id"]), unseen=True)


def _rows(file: Path) -> Iterable[dict[str, Any]]:
    with file.open("rb") as stream:
        yield from (row for _, row in rows_of(lines_of(stream), Skips()))


def _digest(arguments: object) -> str:
    """The tests' digest of arguments; any will do that is equal for equal ones."""
    return blake2b(canonical_json(arguments), digest_size=8).hexdigest()


def _probed(facts: Iterable[Fact]) -> Iterator[Fact]:
    """In the order of time, with a look at the working tree after each edit."""
    edits = 0
    for fact in sorted(facts, key=lambda one: one.at):
        yield fact
        if isinstance(fact, ToolFinished) and fact.name in EDITS and not fact.failed:
            edits += 1
            yield Probed(fact.at, f"tree {edits}")
