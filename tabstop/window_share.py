"""Window share: how far a vendor's window moved while a session ran, and how a tab's shares are told. Pure.

A window is one person's, and everything they run moves it: what moved while a session ran is the most that it used. Shares of
different plans are unlike things, and so are a window's share, tokens and dollars: nothing here adds them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tabstop.gauge import FULL, MOST_USED, Gauge, GaugeReading
from tabstop.gauge_outlook import same_window, window_name

_ROUNDING = FULL // 100
"""By which two sources may differ: some tell whole percents."""


@dataclass(frozen=True, slots=True)
class WindowShare:
    """last: the newest reading that the session told, not lowered by rounding. moved: ten-thousandths of the window by which it rose
    until then, at most.
    """

    last: GaugeReading
    moved: int = 0


def moved_by(before: WindowShare | None, reading: GaugeReading) -> WindowShare:
    """With one more reading of the same gauge. What is told late, or again, changes nothing.

    Where the window has begun anew since, all that is used of the new one was used meanwhile. Sources round differently: a reading
    that is lower by a percent at most moves nothing, and neither does the way back up.
    """
    if before is None:
        return WindowShare(reading)
    if reading.observed_at <= before.last.observed_at:
        return before
    if not same_window(before.last, reading):
        return WindowShare(reading, min(before.moved + reading.used, MOST_USED))
    fell = before.last.used - reading.used
    most = before.last.used if 0 < fell <= _ROUNDING else reading.used
    return WindowShare(replace(reading, used=most), min(before.moved + max(0, -fell), MOST_USED))


def of_session(shares: Iterable[WindowShare]) -> tuple[WindowShare, ...]:
    """One session's, of each window once. Some sources name the account and some do not: where the session names only one, both
    told of the same movement, and what saw more of it counts.
    """
    known = tuple(shares)
    named = {(share.last.vendor, share.last.account) for share in known if share.last.account}
    found: dict[Gauge, WindowShare] = {}
    for share in known:
        vendor, account, window = share.last.gauge
        names = [name for whose, name in named if whose == vendor]
        if not account and len(names) == 1:
            account = names[0]
        before = found.get((vendor, account, window))
        if before is None or share.moved > before.moved:
            found[vendor, account, window] = replace(share, last=replace(share.last, account=account))
    return tuple(found.values())


def in_words(shares: Iterable[tuple[int | None, WindowShare]]) -> str:
    """Of a tab's sessions, each with its engineer: one clause for each window of each plan, `another one` for the same window
    of somebody else's; empty where nothing moved.

    `At most 12 % of Anthropic's 5-hour window and 3 % of Anthropic's weekly window`. Nobody is named: people's plans stand in no
    order that tells whose they are. Only sessions of one plan's window are added, since they share it. Where neither engineer nor
    account is known nobody can tell, so each stands by itself.
    """
    found: dict[tuple[int | None, int, Gauge], WindowShare] = {}
    for number, (engineer, share) in enumerate(shares, 1):
        alone = number if engineer is None and not share.last.account else 0
        key = engineer, alone, share.last.gauge
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
