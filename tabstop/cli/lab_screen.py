"""A lab session in a terminal: gauges that fill and a timeline that scrolls, in the time of the fake clock or a multiple of it."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tabstop.lab.gauges import Gauge, gauges
from tabstop.lab.play import Result
from tabstop.lab.report import HEAD, bounds, conclusion, line, said, title

SECONDS = 10.0
"""How long a session takes to be shown, where no speed is given."""

LINES = 14
"""Lines of the timeline that are on the screen at once."""

LONGEST_PAUSE = 1.5
"""Seconds; whoever waits for hours is not waited for."""


def show_live(
    result: Result, speed: float | None, console: Console | None = None, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Play it back. speed: seconds of the fake clock in one of ours; None for one that takes ten seconds in all."""
    console = console or Console(highlight=False)
    pace = speed or max(1.0, result.seconds / SECONDS)
    console.print(Text(title(result), style="bold"))
    console.print(Text(bounds(result), style="dim"))
    shown: list[Text] = []
    before = 0.0
    with Live(console=console, auto_refresh=False) as live:
        for at, one in enumerate(result.iterations):
            sleep(min(LONGEST_PAUSE, max(0.0, one.seconds - before) / pace))
            before = one.seconds
            shown += _lines(result, at, console.width)
            live.update(_frame(result, at, shown[-LINES:]), refresh=True)
    style = "bold red" if result.stop else "bold green"
    for text in conclusion(result, console.width):
        console.print(Text(text, style=style if text.startswith(("Stopped", "Ended")) else ""))


def _frame(result: Result, at: int, shown: list[Text]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    for gauge in gauges(result.iterations[at].totals, result.limits):
        table.add_row(gauge.name, _bar(gauge), f"{gauge.percent:>4} %", gauge.used)
    return Group(Panel(table, title="used", expand=False), Text(HEAD, style="dim"), *shown)


def _bar(gauge: Gauge, width: int = 30) -> Text:
    full = min(width, gauge.percent * width // 100)
    colour = "red" if gauge.percent >= 90 else "yellow" if gauge.percent >= 75 else "green"
    return Text.assemble(("█" * full, colour), ("░" * (width - full), "dim"))


def _lines(result: Result, at: int, width: int) -> list[Text]:
    one = result.iterations[at]
    turns = result.runaway_from == one.number and result.scenario.go_on is not None and at > 0
    return [
        *([Text("       -- it begins to run away --", style="magenta")] if turns else []),
        Text(line(result, at), no_wrap=True, overflow="ellipsis"),
        *(Text(row, style="yellow") for row in said(one, width)),
    ]
