"""The status line: burn rate and a meter per limit, on the terminal's last row, outside what the agent prints scrolls in."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from tabstop.governor.limits import Totals
from tabstop.money import Nano, show
from tabstop.quantity import exact_span
from tabstop.quantity import tokens as show_tokens
from tabstop.session import Limits

WINDOW = timedelta(minutes=5)
"""Over which the burn rate is reckoned."""


class Burn:
    """How fast money goes."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._seen: deque[tuple[datetime, Nano]] = deque()

    def per_minute(self, now: datetime, cost: Nano) -> Nano:
        """Nano-dollars a minute over the last five minutes, or since it began."""
        self._seen.append((now, cost))
        while len(self._seen) > 1 and now - self._seen[0][0] > WINDOW:
            self._seen.popleft()
        since, before = self._seen[0]
        milliseconds = max(1_000, (now - since) // timedelta(milliseconds=1))
        return max(0, cost - before) * 60_000 // milliseconds


def meters(totals: Totals, limits: Limits, *, counted: bool = True) -> list[str]:
    """One text per limit that binds: `$0.42/$10.00`. Cost and tokens are told without a limit too.

    counted: False for a program whose usage nobody can see: then time is all there is.
    """
    clock = exact_span(totals.wall_clock_seconds)
    clock = clock if limits.wall_clock_seconds is None else f"{clock}/{exact_span(limits.wall_clock_seconds)}"
    if not counted:
        return [clock]
    cost, tokens = show(totals.cost), show_tokens(totals.tokens)
    found = [_of(_sure(cost, totals, doubt=totals.unpriced > 0), limits.cost, show)]
    found.append(_of(_sure(tokens, totals, doubt=False), limits.tokens, show_tokens) + " tokens")
    if limits.iterations is not None:
        found.append(f"{totals.iterations:,}/{limits.iterations:,} calls")
    if limits.tool_calls is not None:
        found.append(f"{totals.tool_calls:,}/{limits.tool_calls:,} tools")
    return [*found, clock]


def _sure(amount: str, totals: Totals, *, doubt: bool) -> str:
    """With a question mark where there is more than that; a question mark alone where nothing is known."""
    if totals.unseen:
        return "?"
    return amount + ("?" if doubt or totals.in_part else "")


def status(totals: Totals, limits: Limits, per_minute: Nano, *, counted: bool = True) -> str:
    """The whole line."""
    head = f"tabstop {show(per_minute)}/min" if counted and not totals.unseen else "tabstop"
    return " · ".join([head, *meters(totals, limits, counted=counted)])


class StatusLine:
    """Draws it. The agent's output scrolls in the rows above: whatever it prints, nothing of it is overwritten."""

    def __init__(self, descriptor: int) -> None:
        """descriptor: a terminal."""
        self._descriptor = descriptor
        self._size: os.terminal_size | None = None
        self._text = ""

    def draw(self, text: str) -> None:
        """Show it. After the terminal changed its size the row is set apart anew."""
        size = os.get_terminal_size(self._descriptor)
        if size.lines < 3 or size.columns < 20:
            return
        prepared = b""
        if size != self._size:
            self._size, self._text = size, ""
            # Make room, then keep the last row out of scrolling; setting the region moves the cursor, so it is saved
            # before (DECSC, DECSTBM, DECRC; apt's progress bar does the same).
            prepared = b"\n\x1b7\x1b[1;%dr\x1b8\x1b[1A" % (size.lines - 1)
        text = text[: size.columns - 1]
        if text == self._text:
            return
        self._text = text
        self._write(prepared + b"\x1b7\x1b[%d;1H\x1b[2K\x1b[7m%s\x1b[0m\x1b8" % (size.lines, text.encode()))

    def clear(self) -> None:
        """Give the row back."""
        if self._size is not None:
            rows = self._size.lines
            self._write(b"\x1b7\x1b[r\x1b[%d;1H\x1b[2K\x1b8" % rows)
        self._size = None

    def _write(self, data: bytes) -> None:
        with suppress(OSError):
            os.write(self._descriptor, data)


def _of(used: str, limit: int | None, shown: Callable[[int], str]) -> str:
    return used if limit is None else f"{used}/{shown(limit)}"
