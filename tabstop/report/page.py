"""The report as a page: one HTML file that asks nobody for anything, light or dark as its reader has it, and prints well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from tabstop.money import show
from tabstop.quantity import tokens
from tabstop.report.by import By
from tabstop.report.chart import chart, legend
from tabstop.report.page_style import STYLE
from tabstop.report.report import Charts, Report, clean
from tabstop.report.tally import Of, Row, Sum
from tabstop.report.words import HEADS, by_repository, cost_of, empty, footnotes, name_of, notional_of, state_of, title

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(report: Report, charts: Charts) -> str:
    """The whole document. Every name from outside is escaped."""
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">',
        f"<title>{_text(title(report))}</title>",
        f"<style>{STYLE}</style></head>",
        "<body><main>",
        f"<header><h1>{_text(title(report))}</h1><p>{_text(_made(report))}</p></header>",
        *(_body(report, charts) if report.rows else (f"<p>{_text(line)}</p>" for line in empty(report))),
        "</main></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _made(report: Report) -> str:
    where = f"Only {', '.join(map(clean, report.paths))}. " if report.paths else ""
    at = report.made_at.strftime("%Y-%m-%d %H:%M UTC")
    return f"{where}Made {at} by tabstop cost. Days are those of {report.timezone}."


def _body(report: Report, charts: Charts) -> Iterator[str]:
    yield _figures(report.total)
    dollars = chart(charts.days, lambda row: row.sum.cost, "Dollars over time, by agent")
    plan = chart(charts.days, lambda row: row.sum.notional, "What plans paid for over time, by agent")
    if dollars:
        agents = [(place, one.name) for place, one in enumerate(charts.agents) if one.sum.cost]
        yield f"<section><h2>Over time</h2>{legend(agents)}{dollars}</section>"
    if plan:
        agents = [(place, one.name) for place, one in enumerate(charts.agents) if one.sum.notional]
        head = "Over time, paid by a plan (at API prices)"
        yield f"<section><h2>{head}</h2>{legend(agents)}{plan}</section>"
    yield f"<section><h2>By {_text(HEADS[report.by])}</h2>{_table(report, report.by, report.rows)}</section>"
    for by, rows in ((By.MODEL, charts.models), (By.AGENT, charts.agents)):
        if by is not report.by:
            yield f'<section class="half"><h2>By {by.value}</h2>{_table(report, by, rows)}</section>'
    notes = "".join(f"<li>{_text(note)}</li>" for note in footnotes(report))
    if notes:
        yield f'<section class="notes"><h2>To know</h2><ul>{notes}</ul></section>'


def _figures(one: Sum) -> str:
    figures = [("dollars", cost_of(one) or show(0), one.billed_unpriced > 0)]
    if one.notional_calls:
        figures.append(("by plan, at API prices", notional_of(one), one.notional_unpriced > 0))
    if one.unpriced:
        figures.append(("calls without a price", f"{one.unpriced:,}", True))
    figures += [
        ("sessions", f"{len(one.sessions):,}", False),
        ("calls", f"{one.calls:,}", False),
        ("tokens", tokens(one.tokens.total), False),
    ]
    items = "".join(
        f"<div{' class=alarm' if alarm else ''}><dd>{_text(value)}</dd><dt>{_text(name)}</dt></div>"
        for name, value, alarm in figures
    )
    return f'<dl class="figures">{items}</dl>'


def _table(report: Report, by: By, rows: Sequence[Row]) -> str:
    plan = bool(report.total.notional_calls)
    heads = [HEADS[by], "cost", "", *(["by plan"] if plan else []), "tokens", "calls", "sessions"]
    most = max((max(row.sum.cost, row.sum.notional) for row in rows), default=0)
    lines = ["<table><thead><tr>", *(_head(head) for head in heads), "</tr></thead>"]
    if by in {By.PR, By.BRANCH}:
        for repository, of_it in by_repository(rows):
            head = f'<tr class="repository"><th colspan="{len(heads)}" scope="colgroup">{_text(repository)}</th></tr>'
            lines.append(f"<tbody>{head if repository else ''}")
            lines += [_row(row, most, plan, _name(row)) for row in of_it]
            lines.append("</tbody>")
    else:
        lines.append("<tbody>")
        lines += [_row(row, most, plan, _text(row.repository) if row.repository else _name(row)) for row in rows]
        lines.append("</tbody>")
    lines.append(f"<tfoot>{_row(Row(Of.UNPLACED, sum=report.total), 0, plan, 'total')}</tfoot></table>")
    return "\n".join(lines)


def _head(name: str) -> str:
    kind = ' class="number"' if name in {"cost", "by plan", "tokens", "calls", "sessions"} else ""
    return f'<th scope="col"{kind}>{_text(name)}</th>'


def _row(row: Row, most: int, plan: bool, name: str) -> str:
    one = row.sum
    cells = [
        f'<th scope="row">{name}</th>',
        _amount(cost_of(one), alarm=one.billed_unpriced > 0),
        f'<td class="bar">{_bar(one, most)}</td>',
    ]
    if plan:
        cells.append(_amount(notional_of(one), alarm=one.notional_unpriced > 0))
    counts = tokens(one.tokens.total), f"{one.calls:,}", f"{len(one.sessions):,}"
    cells += [f'<td class="number">{count}</td>' for count in counts]
    return f"<tr>{''.join(cells)}</tr>"


def _amount(shown: str, *, alarm: bool) -> str:
    return f'<td class="number{" alarm" if alarm else ""}">{_text(shown)}</td>'


def _name(row: Row) -> str:
    name = _text(name_of(row))
    pull = row.pull_request
    if pull is not None and pull.url.startswith("https://"):
        name = f'<a href="{escape(pull.url)}" rel="noreferrer noopener">{name}</a>'
    if row.of in {Of.REPOSITORY, Of.UNPLACED}:
        name = f"<em>{name}</em>"
    state = state_of(row)
    badge = f' <span class="state {_text(row.state)}">{_text(state)}</span>' if state else ""
    why = f"{row.confidence}: {row.reason}" if row.confidence and row.reason else ""
    branch = f"<small>{_text(row.branch)}</small>" if pull is not None and pull.title and row.branch else ""
    return f'<span title="{_text(why)}">{name}{badge}</span>{branch}'


def _bar(one: Sum, most: int) -> str:
    """Dollars above what a plan pays for, each in percent of the longest; what there is of either can be seen."""
    if most <= 0:
        return ""
    amounts = [(kind, nano) for kind, nano in (("dollars", one.cost), ("plan", one.notional)) if nano > 0]
    return "".join(f'<i class="{kind}" style="width:{max(0.5, nano * 100 / most):.1f}%"></i>' for kind, nano in amounts)


def _text(text: str) -> str:
    return escape(clean(text))
