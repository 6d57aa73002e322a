"""The report as a table in a terminal: rows below their repository, with bars; 80 columns are enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from tabstop.quantity import plural, tokens
from tabstop.report.by import By
from tabstop.report.report import Report, clean
from tabstop.report.tally import Of, Row, Sum
from tabstop.report.words import HEADS, by_repository, cost_of, empty, footnotes, name_of, notional_of, state_of, title

MOST_ROWS = 30
"""Rows that are shown unless all are asked for; the others are one."""

WIDEST = 120
"""Columns; a wider terminal is not filled."""

_NARROW, _WIDE = 70, 100
"""Columns below which there are no bars, and from which they are long."""

_SHORTEST_NAME = 16
_GAP = "  "
_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
_STYLES = {"open": "green", "merged": "magenta", "closed": "red"}


@dataclass(frozen=True, slots=True)
class _Line:
    """cells: cost, bar, by plan, tokens, calls, as far as there are such columns; none for a heading."""

    name: Text
    cells: tuple[Text, ...] = ()
    style: str = ""


def print_table(report: Report, console: Console, *, everything: bool = False) -> None:
    """Print it. everything: all rows, however many."""
    width = min(console.width, WIDEST)
    console.print(Text(title(report), style="bold"), width=width)
    if not report.rows:
        for text in empty(report):
            console.print(Text(text), width=width)
        return
    console.print()
    for line in _aligned(_Columns(report, width).lines(everything=everything), width):
        console.print(line, no_wrap=True, overflow="ellipsis", crop=True, width=width)
    console.print()
    for note in footnotes(report):
        console.print(Text(clean(note), style="yellow" if note.startswith("?") else "dim"), width=width)


class _Columns:
    """Which columns there is room for, and what stands in them."""

    def __init__(self, report: Report, width: int) -> None:
        self._report = report
        self._plan = bool(report.total.notional_calls)
        self._bar = 0 if width < _NARROW else 16 if width >= _WIDE else 10
        self._tokens = width >= 50 or not self._plan
        self._calls = width >= (_WIDE if self._plan else _NARROW)
        self._most = max((max(row.sum.cost, row.sum.notional) for row in report.rows), default=0)

    def lines(self, *, everything: bool) -> Iterator[_Line | None]:
        """The table from its head to its total; None for an empty line."""
        report = self._report
        yield self._head()
        shown, rest = _shown(report, everything=everything)
        if report.by in {By.PR, By.BRANCH}:
            for number, (repository, rows) in enumerate(by_repository(shown)):
                if number:
                    yield None
                if repository:
                    yield _Line(Text(clean(repository), style="bold"))
                for row in rows:
                    yield self._of(_name(row, "  " if repository else ""), row.sum)
        else:
            for row in shown:
                yield self._of(Text(clean(row.repository)) if row.repository else _name(row), row.sum)
        if rest:
            which = plural(len(rest), "earlier day" if report.by is By.DAY else "smaller one")
            added = Sum()
            for row in rest:
                added.merge(row.sum)
            yield None
            yield self._of(Text(f"{which} (shown by --all)", style="dim"), added, bar=False)
        yield None
        yield self._of(Text("total"), report.total, bar=False, style="bold")

    def _head(self) -> _Line:
        names = ["cost", *([""] if self._bar else []), *(["by plan"] if self._plan else [])]
        names += ["tokens"] if self._tokens else []
        names += ["calls"] if self._calls else []
        return _Line(Text(HEADS[self._report.by]), tuple(map(Text, names)), "dim")

    def _of(self, name: Text, one: Sum, *, bar: bool = True, style: str = "") -> _Line:
        cells = [Text(cost_of(one), style="yellow" if one.billed_unpriced else "")]
        if self._bar:
            drawn = _bar(one, self._most, self._bar) if bar else Text("")
            drawn.pad_right(self._bar - drawn.cell_len)
            cells.append(drawn)
        if self._plan:
            cells.append(Text(notional_of(one), style="yellow" if one.notional_unpriced else ""))
        if self._tokens:
            cells.append(Text(tokens(one.tokens.total)))
        if self._calls:
            cells.append(Text(f"{one.calls:,}"))
        return _Line(name, tuple(cells), style)


def _aligned(lines: Iterator[_Line | None], width: int) -> Iterator[Text]:
    """Numbers to the right; the name takes what they leave, a heading all of it."""
    found = list(lines)
    full = [line.cells for line in found if line is not None and line.cells]
    widths = [max(cell.cell_len for cell in column) for column in zip(*full, strict=True)]
    left = max(_SHORTEST_NAME, width - sum(widths) - len(_GAP) * len(widths))
    for line in found:
        if line is None:
            yield Text()
            continue
        name = line.name.copy()
        name.truncate(left if line.cells else width, overflow="ellipsis", pad=bool(line.cells))
        text = Text(style=line.style).append_text(name)
        for cell, size in zip(line.cells, widths, strict=bool(line.cells)):
            text.append(_GAP + " " * (size - cell.cell_len)).append_text(cell)
        text.rstrip()
        yield text


def _shown(report: Report, *, everything: bool) -> tuple[Sequence[Row], Sequence[Row]]:
    rows = list(report.rows)
    if everything or len(rows) <= MOST_ROWS:
        return rows, ()
    if report.by is By.DAY:
        return rows[-MOST_ROWS:], rows[:-MOST_ROWS]
    return rows[:MOST_ROWS], rows[MOST_ROWS:]


def _name(row: Row, indent: str = "") -> Text:
    """A pull request's state stands before its title, which may be cut off."""
    name, rest = name_of(row), ""
    if row.of is Of.PULL_REQUEST:
        name, _, rest = name.partition(" ")
    text = Text(indent).append(name, style="italic" if row.of in {Of.REPOSITORY, Of.UNPLACED} else "")
    if state := state_of(row):
        text.append(f" {state}", style=_STYLES.get(row.state, "dim"))
    return text.append(f" {rest}") if rest else text


def _bar(one: Sum, most: int, width: int) -> Text:
    """Dollars solid; what a plan alone pays for, pale. Whatever there is, is never nothing."""
    if one.cost > 0:
        eighths = max(1, one.cost * width * 8 // most)
        return Text("█" * (eighths // 8) + _EIGHTHS[eighths % 8], style="cyan")
    if one.notional > 0:
        return Text("░" * max(1, one.notional * width // most), style="dim cyan")
    return Text("")
