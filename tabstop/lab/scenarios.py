"""The scenarios of the lab: what a simulated agent does, and what is expected to end it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tabstop.lab.healthy import edit_and_test, explore, remark
from tabstop.lab.runaways import RUNAWAYS
from tabstop.lab.script import MODEL, Script
from tabstop.money import NANO_PER_DOLLAR
from tabstop.session import Limits


@dataclass(frozen=True, slots=True)
class LabScenario:
    """One session to play. about: what it does.

    opens: how it begins. go_on: how it runs away from there, again and again; None for a healthy one, which ends by itself
    and does what it is told in words. ended_by: the scopes any of which may hold it back first. limits: its own, where those
    of the policy are not what it is about.
    """

    name: str
    about: str
    opens: Callable[[Script], None]
    go_on: Callable[[Script], None] | None = None
    ended_by: tuple[str, ...] = ()
    limits: Limits | None = None
    model: str = MODEL


def _runaway(name: str, about: str, of: str, *ended_by: str) -> LabScenario:
    """A runaway of the corpus, after the healthy work it begins with there."""
    kind = RUNAWAYS[of]

    def opens(s: Script) -> None:
        explore(s, 4)
        edit_and_test(s, kind.rounds)
        if kind.before:
            kind.before(s)

    return LabScenario(name, about, opens, kind.go_on, ended_by)


def _healthy(s: Script) -> None:
    explore(s, 12)
    edit_and_test(s, 15)
    s.answer("All tests pass, so the work is done.")


def _long_healthy(s: Script) -> None:
    for _ in range(12):
        explore(s, s.random.randint(2, 12))
        edit_and_test(s, s.random.randint(4, 25))
        s.answer("Done so far: " + remark(s.random))
        s.tick(s.random.choice((0, 60, 600, 3_600)))


def _at_once(_s: Script) -> None:
    """Nothing comes before it."""


def _classic(s: Script) -> None:
    """Reads 4,000 tokens and answers 1,200: a tenth of a cent at the model's price, and a tool, ten times a second."""
    while True:
        s.context, s.unread = 4_000, 0
        s.answer(output=1_200, seconds=0.06, uncached=True)
        s.call("search", f"query {s.calls}", seconds=0.03, result=0)


FIELD = {
    one.name: one
    for one in (
        _runaway("large-file", "a 50,000-line file is read 40 times", "a 50,000-line file read 40 times"),
        _runaway("every-file", "every file of the repository is read three times", "every file read three times"),
        _runaway(
            "broken-tool", "a subagent retries a broken tool 200 times", "a subagent retries a broken tool 200 times"
        ),
        _runaway("spawning", "subagents spawn subagents", "subagents spawn subagents"),
        _runaway("backoff", "hours of backoff after a rate limit", "hours of backoff"),
    )
}
"""Runaways known from the field."""

SCENARIOS = {
    one.name: one
    for one in (
        LabScenario("healthy", "explore, edit, test, until the work is done", _healthy),
        LabScenario(
            "long-healthy",
            "the same for hours, with a person who is away now and then, under limits for a long session",
            _long_healthy,
            limits=Limits(100_000_000, 5_000, 2_000, 24 * 3_600, 200 * NANO_PER_DOLLAR),
        ),
        _runaway(
            "token-runaway", "every answer is as long as it may be and reads what is in no cache", "token runaway"
        ),
        _runaway(
            "tool-explosion", "a tool is called every 50 ms, each time with something else", "tool-call explosion"
        ),
        _runaway("stuck-loop", "the very same call, over and over", "stuck loop"),
        _runaway("failing-tool", "a tool fails whatever it is given", "failing tool"),
        *FIELD.values(),
        LabScenario(
            "classic",
            "a tool every 100 ms with a budget of $0.05; each model call costs $0.001",
            _at_once,
            _classic,
            ("cost",),
            Limits(cost=NANO_PER_DOLLAR // 20),
            "claude-haiku-5-5",
        ),
    )
}
"""Every scenario, in the order in which they are listed."""
