"""Runaways: sessions that begin well and lose their way, each with what is to catch it and by which iteration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tabstop.lab.healthy import FILES, edit_and_test, explore
from tabstop.lab.script import Scenario, Script, script


@dataclass(frozen=True, slots=True)
class Runaway:
    """How a session runs away. go_on: it does so from here. caught_by, within: as in `Scenario`.

    rounds: healthy edits and tests that come first. before: what else does.
    """

    go_on: Callable[[Script], None]
    caught_by: tuple[str, ...]
    rounds: int = 8
    within: int = 30
    before: Callable[[Script], None] | None = None


def token_runaway(s: Script) -> None:
    """Every answer is as long as it may be and reads what was never cached."""
    for _ in range(60):
        s.answer(output=30_000, seconds=6, uncached=True)
        s.call("Bash", f"cat everything {s.random.random()}", result=20_000)
        s.probe(changed=False)


def tool_call_explosion(s: Script) -> None:
    """A tool is called every 50 ms, each time with something else."""
    for _ in range(40):
        s.answer(output=400, seconds=2)
        for number in range(100):
            s.call("mcp__search", f"{s.calls}-{number}", seconds=0.04, result=20)


def busy_tools(s: Script) -> None:
    """Not quick enough for the absolute rate, but many times as many calls a minute as before."""
    for _ in range(60):
        s.answer(output=400, seconds=2)
        for number in range(20):
            s.call("mcp__search", f"{s.calls}-{number}", seconds=0.25, result=20)


def stuck_loop(s: Script) -> None:
    """The very same call, over and over."""
    for _ in range(200):
        s.answer("Let me look at the configuration again.")
        s.call("Read", "config/settings.yml", result=300)
        s.probe(changed=False)


def stuck_between_two(s: Script) -> None:
    """Two calls in turns, nothing new."""
    for number in range(200):
        s.answer()
        s.call("Bash", ("git status", "git diff --stat")[number % 2], result=200)
        s.probe(changed=False)


def reworded_loop(s: Script) -> None:
    """The same announcement in slightly other words, each time with slightly other arguments, and nothing comes of it."""
    for number in range(200):
        again, maybe = (
            s.random.choice(("again", "once more", "another time")),
            s.random.choice(("perhaps", "maybe", "possibly")),
        )
        s.answer(
            f"The import of the settings module still fails, {maybe} because the package path is wrong. I {again} set "
            f"PYTHONPATH for attempt {number} and run the failing test at 10:{number % 60:02d} to see if the error goes away."
        )
        s.call("Bash", f"PYTHONPATH=. pytest tests/test_settings.py # {number}", seconds=3, failed=True)
        s.probe(changed=False)


def failing_tool(s: Script) -> None:
    """A tool fails whatever it is given."""
    for number in range(100):
        s.answer()
        s.call("mcp__tickets", f"query {number}", failed=True, result=80)
        s.probe(changed=False)


def large_file_forty_times(s: Script) -> None:
    """A file of 50,000 lines is read 40 times, as much of it as one read gives."""
    for _ in range(40):
        s.answer("I read the generated schema again to find the definition.")
        s.call("Read", "generated/schema.sql", result=24_000)
        s.probe(changed=False)
        if s.context > 170_000:
            s.compact()


def every_file_three_times(s: Script) -> None:
    """Every file of the repository was read, and is read twice more."""
    read_every_file(s)
    read_every_file(s)


def read_every_file(s: Script) -> None:
    """Once is healthy."""
    for file in FILES:
        s.answer()
        s.call("Read", file, result=2_000)
        s.probe(changed=False)


def subagent_retries_200_times(s: Script) -> None:
    """A subagent tries a broken tool 200 times."""
    child = s.spawn("agent-broken")
    for _ in range(200):
        child.answer("The tool failed, so I try it again.")
        child.call("mcp__deploy", "service=web", failed=True, result=90)
    s.join(child)


def subagents_spawn_subagents(s: Script) -> None:
    """Every subagent starts three more, which do the same, six levels deep."""

    def spread(parent: Script, name: str, levels: int) -> None:
        children = []
        for number in range(3):
            parent.answer("This part is large, so I hand it to a subagent of its own.")
            children.append(parent.spawn(f"{name}.{number}", "research"))
        for child in children:
            if levels:
                spread(child, child.thread, levels - 1)
            else:
                explore(child, 3)
        parent.join(*children)

    spread(s, "agent", 4)


def hours_of_backoff(s: Script) -> None:
    """After a rate limit the client waits, tries, and waits longer, for hours."""
    pause = 2
    for _ in range(40):
        s.fail(429)
        s.tick(pause)
        pause = min(600, pause * 2)


RUNAWAYS: dict[str, Runaway] = {
    "token runaway": Runaway(token_runaway, ("token_spike", "cost rate"), rounds=12),
    "tool-call explosion": Runaway(tool_call_explosion, ("tool_rate", "tool_spike")),
    "busy tools": Runaway(busy_tools, ("tool_spike",), rounds=14),
    "stuck loop": Runaway(stuck_loop, ("repeats", "repeated calls")),
    "stuck between two": Runaway(stuck_between_two, ("repeats", "no_progress", "repeated calls")),
    "reworded loop": Runaway(reworded_loop, ("likeness", "tool failures")),
    "failing tool": Runaway(failing_tool, ("tool failures", "retry")),
    "a 50,000-line file read 40 times": Runaway(large_file_forty_times, ("repeats", "likeness", "repeated calls")),
    "every file read three times": Runaway(every_file_three_times, ("no_progress",), before=read_every_file),
    "a subagent retries a broken tool 200 times": Runaway(
        subagent_retries_200_times, ("repeats", "likeness", "tool failures", "retry")
    ),
    "subagents spawn subagents": Runaway(subagents_spawn_subagents, ("depth", "fan_out", "total", "tokens")),
    "hours of backoff": Runaway(hours_of_backoff, ("backoff",)),
}
"""By name. What is no name of a runaway signal is the breaker's, the retry brake's or the subtasks'."""


def runaway(name: str, seed: int = 1) -> Scenario:
    """One of `RUNAWAYS`. Raises `KeyError` for another name."""
    kind = RUNAWAYS[name]
    s = script(seed)
    explore(s, 4)
    edit_and_test(s, kind.rounds)
    if kind.before:
        kind.before(s)
    begins = s.iterations + 1
    kind.go_on(s)
    return Scenario(name, tuple(s.facts), begins, kind.caught_by, kind.within)
