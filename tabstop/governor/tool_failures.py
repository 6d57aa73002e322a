"""Tool failures: how often each tool failed lately, leaving out failed commands that the agent went on from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tabstop.governor.facts import ToolFinished
from tabstop.governor.recent_calls import key_of
from tabstop.governor.settings import Breaker
from tabstop.governor.tool_kinds import COMMANDS, changes, named, runs_commands
from tabstop.quantity import ordinal, percent, plural

TOOLS = 64
"""Tools that are remembered, the latest used."""

RERUNS = 64
"""Failed commands of a tool that never worked which are remembered, to know one that is run again."""

_WORKED, _FAILED, _ANSWERED = "+", "-", "."


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool's last calls, oldest first: `+` worked, `-` failed, `.` a failed command that new work followed.

    thread: tools that run commands are judged per thread, since their failures answer what that thread does; all others
    once for the session. worked: it ever did, in this record's whole life.

    Of a tool that runs commands, until it works: in_vain: how often it failed, leaving out reruns, which is the same command
    after something had changed, such as red tests after an edit. failed: those commands, and whether anything changed since.
    """

    name: str
    thread: str = ""
    outcomes: str = ""
    worked: bool = False
    in_vain: int = 0
    failed: dict[str, bool] = field(default_factory=dict)


def finished(tools: tuple[Tool, ...], fact: ToolFinished, window: int) -> tuple[Tool, ...]:
    """With this outcome."""
    tool = _tool(tools, fact)
    outcome = _FAILED if fact.failed else _WORKED
    outcomes, worked = (tool.outcomes + outcome)[-window:], tool.worked or not fact.failed
    seen = Tool(tool.name, tool.thread, outcomes, worked)
    if not worked and runs_commands(tool.name):
        key = key_of(fact.name, fact.arguments)
        kept = [one for one in tool.failed.items() if one[0] != key]
        rerun = tool.failed.get(key, False)
        seen = replace(seen, in_vain=tool.in_vain + (not rerun), failed=dict([*kept[1 - RERUNS :], (key, False)]))
    return (*[one for one in tools if one is not tool][1 - TOOLS :], seen)


def went_on(tools: tuple[Tool, ...], thread: str | None, by: str) -> tuple[Tool, ...]:
    """The thread (None: any of them) got further by another tool: its commands' latest failures were answers, no faults.

    by: that tool's name; empty where the working tree was seen to change.
    """
    if not any(tool.failed or tool.outcomes[-1:] == _FAILED for tool in tools):
        return tools
    changed = not by or changes(by)

    def answered(tool: Tool) -> Tool:
        if tool.name == by or thread not in {None, tool.thread} or not runs_commands(tool.name):
            return tool
        if changed and not all(tool.failed.values()):
            tool = replace(tool, failed=dict.fromkeys(tool.failed, True))
        if not tool.outcomes.endswith(_FAILED):
            return tool
        until_it_worked = tool.outcomes.rfind(_WORKED) + 1
        latest = tool.outcomes[until_it_worked:].replace(_FAILED, _ANSWERED)
        return replace(tool, outcomes=tool.outcomes[:until_it_worked] + latest)

    return tuple(answered(tool) for tool in tools)


def forgotten(tools: tuple[Tool, ...]) -> tuple[Tool, ...]:
    """Begun anew; that a tool ever worked stays known."""
    return tuple(Tool(tool.name, tool.thread, worked=True) for tool in tools if tool.worked)


def fault(tools: tuple[Tool, ...], fact: ToolFinished, most: int, settings: Breaker) -> tuple[int, str] | None:
    """What this failure makes of its tool: percent of its calls that failed; what happened, and by which rule. None below `most`."""
    if not fact.failed:
        return None
    tool = _tool(tools, fact)
    if not any(one.worked for one in tools if one.name == tool.name) and (said := _never_worked(tool, settings)):
        return 100, said
    failures, worked = tool.outcomes.count(_FAILED), tool.outcomes.count(_WORKED)
    seen, window = failures + worked, settings.window
    if seen < min(settings.sample, window) or failures * 100 < most * seen:
        return None
    share = percent(failures, seen)
    said = f"{named(tool.name)} failed in {failures} of its last {seen} calls ({share} %)."
    if _ANSWERED in tool.outcomes:
        said = f"{said} Failures that new work followed are left out."
    return share, f"{said} The breaker opens at {most} % failures."


def _never_worked(tool: Tool, settings: Breaker) -> str:
    """What to say of a tool that only failed, too often; empty where it was not."""
    failures, only = tool.outcomes.count(_FAILED), min(settings.only_failed, settings.window)
    if failures >= only:
        since = " since the last new work" if _ANSWERED in tool.outcomes else ""
        said = f"{named(tool.name)} failed {plural(failures, 'time')}{since} and never worked."
        return (
            f"{said} A tool that never worked opens the breaker at its {ordinal(only)} failure{since and ' in a row'}."
        )
    if tool.in_vain >= (most := settings.only_failed * COMMANDS):
        said = f"{named(tool.name)} failed {plural(tool.in_vain, 'time')} and never worked, whatever else was done in between."
        return f"{said} A command run again after a change is not counted. The breaker opens at the {ordinal(most)} failure."
    return ""


def _tool(tools: tuple[Tool, ...], fact: ToolFinished) -> Tool:
    thread = fact.thread if runs_commands(fact.name) else ""
    return next((one for one in tools if one.name == fact.name and one.thread == thread), None) or Tool(
        fact.name, thread
    )
