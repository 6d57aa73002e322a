"""Degradation: a session that comes near a limit goes on with less, step by step, before anything stops it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tabstop.governor.facts import Fact, SubagentSpawned, ToolStarted
from tabstop.governor.limits import NAMES, Totals, kept_back, limits_in_force, nearest, shown, shown_of
from tabstop.governor.orders import Act, Advice, Event, EventKind, Step
from tabstop.governor.settings import Rung, Settings
from tabstop.verdict import Finding, Outcome, Signal

_FROM_HERE = {
    Step.CHEAPER_MODEL: "from here on a cheaper model answers, where one really costs less",
    Step.NO_SUBAGENTS: "start no new subagents, do the work in this thread",
    Step.COMPACT: "compact the context now",
    Step.NO_TOOLS: "call no more tools, rely on what you have read",
    Step.FINISH_SUBTASK: "finish the current subtask and begin no other",
}
"""What each step asks for, worded so that both the model and people can read it."""

_COULD_NOT = {
    Step.CHEAPER_MODEL: "The model cannot be changed here: the session keeps the one it has.",
    Step.NO_SUBAGENTS: "New subagents cannot be refused here: the agent may still start some.",
    Step.COMPACT: "The context cannot be compacted here: it stays as long as it is.",
    Step.NO_TOOLS: "Tools cannot be refused here: the agent may still call some.",
    Step.FINISH_SUBTASK: "The agent cannot be told here to finish only what is begun: it may begin more.",
}


@dataclass(frozen=True, slots=True)
class Degraded:
    """steps: those in force after the last fact, in the ladder's order."""

    steps: tuple[Step, ...] = ()


def degrade(
    part: Degraded, fact: Fact, totals: Totals, settings: Settings
) -> tuple[Degraded, tuple[Advice, ...], tuple[Event, ...]]:
    """Take the steps that are due, and take back those that a raise has made needless.

    One advice per step in force, the last one first, at every fact; one event per step when it begins.
    """
    name, percent = nearest(totals, fact, settings)
    rungs = _rungs(percent, settings)
    if not rungs:
        return (Degraded() if part.steps else part), (), ()
    near = _near(name, percent, totals, settings)
    findings = {rung.step: _finding(rung, near, percent) for rung in rungs}
    advice = [Advice(Act.DEGRADE, finding, steps=(step,)) for step, finding in reversed(findings.items())]
    events = tuple(
        Event(fact.at, EventKind.DEGRADE, finding) for step, finding in findings.items() if step not in part.steps
    )
    refused = _refused(fact)
    if refused in findings:
        advice.append(Advice(Act.DENY, _refusal(findings[refused], name, percent)))
    return Degraded(tuple(findings)), tuple(advice), events


def refuses_subagents(fact: Fact, totals: Totals, settings: Settings) -> bool:
    """Whether a subagent may not be started now because a limit is near."""
    _, percent = nearest(totals, fact, settings)
    return any(rung.step is Step.NO_SUBAGENTS for rung in _rungs(percent, settings))


def apply(steps: tuple[Step, ...], can: frozenset[Step]) -> tuple[tuple[Step, ...], dict[Step, str]]:
    """What an attach point that `can` do so much does of an order's steps, and for the rest a sentence why it does not."""
    return tuple(step for step in steps if step in can), {step: _COULD_NOT[step] for step in steps if step not in can}


def _rungs(percent: int, settings: Settings) -> list[Rung]:
    """The rungs that are due, lowest first; of a step that the policy names twice, the lower one."""
    due: dict[Step, Rung] = {}
    for rung in settings.degradation.ladder:
        if percent >= rung.at and (rung.step not in due or rung.at < due[rung.step].at):
            due[rung.step] = rung
    return sorted(due.values(), key=lambda rung: rung.at)


def _refused(fact: Fact) -> Step | None:
    """The step under which this may not happen."""
    match fact:
        case ToolStarted():
            return Step.NO_TOOLS
        case SubagentSpawned():
            return Step.NO_SUBAGENTS
    return None


def _near(name: str, percent: int, totals: Totals, settings: Settings) -> str:
    limit: int = getattr(limits_in_force(totals, settings)[0], name)
    used = shown_of(name, getattr(totals, name), limit)
    if kept := kept_back(name, totals, settings):
        used += f", and {shown(name, kept)} kept for a last answer"
    return f"{percent} % of the {NAMES[name]} limit is used ({used})"


def _finding(rung: Rung, near: str, percent: int) -> Finding:
    sentence = f"{near}: {_FROM_HERE[rung.step]}."
    return Finding(Signal.DEGRADATION, Outcome.WARN, rung.step.value, sentence, spent=percent, cap=rung.at)


def _refusal(finding: Finding, name: str, percent: int) -> Finding:
    near = f"{percent} % of this session's {NAMES[name]} limit is used."
    if finding.scope == Step.NO_TOOLS:
        said = f"No more tools: {near} Rely on what you have read, and say what is done and what is left."
    else:
        said = f"No new subagents: {near} Do the work in this thread, with what you have read."
    return replace(finding, sentence=said)
