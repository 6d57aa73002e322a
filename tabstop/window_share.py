"""Window share: how far a vendor's window moved while a session ran, and how a tab's shares are told. Pure.

A window is one person's, and everything they run moves it: what moved while a session ran is the most that it used. Shares of
different plans are unlike things, and so are a window's share, tokens and dollars: nothing here adds them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tabstop.gauge import FULL, MOST_USED, Gauge, GaugeReading, GaugeSource
from tabstop.gauge_outlook import window_name
from tabstop.gauge_rate import same_window
from tabstop.quantity import listed, plural

_ROUNDING = FULL // 100
"""By which two sources may differ: some tell whole percents."""


@dataclass(frozen=True, slots=True)
class WindowShare:
    """last: the newest reading that the session told, not lowered by rounding; or an estimate, where none tells what moved.

    moved: ten-thousandths of the window by which it rose until then, at most. None where that is not known: there is one reading, and
    none before it.
    """

    last: GaugeReading
    moved: int | None = None

    @property
    def estimated(self) -> bool:
        """Whether it was worked out from usage."""
        return self.last.source is GaugeSource.ESTIMATED


def first_told(reading: GaugeReading, admitted_at: datetime, earlier: Iterable[GaugeReading]) -> WindowShare:
    """With the first reading that a session tells of a window. earlier: what else was read of its engineer's windows, by anybody.

    A window that began after the session counts from nothing. In any other it counts from the last reading before the session,
    else from the first one after: what was used before that is the session's too, and is not known.
    """
    if reading.began_at is not None and reading.began_at >= admitted_at:
        return WindowShare(reading, reading.used)
    known = sorted((one for one in earlier if _before(one, reading)), key=lambda one: one.observed_at)
    if len({one.account for one in known if one.account} - {reading.account}) > 1:
        known = []  # of which account it is nobody can tell
    if not known:
        return WindowShare(reading)
    begun = [one for one in known if one.observed_at <= admitted_at]
    return moved_by(WindowShare(begun[-1] if begun else known[0], 0), reading)


def _before(one: GaugeReading, reading: GaugeReading) -> bool:
    reported = one.source is not GaugeSource.ESTIMATED
    return reported and one.observed_at < reading.observed_at and same_window(one, reading)


def moved_by(before: WindowShare, reading: GaugeReading) -> WindowShare:
    """With one more reading of the same gauge. What is told late, or again, changes nothing.

    Where the window has begun anew since, all that is used of the new one was used meanwhile. Sources round differently: a reading
    that is lower by a percent at most moves nothing, and neither does the way back up.
    """
    if reading.observed_at <= before.last.observed_at:
        return before
    moved = before.moved or 0
    if not same_window(before.last, reading):
        return WindowShare(reading, min(moved + reading.used, MOST_USED))
    fell = before.last.used - reading.used
    most = before.last.used if 0 < fell <= _ROUNDING else reading.used
    return WindowShare(replace(reading, used=most), min(moved + max(0, -fell), MOST_USED))


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
        if before is None or _seen(share) > _seen(before):
            found[vendor, account, window] = replace(share, last=replace(share.last, account=account))
    return tuple(found.values())


def _seen(share: WindowShare) -> int:
    return -1 if share.moved is None else share.moved


def with_estimates(shares: Sequence[WindowShare], guesses: Iterable[WindowShare]) -> tuple[WindowShare, ...]:
    """One session's, with an estimate of each window of which nothing else tells what moved."""
    found = list(shares)
    for guess in guesses:
        same = [one for one in shares if (one.last.vendor, one.last.window) == (guess.last.vendor, guess.last.window)]
        if all(one.moved is None for one in same):
            found = [one for one in found if one not in same]
            found.append(guess)
    return tuple(found)


def in_words(shares: Iterable[tuple[int | None, WindowShare]]) -> str:
    """Of a tab's sessions, each with its engineer: what moved, what is estimated and what is not known, in a sentence each.

    `At most 12 % of Anthropic's 5-hour window and 3 % of Anthropic's weekly window went into this branch: …`. Empty where nothing
    is to be said. Nobody is named: people's plans stand in no order that tells whose they are.
    """
    told = tuple(shares)
    moved = listed(_clauses([one for one in told if not one[1].estimated], _at_most))
    guessed = listed(_clauses([one for one in told if one[1].estimated], _about))
    unknown = Counter(window_name(share.last) for _, share in told if share.moved is None)
    counted = [f"{plural(count, 'session')} used of {name}" for name, count in sorted(unknown.items())]
    sentences = (
        f"At most {moved} went into this branch: what moved while its sessions ran." if moved else "",
        f"Estimated from usage, since no reading tells: {guessed}." if guessed else "",
        f"Not known: what {listed(counted)}." if counted else "",
    )
    return " ".join(filter(None, sentences))


def _clauses(shares: Iterable[tuple[int | None, WindowShare]], percent: Callable[[int], str]) -> list[str]:
    """One for each window of each plan, `another one` for the same window of somebody else's.

    Only sessions of one plan's window are added, since they share it. Where neither engineer nor account is known nobody can tell, so
    each stands by itself.
    """
    found: dict[tuple[int | None, int, Gauge], tuple[str, int]] = {}
    for number, (engineer, share) in enumerate(shares, 1):
        alone = number if engineer is None and not share.last.account else 0
        key = engineer, alone, share.last.gauge
        name, before = found.get(key, (window_name(share.last), 0))
        found[key] = name, before + (share.moved or 0)
    clauses = sorted((one for one in found.values() if one[1]), key=lambda one: (one[0], -one[1]))
    names = [name for name, _ in clauses]
    return [
        f"{percent(moved)} of {'another one' if number and names[number - 1] == name else name}"
        for number, (name, moved) in enumerate(clauses)
    ]


def _at_most(moved: int) -> str:
    """Rounded up, so that it is."""
    return f"{-(-moved // 100)} %"


def _about(moved: int) -> str:
    return f"{moved // 100} %" if moved >= 100 else "less than 1 %"
