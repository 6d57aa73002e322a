"""What a step says to its runner: `::command::` lines on its output, and `name=value` files such as GITHUB_OUTPUT."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_COMMAND = re.compile(r"^::([\w-]+)(?: ([^:]*(?::(?!:)[^:]*)*))?::(.*)$")


class WorkflowCommandError(ValueError):
    """A command file the runner would refuse; the text is the runner's."""


@dataclass(frozen=True)
class WorkflowCommand:
    """One `::name key=value::message` line, unescaped."""

    name: str
    message: str
    properties: Mapping[str, str]


def parse_commands(printed: str) -> list[WorkflowCommand]:
    """The workflow commands in a step's output (docs.github.com, workflow commands for GitHub Actions)."""
    found = []
    for line in printed.splitlines():
        match = _COMMAND.match(line.strip())
        if match:
            name, given, message = match.group(1), match.group(2) or "", match.group(3)
            pairs = (pair.partition("=") for pair in given.split(",") if pair)
            properties = {key.strip(): _unescape(value, {"%3A": ":", "%2C": ","}) for key, _, value in pairs}
            found.append(WorkflowCommand(name, _unescape(message, {}), properties))
    return found


def parse_file_command(text: str) -> dict[str, str]:
    """The values in a GITHUB_OUTPUT or GITHUB_ENV file: `name=value` lines and `name<<END` blocks. Raises `WorkflowCommandError` where the runner fails."""
    values: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        equals, heredoc = line.find("="), line.find("<<")
        if not line:
            continue
        if heredoc >= 0 and (equals < 0 or heredoc < equals):
            name, end = line[:heredoc], line[heredoc + 2 :]
            block: list[str] = []
            for inner in lines:
                if inner == end:
                    break
                block.append(inner)
            else:
                raise WorkflowCommandError(f"matching delimiter not found {end!r}")
            values[name] = "\n".join(block)
        elif equals > 0:
            values[line[:equals]] = line[equals + 1 :]
        else:
            raise WorkflowCommandError(f"invalid format {line!r}")
    return values


def _unescape(text: str, more: Mapping[str, str]) -> str:
    for escaped, plain in {**more, "%0D": "\r", "%0A": "\n", "%25": "%"}.items():
        text = text.replace(escaped, plain)
    return text
