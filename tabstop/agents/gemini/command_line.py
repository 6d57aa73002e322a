"""Gemini CLI's command line: what `gemini …` means to whoever runs it. Options as of Gemini CLI 0.61."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tabstop.agents.command_line import AgentLog, Invocation, LastAnswer, has, value_of
from tabstop.agents.gemini.chats import ChatLog
from tabstop.agents.gemini.hooks import AGENT

_SUBCOMMANDS = frozenset(["mcp", "extensions", "extension", "skills", "hooks", "gemma"])
_HARMLESS = _SUBCOMMANDS - {"gemma"}


class GeminiCommand:
    """See `tabstop.agents.command_line.CommandLine`."""

    agent = "gemini"
    usage_name = AGENT
    hooks_tell_usage = True
    summarizes = False

    def read(self, argv: Sequence[str], *, new_session: str, terminal: bool) -> Invocation | None:
        """See `CommandLine.read`. A session that begins is given its id, so that its chat is known."""
        options = tuple(argv[1:])
        if options and (
            options[0] in _SUBCOMMANDS or has(options, "--version", "-v", "--help", "-h", "--list-sessions")
        ):
            return None
        headless = has(options, "-p", "--prompt") or not terminal
        resumed = has(options, "-r", "--resume")
        session = value_of(options, "--session-id")
        if not session and not resumed:
            session, options = new_session, ("--session-id", new_session, *options)
        return Invocation(self.agent, (argv[0], *options), headless, session, resumed)

    def harmless(self, argv: Sequence[str]) -> bool:
        """See `CommandLine.harmless`."""
        options = argv[1:]
        asks = has(options, "--version", "-v", "--help", "-h", "--list-sessions")
        return bool(options) and (options[0] in _HARMLESS or asks)

    def with_hooks(self, argv: Sequence[str], settings: str) -> tuple[str, ...]:  # noqa: ARG002 - it takes hooks from its files only
        """See `CommandLine.with_hooks`."""
        return tuple(argv)

    def last_answer(self, argv: Sequence[str], session: str, prompt: str, tokens: int) -> LastAnswer | None:  # noqa: ARG002
        """See `CommandLine.last_answer`. With a Google account it asks past the proxy, and nothing else bounds one answer of it."""
        return None

    def resume(self, session: str) -> str:
        """See `CommandLine.resume`."""
        return f"gemini --resume {session or 'latest'}"

    def log(self, environ: Mapping[str, str], cwd: str, session: str, key: bytes) -> AgentLog:
        """See `CommandLine.log`."""
        home = Path(environ.get("GEMINI_CLI_HOME") or environ.get("HOME") or "/")
        return ChatLog(home / ".gemini", cwd, session, key)
