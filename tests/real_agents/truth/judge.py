"""Judging: the ledger against the invoice, nano-dollar by nano-dollar and call by call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tabstop.model_id import bare
from tabstop.usage import Grain, Tokens
from tests.real_agents.truth.server import Ledger, Row
from tests.real_agents.truth.vendor import Line


@dataclass(frozen=True)
class Verdict:
    """invoice, ledger: nano-dollars. calls: on the invoice. misplaced: of them, those that the ledger has not where they belong.

    error: by how much the ledger is off, what nobody could know left out. unseen: calls broken off that no source tells; unseen_cost:
    what they cost. words: what is wrong, for people.
    """

    invoice: int
    ledger: int
    calls: int
    misplaced: int
    error: int
    unseen: int = 0
    unseen_cost: int = 0
    unseen_why: str = ""
    words: tuple[str, ...] = ()

    @property
    def wrong(self) -> str:
        """Empty when nothing is."""
        found = [f"error {self.error}"] if self.error else []
        found += [f"{self.misplaced} misplaced"] if self.misplaced else []
        return ", ".join(found) + ("".join(f"\n    {word}" for word in self.words) if self.words else "")


def judge(lines: Sequence[Line], ledger: Ledger, leads: Mapping[str, str], unseen: str) -> Verdict:
    """Compare. leads: where work on a branch without a tab led. unseen: why calls that were broken off are in no source."""
    left = [line for line in lines if not (unseen and line.broken)]
    words = list(ledger.wrong)
    matched, rest_lines, rest_rows = _matched(left, ledger.rows)
    misplaced = 0
    for line, row in matched:
        if row.branch != _branch(line, leads):
            misplaced += 1
            words.append(
                f"call {line.number} ({line.script}) lies on {row.branch!r} ({row.confidence}), not {_branch(line, leads)!r}"
            )
    lost, more = _aggregates(rest_lines, rest_rows, leads)
    misplaced += len(lost)
    words += lost + more
    invoice = sum(line.cost for line in lines)
    unknown = [line for line in lines if unseen and line.broken]
    short = sum(line.cost for line in unknown)
    return Verdict(
        invoice,
        ledger.total,
        len(lines),
        misplaced + len(more),
        abs(ledger.total - (invoice - short)),
        len(unknown),
        short,
        unseen if unknown else "",
        tuple(words),
    )


def _branch(line: Line, leads: Mapping[str, str]) -> str:
    """Of the tab where it belongs; empty for the repository only."""
    found = leads.get(line.branch, line.branch)
    return "" if found == "main" else found


def _matched(lines: Sequence[Line], rows: Sequence[Row]) -> tuple[list[tuple[Line, Row]], list[Line], list[Row]]:
    """Calls by their counts, which no other call has; and what is left of both."""
    open_rows = list(rows)
    matched, rest = [], []
    for line in lines:
        row = next((one for one in open_rows if _same(line, one)), None)
        if row is None:
            rest.append(line)
        else:
            open_rows.remove(row)
            matched.append((line, row))
    return matched, rest, open_rows


def _same(line: Line, row: Row) -> bool:
    return row.tokens == line.tokens and bare(row.model) == bare(line.model)


def _aggregates(lines: Sequence[Line], rows: Sequence[Row], leads: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Calls that are only known as part of a total; each that is not, and each row that is no call, in words."""
    totals: dict[tuple[str, str], Tokens] = {}
    for row in rows:
        if row.grain is Grain.AGGREGATE:
            key = (bare(row.model), row.branch)
            totals[key] = totals.get(key, Tokens()) + row.tokens
    wanted: dict[tuple[str, str], Tokens] = {}
    for line in lines:
        key = (bare(line.model), _branch(line, leads))
        wanted[key] = wanted.get(key, Tokens()) + line.tokens
    right = {key for key, tokens in wanted.items() if totals.get(key) == tokens}
    lost = [
        f"call {line.number} ({line.script}, {line.model}) of {_branch(line, leads)!r} is not in the ledger: {line.tokens}"
        for line in lines
        if (bare(line.model), _branch(line, leads)) not in right
    ]
    more = [
        f"{row.grain} on {row.branch!r} ({row.confidence}, {row.agent}) is no call: {row.model} {row.tokens}"
        for row in rows
        if not (row.grain is Grain.AGGREGATE and (bare(row.model), row.branch) in right)
    ]
    return lost, more
