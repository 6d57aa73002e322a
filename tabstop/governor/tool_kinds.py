"""Kinds of tools: what an agent's tool is for, as far as its name tells. Used to tell a failing tool from a failing test."""

from __future__ import annotations

import re
from functools import lru_cache

_COMMANDS = ("bash", "shell", "exec", "command", "terminal", "pytest", "run_test", "runtest", "build", "lint")
"""Parts of names of tools that run what the agent wrote: Bash, PowerShell, exec_command, run_shell_command, command_execution."""

COMMANDS = 2
"""How many times as many failures a command is allowed as any other tool."""

_WAITS = frozenset({"bashoutput", "taskoutput", "agentoutput", "write_stdin", "wait", "wait_agent", "monitor"})
"""Tools that ask again and again by design: how far is what runs in the background?"""

_PLANS = frozenset(
    {"todowrite", "todoread", "taskcreate", "taskupdate", "tasklist", "taskget", "update_plan", "write_todos", "think"}
)
"""Tools that only change what the agent means to do."""

_LOOKS = frozenset(
    {
        "read",
        "read_file",
        "read_many_files",
        "view",
        "grep",
        "glob",
        "ls",
        "list",
        "list_dir",
        "list_directory",
        "search",
    }
    | {
        "search_file_content",
        "grep_search",
        "find_files",
        "notebookread",
        "webfetch",
        "websearch",
        "web_fetch",
        "web_search",
    }
    | {"google_web_search", "view_image", "toolsearch"}
)
"""Tools that change nothing: what failed before they looked will fail again."""

_SAYS_IT_WAITS = re.compile(
    r"(?:^|[;&|(`\n]|\b(?:do|then|else|time|sudo)\s|-l?c\s+['\"]?)\s*(?:sleep|start-sleep|wait|watch|timeout\s+/t)\s+\S"
    r"|--(?:watch|wait)\b|\b(?:run watch|rollout status|wait-for|wait_for)\b",
    re.IGNORECASE,
)
"""In a command: `sleep 30; gh run view`, `gh pr checks --watch`, `kubectl rollout status`."""


@lru_cache(maxsize=1_024)
def runs_commands(name: str) -> bool:
    """Whether its failure is the result of what it ran (a red test, no match) rather than a fault of the tool."""
    plain = name.lower()
    return plain not in _WAITS and any(part in plain for part in _COMMANDS)


def waits(name: str) -> bool:
    """Whether calling it again with the same arguments is what it is for."""
    return name.lower() in _WAITS


def says_it_waits(command: str) -> bool:
    """Whether a command waits by what it says. For edges, which see commands; the governor only hears this of them."""
    return _SAYS_IT_WAITS.search(command) is not None


def does_work(name: str) -> bool:
    """Whether its success can bring the session further."""
    plain = name.lower()
    return plain not in _WAITS and plain not in _PLANS


def changes(name: str) -> bool:
    """Whether its success may be why a command that failed works now. What is not known may be."""
    return does_work(name) and name.lower() not in _LOOKS


def named(tool: str) -> str:
    """A tool's name as it stands in a sentence: in backquotes, cut, without what would break a line."""
    plain = "".join(letter if letter.isprintable() and letter != "`" else "?" for letter in tool[:60])
    return f"`{plain}`"
