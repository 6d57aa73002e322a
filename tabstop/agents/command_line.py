"""What an agent's command line tells whoever runs it: which agent, whose session, whether somebody types, where it writes its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Protocol

from tabstop.agents.dialect import Read


@dataclass(frozen=True, slots=True)
class Invocation:
    """A command line of a known agent.

    agent: as its hooks are installed. argv: as it is to be started. headless: it works by itself and ends.
    session: the agent's own session id, where the command line tells it. resumed: it goes on with an earlier session.
    blind: why nothing of what it uses can be seen in its log; empty when it can. leaves: why nothing of it can be seen at all.
    """

    agent: str
    argv: tuple[str, ...]
    headless: bool
    session: str = ""
    resumed: bool = False
    blind: str = ""
    leaves: str = ""


@dataclass(frozen=True, slots=True)
class LastAnswer:
    """How to ask an agent for one last answer. environ: besides its own."""

    argv: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)


class AgentLog(Protocol):
    """What an agent writes about its session while it works, wherever that is."""

    @property
    def session(self) -> str:
        """The agent's own session id; empty until its log was found."""
        ...

    @property
    def found(self) -> bool:
        """Whether there is a log at all."""
        ...

    def read(self) -> list[Read]:
        """As `tabstop.agents.dialect.UsageLog.read`. `tool_calls` of a usage are the tools it read the results of."""
        ...


class CommandLine(Protocol):
    """One agent's command line."""

    @property
    def agent(self) -> str:
        """As its hooks are installed."""
        ...

    @property
    def usage_name(self) -> str:
        """As usage and the server name it."""
        ...

    @property
    def hooks_tell_usage(self) -> bool:
        """Whether its hooks tell what it used under keys of their own: then its log must not be counted too."""
        ...

    @property
    def summarizes(self) -> bool:
        """Whether it can be asked for one last answer that the proxy bounds."""
        ...

    def read(self, argv: Sequence[str], *, new_session: str, terminal: bool) -> Invocation | None:
        """What the command line says; None when it begins no session. terminal: its output is one.

        new_session: an id for a session that begins, where the agent lets one choose.
        """
        ...

    def harmless(self, argv: Sequence[str]) -> bool:
        """Whether a command line that begins no session asks no model either, such as `login`: then nothing need bound it."""
        ...

    def with_hooks(self, argv: Sequence[str], settings: str) -> tuple[str, ...]:
        """The same with settings (JSON) for this run alone; unchanged where the agent takes none."""
        ...

    def last_answer(self, argv: Sequence[str], session: str, prompt: str, tokens: int) -> LastAnswer | None:
        """How to ask for one more answer of at most so many tokens; None where it cannot be asked.

        Its own options bound it to neither: the metering proxy does, which stands between it and its vendor.
        """
        ...

    def resume(self, session: str) -> str:
        """What people type to go on with a session."""
        ...

    def log(self, environ: Mapping[str, str], cwd: str, session: str, key: bytes) -> AgentLog:
        """Its log, from now on. session: empty when not known: then it is the first one that grows for this folder."""
        ...


PROGRAMS = {"claude-code": "claude", "codex": "codex", "gemini": "gemini"}
"""The program of each agent, by the name its hooks are installed under."""


def command_line_of(program: str) -> CommandLine | None:
    """The agent behind a program, by its path or name; None for one nobody knows."""
    name = PurePath(program).name.lower()
    for suffix in (".exe", ".cmd", ".js"):
        name = name.removesuffix(suffix)
    if name == "claude":
        from tabstop.agents.claude_code.command_line import ClaudeCodeCommand  # noqa: PLC0415 - each imports this module

        return ClaudeCodeCommand()
    if name == "codex":
        from tabstop.agents.codex.command_line import CodexCommand  # noqa: PLC0415

        return CodexCommand()
    if name == "gemini":
        from tabstop.agents.gemini.command_line import GeminiCommand  # noqa: PLC0415

        return GeminiCommand()
    return None


def value_of(argv: Sequence[str], *options: str) -> str:
    """The value of an option, however it is written (`--x v`, `--x=v`), up to a bare `--`; empty when it is not there."""
    for at, word in enumerate(argv):
        if word == "--":
            break
        if word in options and at + 1 < len(argv):
            return argv[at + 1]
        name, sign, value = word.partition("=")
        if sign and name in options:
            return value
    return ""


def has(argv: Sequence[str], *options: str) -> bool:
    """Whether an option is there, with or without a value."""
    before = argv[: argv.index("--")] if "--" in argv else argv
    return any(word in options or word.partition("=")[0] in options for word in before)
