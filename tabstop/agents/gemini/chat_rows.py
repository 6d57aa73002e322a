"""The rows of Gemini CLI's chat files, one after the other: the usage of each answer and where it was made. As written by 0.61.

A row is a message, or a patch of the chat (`$set`, `$rewindTo`) that may hold messages too. An answer is written when it is there,
and again with each of its tools' results. What was rewound was paid for all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tabstop.agents.claude_code.rows import Row, RowError, count, ident, mapping, moment, text
from tabstop.agents.gemini.hooks import AGENT
from tabstop.agents.git_seen import GitSeen
from tabstop.evidence import Evidence
from tabstop.usage import Tokens, Usage


class ChatRows:
    """One chat. session: its id, a subagent's own. folder: the working directory, where it is known."""

    def __init__(self, folder: str = "") -> None:
        """Start before the first row."""
        self.session = ""
        self.git = GitSeen()
        self.git.evidence = Evidence(folder=folder)
        self._made: dict[str, Evidence] = {}
        self._ran: set[str] = set()

    def messages(self, row: Row) -> Iterator[Row]:
        """The answers in a row, or in a whole chat (older versions kept each in one JSON object)."""
        self.session = self.session or ident(row.get("sessionId"))
        if row.get("type") == "gemini":
            yield row
        held: Any = mapping(row.get("$set")).get("messages", row.get("messages"))
        for one in held if isinstance(held, list) else []:
            if isinstance(one, dict) and one.get("type") == "gemini":
                yield one

    def usage(self, message: Row) -> Usage | None:
        """The usage of one answer; None for one that used nothing, or does not tell it yet. Raises `RowError`."""
        name, model, at = ident(message.get("id")), ident(message.get("model")), moment(message.get("timestamp"))
        used = message.get("tokens")
        evidence = self._made.setdefault(name, self.git.evidence) if name else self.git.evidence
        self._tools(message, at)
        if not used:
            return None
        if not name or not model or at is None or not isinstance(used, dict):
            raise RowError("an answer without id, model, time or tokens")
        tokens = read_tokens(used)
        if not tokens.total:
            return None
        key = f"google:chat:{self.session}/{name}"
        return Usage((key,), model, tokens, at, AGENT, self.session, evidence=evidence)

    def _tools(self, message: Row, at: datetime | None) -> None:
        """Shell commands among the tools that ran, each looked at once."""
        calls = message.get("toolCalls")
        for call in map(mapping, calls if isinstance(calls, list) else []):
            name, arguments = ident(call.get("id")), mapping(call.get("args"))
            command, folder = arguments.get("command"), arguments.get("dir_path") or arguments.get("directory")
            if name and name not in self._ran and isinstance(command, str):
                self._ran.add(name)
                self.git.ran(f"cd {folder} && {command}" if folder else command, _printed(call.get("result")), at)


def read_tokens(used: Row, *, prompt: str = "input", answer: str = "output") -> Tokens:
    """The prompt holds what was cached; thoughts are billed as output and stand beside the answer. Raises `RowError`.

    prompt, answer: what the two are called; a chat's rows and a run's statistics differ in it.
    """
    cached = count(used, "cached")
    return Tokens(
        input=max(0, count(used, prompt) - cached) + count(used, "tool"),
        cache_read=cached,
        output=count(used, answer) + count(used, "thoughts"),
    )


def _printed(result: object) -> str:
    """What a shell command printed, in `functionResponse.response.output`."""
    parts = result if isinstance(result, list) else []
    said = [mapping(mapping(mapping(one).get("functionResponse")).get("response")).get("output") for one in parts]
    # `Output: ` stands before its first line, inside a mark that it is not to be trusted.
    return "\n".join(one.replace("Output: ", "\n", 1) for one in said if isinstance(one, str))


def project_folder(written: str) -> str:
    """The working directory as `.project_root` and `projects.json` name it; empty for what is no absolute path."""
    folder = text(written.strip())
    return folder if folder.startswith("/") or folder[1:3] == ":\\" else ""
