"""What the lab says of a session: a line per iteration, four gauges, what held it back and what an hour would have used."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from tabstop.governor.limits import NAMES
from tabstop.lab.gauges import LIMITS, Gauge, gauges, length, wall
from tabstop.lab.play import Hour, Result
from tabstop.lab.record import Iteration, Sighting, Used
from tabstop.markdown import bar
from tabstop.money import show, show_exact
from tabstop.quantity import plural
from tabstop.quantity import tokens as show_tokens
from tabstop.session import Limits
from tabstop.verdict import Signal

QUIET = 3
"""Iterations in a row with nothing to say, above which the ones between are counted instead of shown."""

HEAD = f"{'#':>5}  {'time':>9}  {'tokens':>7}  {'cost so far':>11}  {'calls':>5}  to the wall"


def title(result: Result) -> str:
    """Its name and what it does."""
    return f"{result.scenario.name}: {result.scenario.about}"


def bounds(result: Result) -> str:
    """What bounds it."""
    rungs = len(result.settings.degradation.ladder)
    ladder = f"degradation in {plural(rungs, 'step')}" if rungs else "no degradation"
    return f"{result.scenario.model}, {_limits(result.limits)}, {ladder}."


def line(result: Result, at: int) -> str:
    """The line of the iteration at this place: totals so far, but the tokens of this one."""
    one = result.iterations[at]
    far = wall(result.iterations[: at + 1], result.limits)
    to_go = f"{length(far.seconds)} ({LIMITS[far.limit]})" if far and far.seconds else "" if far is None else "reached"
    used = show_tokens(one.tokens) if one.model else "none"
    shown = f"{one.number:>5}  {clock(one.seconds):>9}  {used:>7}  {_to_a_hundredth_of_a_cent(one.totals.cost):>11}"
    return f"{shown}  {one.calls:>5}  {to_go}".rstrip()


def said(one: Iteration, width: int) -> list[str]:
    """What there was to say in an iteration, indented below its line."""
    notes = {note.sentence: note.kind for note in reversed(one.notes)}  # what trips also stops, in the same words
    found = [f"{kind}: {sentence}" for sentence, kind in reversed(notes.items())]
    if one.denied:
        found.append(f"{plural(one.denied, 'call')} refused.")
    if one.waited >= 1:
        found.append(f"Waited {length(one.waited)} as ordered.")
    return [
        row for text in found for row in textwrap.wrap(text, width, initial_indent=" " * 7, subsequent_indent=" " * 9)
    ]


def timeline(result: Result, width: int, *, full: bool) -> Iterator[str]:
    """Every iteration, or those with something to say, the first and the last, and where it began to run away."""
    yield HEAD
    quiet: list[int] = []
    for at, one in enumerate(result.iterations):
        turns = result.runaway_from == one.number
        telling = turns or bool(said(one, width)) or at in {0, len(result.iterations) - 1}
        if not telling and not full:
            quiet.append(at)
            continue
        yield from _quietly(result, quiet)
        quiet = []
        if turns and result.scenario.go_on is not None and at:
            yield "       -- it begins to run away --"
        yield line(result, at)
        yield from said(one, width)
    yield from _quietly(result, quiet)


def _quietly(result: Result, places: Sequence[int]) -> Iterator[str]:
    if len(places) <= QUIET:
        yield from (line(result, at) for at in places)
        return
    yield f"{'…':>5}  {plural(len(places), 'iteration')}"


def meters(result: Result, iteration: Iteration | None = None) -> list[str]:
    """The four gauges, at the end or after an iteration."""
    totals = iteration.totals if iteration else result.totals
    return [meter(one) for one in gauges(totals, result.limits)]


def meter(gauge: Gauge) -> str:
    """One gauge as a line."""
    return f"{gauge.name:<16}  {bar(gauge.percent)} {gauge.percent:>4} %  {gauge.used}"


def conclusion(result: Result, width: int) -> list[str]:
    """What was noticed, what held it back, and what it would have become."""
    rows: list[tuple[str, str]] = []
    alert, refusal, stop = result.alert, result.refusal, result.stop
    if alert and alert.iteration < (refusal or stop or alert).iteration:
        rows.append(("first noticed", f"{_named(alert)}, {_when(alert)}"))
    if refusal:
        rows.append(("first refused", f"{_named(refusal)}, {_when(refusal)}"))
    if stop:
        rows.append(("stopped by", f"{_named(stop)}, {_when(stop)}"))
    else:
        rows.append(("stopped by", "nothing" + (": it ended by itself" if result.outcome else ", for a whole day")))
    if result.limit:
        rows.append(
            ("limits alone", f"{_named(result.limit)}, {_when(result.limit)}, {show(result.limit.totals.cost)}")
        )
    else:
        rows.append(("limits alone", "none would have been reached"))
    lines = [f"{name:<16}  {text}" for name, text in rows]
    for text in (sentence(result), stop.remedy if stop else ""):
        lines += ["", *textwrap.wrap(text, width)] if text else []
    return lines


def sentence(result: Result) -> str:
    """The whole of it in one or two sentences."""
    how = "Stopped" if result.stop else "Ended" if result.outcome else "Still running"
    ended = f"{how} at {show_exact(result.totals.cost)} after {length(result.seconds)}."
    if result.hour is None:
        return ended
    hour = result.hour
    over = f", {times(hour)} times its {NAMES[hour.limit]} limit" if hour.limit else ""
    more = _used(hour.simulated)
    if hour.simulated == Used(*(getattr(result.totals, one) for one in ("tokens", "tool_calls", "iterations", "cost"))):
        return f"{ended} An hour without the governor would have used no more, and done nothing but wait."
    return f"{ended} An hour without the governor would have used {more}{over}; at its pace until then, {_used(hour.extrapolated)}."


def times(hour: Hour) -> str:
    """How many times over: `3.6`, `720`."""
    return f"{hour.tenths // 10:,}" if hour.tenths >= 1_000 else f"{hour.tenths / 10:.1f}".removesuffix(".0")


def clock(seconds: float) -> str:
    """A moment of the fake clock: `0:04.9`, `6:14.3`, `1:06:14`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{int(rest):02}" if hours else f"{minutes}:{int(rest * 10) / 10:04.1f}"


