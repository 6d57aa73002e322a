"""Claude Code's command line: what `claude …` means to whoever runs it. Options as of Claude Code 2.1."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tabstop.agents.claude_code.finding import TranscriptLog
from tabstop.agents.command_line import AgentLog, Invocation, LastAnswer, has, value_of

_SUBCOMMANDS = frozenset(
    [
        "agents",
        "attach",
        "auth",
        "auto-mode",
        "config",
        "doctor",
        "gateway",
        "import",
        "install",
        "logs",
        "mcp",
        "migrate-installer",
        "plugin",
        "plugins",
        "purge",
        "respawn",
        "rm",
        "setup-token",
        "stop",
        "kill",
        "ultrareview",
        "update",
        "upgrade",
    ]
)
_HARMLESS = _SUBCOMMANDS - {"agents", "attach", "auto-mode", "gateway", "import", "respawn", "ultrareview"}
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class ClaudeCodeCommand:
    """See `tabstop.agents.command_line.CommandLine`."""

    agent = "claude-code"
    usage_name = "claude-code"
    hooks_tell_usage = False
    summarizes = True

    def read(self, argv: Sequence[str], *, new_session: str, terminal: bool) -> Invocation | None:
        """See `CommandLine.read`. A session that begins is given its id, so that its transcript is known."""
        options = tuple(argv[1:])
        if options and (options[0] in _SUBCOMMANDS or has(options, "--version", "-v", "--help", "-h")):
            return None
        headless = has(options, "-p", "--print") or not terminal
        blind = leaves = ""
        if has(options, "--no-session-persistence"):
            blind = "with --no-session-persistence Claude Code writes no transcript"
        if has(options, "--bg", "--background"):
            leaves = "with --bg Claude Code works in a process of its own, after this command has ended"
        resumed = has(options, "--resume", "-r", "--continue", "-c", "--from-pr", "--teleport")
        session = value_of(options, "--session-id")
        if not session and resumed and not has(options, "--fork-session"):
            wanted = value_of(options, "--resume", "-r")
            session = wanted.lower() if _UUID.fullmatch(wanted) else ""
        elif not session:
            session, options = new_session, ("--session-id", new_session, *options)
        going_on = resumed and not has(options, "--fork-session")
        return Invocation(self.agent, (argv[0], *options), headless, session, going_on, blind, leaves)

    def harmless(self, argv: Sequence[str]) -> bool:
        """See `CommandLine.harmless`."""
        options = argv[1:]
        return bool(options) and (options[0] in _HARMLESS or has(options, "--version", "-v", "--help", "-h"))

    def with_hooks(self, argv: Sequence[str], settings: str) -> tuple[str, ...]:
        """See `CommandLine.with_hooks`. Settings of the user's own, on the same command line, stay as they are."""
        if has(argv, "--settings", "--safe-mode", "--bare"):
            return tuple(argv)
        return (argv[0], "--settings", settings, *argv[1:])

    def last_answer(self, argv: Sequence[str], session: str, prompt: str, tokens: int) -> LastAnswer | None:
        """See `CommandLine.last_answer`.

        One turn may be four requests: an answer that is cut off is asked to go on three times. Thinking is off, since it would
        count as answer, and with the rest of its own traffic off it asks for nothing else first.
        """
        model = value_of(argv, "--model")
        command = (
            argv[0],
            "-p",
            "--resume",
            session,
            "--max-turns",
            "1",
            *(("--model", model) if model else ()),
            prompt,
        )
        quietly = {
            "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(tokens),
            "MAX_THINKING_TOKENS": "0",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
        return LastAnswer(command, quietly)

    def resume(self, session: str) -> str:
        """See `CommandLine.resume`."""
        return f"claude --resume {session}" if session else "claude --continue"

    def log(self, environ: Mapping[str, str], cwd: str, session: str, key: bytes) -> AgentLog:
        """See `CommandLine.log`."""
        home = Path(environ.get("HOME") or "/")
        return TranscriptLog(Path(environ.get("CLAUDE_CONFIG_DIR") or home / ".claude"), cwd, session, key)
