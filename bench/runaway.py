"""runaway.*: healthy sessions that were stopped or reported all the same, and iterations until a runaway was."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from bench.figures import Figure, Part, say
from tabstop.lab.healthy import KINDS, healthy
from tabstop.lab.runaways import RUNAWAYS, runaway
from tabstop.lab.script import Scenario
from tests.governor.corpus import held_out
from tests.governor.corpus.captured import captured, claude_facts
from tests.governor.corpus.play import Played, play

SEEDS = range(1, 6)
FALSE = ("runaway.false_positives", "runaway.false_alerts")


def parts() -> list[Part]:
    """By set of sessions: those it was tuned on, those held out, captured ones, and your own where SESSIONS names a folder."""
    sets: dict[str, Callable[[], Iterable[Scenario]]] = {
        "tuning": lambda: (healthy(name, seed) for name in KINDS for seed in SEEDS),
        "held_out": held_out.healthy_sessions,
        "captured": lambda: (Scenario(name, tuple(facts)) for name, facts in captured().items()),
    }
    if folder := os.environ.get("SESSIONS", ""):
        sets["own"] = lambda: _own(Path(folder).expanduser())
    delays = tuple(f"runaway.delay.{one}.{_slug(name)}" for name in _runaways() for one in ("alert", "stop"))
    return [*(_false_part(which, of) for which, of in sets.items()), Part(delays, _delays)]


def _false_part(which: str, of: Callable[[], Iterable[Scenario]]) -> Part:
    return Part(tuple(f"{name}.{which}" for name in FALSE), lambda wanted: _false(which, of(), wanted))


def _own(folder: Path) -> Iterator[Scenario]:
    for path in sorted(folder.glob("**/*.jsonl")):
        if "subagents" not in path.parts and (facts := tuple(claude_facts(path))):
            yield Scenario(path.stem, facts)


def _false(which: str, scenarios: Iterable[Scenario], wanted: Sequence[str]) -> Iterator[Figure]:
    played = [(scenario, play(scenario)) for scenario in scenarios]
    for scenario, outcome in played:
        if seen := outcome.stop or outcome.refusal or outcome.alert:
            word = "stopped" if outcome.stop else "hindered" if outcome.refusal else "reported"
            say(f"runaway.{which}: {scenario.name}, healthy, was {word} in iteration {seen.iteration} by {seen.by}")
    counts = {
        FALSE[0]: (sum(one.stop is not None for _, one in played), "stopped"),
        FALSE[1]: (sum((one.alert or one.refusal) is not None for _, one in played), "reported or hindered"),
    }
    for name, (count, word) in counts.items():
        if f"{name}.{which}" in wanted:
            yield Figure(f"{name}.{which}", count, f"of {len(played)} healthy sessions {word}")


def _delays(wanted: Sequence[str]) -> Iterator[Figure]:
    for name, scenario in _runaways().items():
        names = {one: f"runaway.delay.{one}.{_slug(name)}" for one in ("alert", "stop")}
        if not set(names.values()) & set(wanted):
            continue
        outcome: Played = play(scenario)
        for one, seen in (("alert", outcome.alert), ("stop", outcome.caught)):
            if seen is None:
                say(f"{names[one]}: never")
            elif names[one] in wanted:
                yield Figure(names[one], seen.iteration, f"iterations, by {seen.by}")


@cache
def _runaways() -> dict[str, Scenario]:
    tuned = {name: runaway(name) for name in RUNAWAYS}
    return tuned | {f"held_out.{scenario.name}": scenario for scenario in held_out.runaway_sessions()}


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter == "." else "_" for letter in name.lower())
