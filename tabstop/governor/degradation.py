"""Degradation: a session that comes near a limit goes on with less, step by step, before the limit stops it.

A step is due at its share of the fullest limit; what the next request takes at least counts as gone. One that does not fit all
the same takes the next step of the ladder, whatever its share, and may be tried again; it stops the session only when no step
is left. A step that was taken stays, since with less the session is further from its limit, until the limits change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tabstop.governor.facts import Fact, SubagentSpawned, ToolStarted, Unaffordable
from tabstop.governor.limit_reached import binds, does_not_fit
from tabstop.governor.limits import NAMES, Totals, kept_back, limits_in_force, nearest, needed_next, shown, shown_of
from tabstop.governor.orders import Act, Advice, Event, EventKind, Step
from tabstop.governor.settings import Rung, Settings
from tabstop.session import Limits
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
    """taken: the steps in force, in the ladder's order, as they were last said. under: the limits they were taken under."""

    taken: tuple[Finding, ...] = ()
    under: Limits | None = None

    @property
    def steps(self) -> tuple[Step, ...]:
        """The same without their sentences."""
        return tuple(Step(one.scope) for one in self.taken)


_NONE = Degraded()


def degrade(
    part: Degraded, fact: Fact, totals: Totals, settings: Settings
) -> tuple[Degraded, tuple[Advice, ...], tuple[Event, ...]]:
    """Take the steps that are due, and take back those that other limits have made needless.

    One advice per step in force, the last one first, at every fact; one event per step when it begins.
    """
    name, percent = nearest(totals, settings, ahead=True)
    limits, _ = limits_in_force(totals, settings)
    ladder = _ladder(settings)
    due = {rung.step for rung in ladder if percent >= rung.at}
    if not (due or part.taken or isinstance(fact, Unaffordable)):
        return _NONE, (), ()
    before = {Step(one.scope): one for one in part.taken} if part.under == limits else {}
    unfit = _unfit(fact, totals, limits, settings)
    further = next((rung.step for rung in ladder if rung.step not in due | before.keys()), None) if unfit else None
    near = _near(name, percent, totals, limits, settings)
    findings: dict[Step, Finding] = {}
    for rung in ladder:
        if rung.step in due:
            findings[rung.step] = _finding(rung, near, percent)
        elif rung.step in before:
            findings[rung.step] = before[rung.step]
        elif rung.step is further:
            findings[rung.step] = _finding(rung, unfit, 100)
    advice = [Advice(Act.DEGRADE, finding, steps=(step,)) for step, finding in reversed(findings.items())]
    events = tuple(
        Event(fact.at, EventKind.DEGRADE, finding) for step, finding in findings.items() if step not in part.steps
    )
    refused = _refused(fact)
    if refused in findings:
        why = f"{percent} % of this session's {NAMES[name]} limit is used"
        why = why if refused in due else "the next model calls hardly fit this session's limits"
        advice.append(Advice(Act.DENY, _refusal(findings[refused], why)))
    part = Degraded(tuple(findings.values()), limits) if findings else _NONE
    return part, tuple(advice), events


def eases(before: Degraded, after: Degraded) -> bool:
    """Whether the session goes on with less than before."""
    return not set(after.steps) <= set(before.steps)


def apply(steps: tuple[Step, ...], can: frozenset[Step]) -> tuple[tuple[Step, ...], dict[Step, str]]:
    """What an attach point that `can` do so much does of an order's steps, and for the rest a sentence why it does not."""
    return tuple(step for step in steps if step in can), {step: _COULD_NOT[step] for step in steps if step not in can}


def _ladder(settings: Settings) -> list[Rung]:
    """The policy's rungs, lowest first; of a step that it names twice, the lower one."""
    found: dict[Step, Rung] = {}
    for rung in sorted(settings.degradation.ladder, key=lambda rung: rung.at):
        found.setdefault(rung.step, rung)
    return list(found.values())


def _unfit(fact: Fact, totals: Totals, limits: Limits, settings: Settings) -> str:
    """Which request does not fit, for people; empty for none. For the last answer nothing can be lessened any more."""
    if not binds(fact, limits) or fact.last:
        return ""
    return does_not_fit(fact, totals, limits, kept_back(fact.limit, totals, settings))


def _refused(fact: Fact) -> Step | None:
    """The step under which this may not happen."""
    match fact:
        case ToolStarted():
            return Step.NO_TOOLS
        case SubagentSpawned():
            return Step.NO_SUBAGENTS
    return None


def _near(name: str, percent: int, totals: Totals, limits: Limits, settings: Settings) -> str:
    used = shown_of(name, getattr(totals, name), getattr(limits, name))
    if kept := kept_back(name, totals, settings):
        used += f", and {shown(name, kept)} kept for a last answer"
    if name == "tool_calls" and totals.refused:
        used += f", and {totals.refused:,} refused"
    if needed := needed_next(name, totals):
        used += f", and {shown(name, needed)} needed for the next call"
    return f"{percent} % of the {NAMES[name]} limit is used ({used})"


def _finding(rung: Rung, near: str, percent: int) -> Finding:
    sentence = f"{near}: {_FROM_HERE[rung.step]}."
    return Finding(Signal.DEGRADATION, Outcome.WARN, rung.step.value, sentence, spent=percent, cap=rung.at)


def _refusal(finding: Finding, why: str) -> Finding:
    if finding.scope == Step.NO_TOOLS:
        said = f"No more tools: {why}. Rely on what you have read, and say what is done and what is left."
    else:
        said = f"No new subagents: {why}. Do the work in this thread, with what you have read."
    return replace(finding, sentence=said)
