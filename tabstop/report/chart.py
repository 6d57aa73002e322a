"""A chart of costs over time: inline SVG, one bar a day (or week, or month), stacked by agent. No script, no request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape

from tabstop.money import Nano, show
from tabstop.report.report import AGENTS, clean
from tabstop.report.tally import Row

WIDTH, HEIGHT = 960, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 8, 12, 26
_MOST_BARS = 124
_LABELS = 8
_STEPS = (1, 2, 3, 4, 5, 6, 8)
_EARLIEST, _LATEST = date(1970, 1, 1), date(2090, 12, 31)
"""A damaged log, or a wrong clock, may tell any day; what lies outside stands at the end it is nearer to, so that years have enough bars."""

Amount = Callable[[Row], Nano]


@dataclass(frozen=True, slots=True)
class _Bars:
    """starts: the first day of each bar; every: what one is; amounts: by agent, for each bar."""

    starts: Sequence[date]
    every: str
    amounts: Mapping[str, Sequence[Nano]]


def chart(days: Mapping[str, Sequence[Row]], amount: Amount, label: str) -> str:
    """Nothing where there is nothing to draw. days: rows of days, by agent, in the order of the legend. label: for who cannot see it."""
    told = {
        agent: [(min(max(date.fromisoformat(row.name), _EARLIEST), _LATEST), amount(row)) for row in rows]
        for agent, rows in days.items()
    }
    if not any(nano > 0 for rows in told.values() for _, nano in rows):
        return ""
    bars = _bars(told)
    most = max(sum(row[at] for row in bars.amounts.values()) for at in range(len(bars.starts)))
    top = _round_up(most)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">',
        *_grid(top),
        *_drawn(bars, top, list(days)),
        *_dates(bars),
        "</svg>",
    ]
    return "\n".join(parts)


def legend(agents: Sequence[tuple[int, str]]) -> str:
    """Which colour is whose: agents with their places in the chart."""
    items = "".join(f'<li><i class="a{place % 6}"></i>{escape(_called(agent))}</li>' for place, agent in agents)
    return f'<ul class="legend">{items}</ul>'


def _called(agent: str) -> str:
    return AGENTS.get(agent, clean(agent))


def _bars(told: Mapping[str, Sequence[tuple[date, Nano]]]) -> _Bars:
    all_days = [day for rows in told.values() for day, _ in rows]
    first, last = min(all_days), max(all_days)
    fitting = ((every, start_of, _starts(start_of(first), last, after)) for every, start_of, after in _UNITS)
    every, start_of, starts = next(one for one in fitting if len(one[2]) <= _MOST_BARS)
    places = {start: place for place, start in enumerate(starts)}
    amounts = {agent: [0] * len(starts) for agent in told}
    for agent, rows in told.items():
        for day, nano in rows:
            amounts[agent][places[start_of(day)]] += nano
    return _Bars(starts, every, amounts)


def _starts(first: date, last: date, after: Callable[[date], date]) -> list[date]:
    """The first day of each bar; one more than there may be where they are too many."""
    starts = [first]
    while (following := after(starts[-1])) <= last and len(starts) <= _MOST_BARS:
        starts.append(following)
    return starts


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


_UNITS: tuple[tuple[str, Callable[[date], date], Callable[[date], date]], ...] = (
    ("day", lambda day: day, lambda day: day + timedelta(days=1)),
    ("week", lambda day: day - timedelta(days=day.weekday()), lambda day: day + timedelta(days=7)),
    ("month", lambda day: day.replace(day=1), _next_month),
    ("year", lambda day: day.replace(month=1, day=1), lambda day: date(day.year + 1, 1, 1)),
)


def _round_up(nano: Nano) -> Nano:
    """The next number that is easy to halve and to read."""
    size = 1
    while True:
        for step in _STEPS:
            if step * size >= nano:
                return step * size
        size *= 10


def _y(nano: Nano, top: Nano) -> float:
    return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * nano / top, 1)


def _grid(top: Nano) -> list[str]:
    lines = []
    for part in (0, 1, 2):
        y = _y(top * part // 2, top)
        lines.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        amount = show(top * part // 2) if part else "$0"
        spare = "" if part else " spare"  # a narrow page has room for half of the letters, twice as large
        lines.append(f'<text class="axis{spare}" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(amount)}</text>')
    return lines


def _drawn(bars: _Bars, top: Nano, agents: Sequence[str]) -> list[str]:
    step = (WIDTH - _LEFT - _RIGHT) / len(bars.starts)
    width = round(min(48.0, step * 0.8), 1)
    found = []
    for at in range(len(bars.starts)):
        x = round(_LEFT + step * at + (step - width) / 2, 1)
        below = 0
        rects = []
        for place, agent in enumerate(agents):
            nano = bars.amounts[agent][at]
            if nano > 0:
                y, height = _y(below + nano, top), round(max(1.0, _y(below, top) - _y(below + nano, top)), 1)
                rects.append(f'<rect class="a{place % 6}" x="{x}" y="{y}" width="{width}" height="{height}"/>')
                below += nano
        if rects:
            found.append(f"<g><title>{escape(_hint(bars, at))}</title>{''.join(rects)}</g>")
    return found


def _hint(bars: _Bars, at: int) -> str:
    when = {"day": "", "week": "week of ", "month": "month of ", "year": "year of "}[bars.every]
    amounts = [f"{_called(agent)} {show(row[at])}" for agent, row in bars.amounts.items() if row[at]]
    return f"{when}{bars.starts[at].isoformat()}: {', '.join(amounts)}"


def _dates(bars: _Bars) -> list[str]:
    count = len(bars.starts)
    step = (WIDTH - _LEFT - _RIGHT) / count
    every = max(1, -(-count // _LABELS))
    return [
        f'<text class="axis{" spare" if at // every % 2 else ""}" x="{round(_LEFT + step * (at + 0.5), 1)}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{bars.starts[at].isoformat()}</text>"
        for at in range(0, count, every)
    ]