def _to_a_hundredth_of_a_cent(nano: int) -> str:
    return f"${nano / 10**9:,.4f}"


def text(result: Result, width: int, *, full: bool = False) -> str:
    """Everything, for people."""
    lines = [title(result), bounds(result), "", *timeline(result, width, full=full), ""]
    return "\n".join([*lines, *meters(result), "", *conclusion(result, width)]) + "\n"


def _limits(limits: Limits) -> str:
    said = [
        f"{show_tokens(limits.tokens)} tokens" if limits.tokens is not None else "",
        plural(limits.tool_calls, "tool call") if limits.tool_calls is not None else "",
        plural(limits.iterations, "iteration") if limits.iterations is not None else "",
        length(limits.wall_clock_seconds) if limits.wall_clock_seconds is not None else "",
        show(limits.cost) if limits.cost is not None else "",
    ]
    return "limits " + ", ".join(one for one in said if one)


def _named(seen: Sighting) -> str:
    kind = {Signal.LIMIT: " limit", Signal.RUNAWAY: " (runaway signal)", Signal.BREAKER: " (breaker)"}
    name = NAMES.get(seen.by, seen.by) if seen.signal is Signal.LIMIT else seen.by
    return name + kind.get(seen.signal, f" ({seen.signal})")


def _when(seen: Sighting) -> str:
    of = f" ({seen.of_runaway} since it ran away)" if 0 < seen.of_runaway < seen.iteration else ""
    return f"iteration {seen.iteration}{of}, {length(seen.seconds)}"


def _used(used: Used) -> str:
    return f"{show_tokens(used.tokens)} tokens and {show(used.cost)}"
