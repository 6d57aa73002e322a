"""Window share: how far a vendor's window moved while a session ran, and how a tab's shares are told. Pure.

A window is one person's, and everything they run moves it: what moved while a session ran is the most that it used. Shares of
different plans are unlike things, and so are a window's share, tokens and dollars: nothing here adds them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tabstop.gauge import MOST_USED, GaugeReading
from tabstop.gauge_outlook import same_window, window_name


@dataclass(frozen=True, slots=True)
class WindowShare:
    """last: the newest reading that the session told. moved: ten-thousandths of the window by which it rose until then, at most."""

    last: GaugeReading
    moved: int = 0


def moved_by(before: WindowShare | None, reading: GaugeReading) -> WindowShare:
    """With one more reading of the same gauge. What is told late, or again, changes nothing.

    Where the window has begun anew since, all that is used of the new one was used meanwhile.
    """
    if before is None:
        return WindowShare(reading)
    if reading.observed_at <= before.last.observed_at:
        return before
    rose = reading.used - before.last.used if same_window(before.last, reading) else reading.used
    return WindowShare(reading, min(before.moved + max(0, rose), MOST_USED))


def in_words(shares: Iterable[tuple[int | None, WindowShare]]) -> str:
    """Of a tab's sessions, each with its engineer: one clause for each window of each plan, `another one` for the same window
    of somebody else's; empty where nothing moved.

    `At most 12 % of Anthropic's 5-hour window and 3 % of Anthropic's weekly window`. Nobody is named: people's plans stand in no
    order that tells whose they are. Only sessions of one plan's window are added, since they share it.
    """
    found: dict[tuple[int | None, str, str, str], WindowShare] = {}
    for engineer, share in shares:
        key = engineer, *share.last.gauge
        before = found.get(key)
        found[key] = share if before is None else replace(before, moved=before.moved + share.moved)
    clauses = sorted(
        ((window_name(one.last), one.moved) for one in found.values() if one.moved),
        key=lambda clause: (clause[0], -clause[1]),
    )
    names = [name for name, _ in clauses]
    told = [
        f"{_percent(moved)} of {'another one' if number and names[number - 1] == name else name}"
        for number, (name, moved) in enumerate(clauses)
    ]
    if not told:
        return ""
    return "At most " + (told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}")


def _percent(moved: int) -> str:
    return f"{moved // 100} %" if moved >= 100 else "less than 1 %"
