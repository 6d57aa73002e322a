"""Codex's command line: what `codex …` means to whoever runs it. Options as of Codex 0.169."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tabstop.agents.codex.finding import RolloutLog
from tabstop.agents.codex.rollout_rows import AGENT
from tabstop.agents.command_line import AgentLog, Invocation, LastAnswer, has

_SUBCOMMANDS = frozenset(
    [
        "login",
        "logout",
        "mcp",
        "mcp-server",
        "proto",
        "app",
        "app-server",
        "completion",
        "sandbox",
        "debug",
        "apply",
        "a",
        "cloud",
        "features",
        "help",
        "update",
        "execpolicy",
        "responses-api-proxy",
        "stdio-to-uds",
        "exec-server",
        "remote-control",
    ]
)
_HARMLESS = frozenset(
    ["login", "logout", "mcp", "completion", "apply", "a", "features", "help", "update", "execpolicy"],
)
_WITH_VALUE = frozenset(
    [
        "-c",
        "--config",
        "-m",
        "--model",
        "-p",
        "--profile",
        "-s",
        "--sandbox",
        "-C",
        "--cd",
        "-i",
        "--image",
        "-a",
        "--ask-for-approval",
        "--add-dir",
        "--enable",
        "--disable",
        "--output-schema",
        "-o",
        "--output-last-message",
        "--color",
        "--local-provider",
    ]
)
_CARRIED = frozenset(["-c", "--config", "-m", "--model", "--enable", "--disable"])
_QUIETLY = ("-c", 'model_reasoning_effort="low"', "-c", 'sandbox_mode="read-only"', "-c", 'approval_policy="never"')


class CodexCommand:
    """See `tabstop.agents.command_line.CommandLine`."""

    agent = "codex"
    usage_name = AGENT
    hooks_tell_usage = False
    summarizes = True

    def read(self, argv: Sequence[str], *, new_session: str, terminal: bool) -> Invocation | None:  # noqa: ARG002 - Codex names its sessions itself
        """See `CommandLine.read`."""
        words = _positional(argv)
        if (words and words[0] in _SUBCOMMANDS) or has(argv, "--version", "-V", "--help", "-h"):
            return None
        headless = bool(words) and words[0] in {"exec", "e", "review"}
        rest = words[1:] if headless else words
        resumed = bool(rest) and rest[0] == "resume"
        session = rest[1] if resumed and len(rest) > 1 and not has(argv, "--last") and "-" in rest[1] else ""
        blind = "with --ephemeral Codex writes no rollout" if has(argv, "--ephemeral") else ""
        return Invocation(self.agent, tuple(argv), headless, session, resumed, blind)

    def harmless(self, argv: Sequence[str]) -> bool:
        """See `CommandLine.harmless`."""
        return has(argv, "--version", "-V", "--help", "-h") or next(iter(_positional(argv)), "") in _HARMLESS

    def with_hooks(self, argv: Sequence[str], settings: str) -> tuple[str, ...]:  # noqa: ARG002 - Codex takes hooks from its files only
        """See `CommandLine.with_hooks`."""
        return tuple(argv)

    def last_answer(self, argv: Sequence[str], session: str, prompt: str, tokens: int) -> LastAnswer | None:  # noqa: ARG002 - no option of its own bounds it
        """See `CommandLine.last_answer`.

        Codex 0.169 bounds neither the number of its calls nor the length of an answer (it ignores `model_max_output_tokens`).
        Reasoning counts as answer, so there is little of it.
        """
        carried: list[str] = []
        for at, word in enumerate(argv[:-1]):
            if word in _CARRIED:
                carried += [word, argv[at + 1]]
        command = (argv[0], "exec", "resume", *carried, *_QUIETLY, "--skip-git-repo-check", session, prompt)
        return LastAnswer(command)

    def resume(self, session: str) -> str:
        """See `CommandLine.resume`."""
        return f"codex exec resume {session or '--last'}"

    def log(self, environ: Mapping[str, str], cwd: str, session: str, key: bytes) -> AgentLog:
        """See `CommandLine.log`."""
        home = Path(environ.get("HOME") or "/")
        return RolloutLog(Path(environ.get("CODEX_HOME") or home / ".codex"), cwd, session, key)


def _positional(argv: Sequence[str]) -> list[str]:
    """The words that are no options and no option's value."""
    found: list[str] = []
    skip = False
    for word in argv[1:]:
        if word == "--":
            break
        if skip or word.startswith("-"):
            skip = not skip and word in _WITH_VALUE
        else:
            found.append(word)
    return found
