"""What counts as an error, and as a call that does not lie where it belongs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tabstop.usage import Grain, Tokens
from tests.real_agents.truth.judge import Verdict, judge
from tests.real_agents.truth.server import Ledger, Row
from tests.real_agents.truth.vendor import Line

AT = datetime(2026, 11, 22, tzinfo=UTC)


def line(number: int, branch: str = "fix", *, broken: bool = False) -> Line:
    """A call of so many thousand output tokens, each of which costs 1.5 cents."""
    return Line(number, "anthropic", "claude-sonnet-4-5", Tokens(output=1_000 * number), AT, branch, broken=broken)


def row(*numbers: int, branch: str = "fix") -> Row:
    """A usage of as much; of several calls, their sum."""
    grain = Grain.CALL if len(numbers) == 1 else Grain.AGGREGATE
    output = 1_000 * sum(numbers)
    return Row("claude-sonnet-4-5", Tokens(output=output), branch, output * 15_000, grain, "claimed", "claude-code")


def judged(lines: list[Line], *rows: Row, leads: dict[str, str] | None = None, unseen: str = "") -> Verdict:
    return judge(lines, Ledger(sum(one.cost for one in rows), rows), leads or {}, unseen)


TWO = [line(1), line(2)]


@pytest.mark.parametrize(
    ("rows", "error", "misplaced"),
    [
        ((row(1), row(2)), 0, 0),
        ((row(1, 2),), 0, 0),
        ((row(1), row(2, branch="other")), 0, 1),
        ((row(1),), 30_000_000, 1),
        ((row(1), row(2), row(2)), 30_000_000, 1),
        ((row(1, 2, branch="other"),), 0, 3),
        ((row(1), replace(row(2), tokens=Tokens(output=1_999))), 0, 2),
    ],
    ids=["right", "in one sum", "elsewhere", "missing", "twice", "a sum elsewhere", "another count"],
)
def test_what_is_wrong(rows: tuple[Row, ...], error: int, misplaced: int) -> None:
    """Every call once, on its tab; a sum stands for its calls where it lies on theirs. A row that is no call counts too."""
    found = judged(TWO, *rows)
    assert (found.error, found.misplaced, bool(found.wrong)) == (error, misplaced, bool(error or misplaced))


def test_work_that_led_somewhere() -> None:
    """Calls on the default branch lie on no tab, or where their work led."""
    assert not judged([line(1, "main")], row(1, branch="")).wrong
    assert not judged([line(1, "main")], row(1), leads={"main": "fix"}).wrong
    assert judged([line(1, "main")], row(1)).misplaced == 1


def test_what_nobody_can_know() -> None:
    """Is named with its price, and no error; where it can be known it has to be in the ledger."""
    found = judged([line(1), line(2, broken=True)], row(1), unseen="broken off")
    assert (found.wrong, found.unseen, found.unseen_cost, found.unseen_why) == ("", 1, 30_000_000, "broken off")
    assert (found.invoice, found.ledger) == (45_000_000, 15_000_000)
    assert judged([line(1), line(2, broken=True)], row(1)).misplaced == 1


def test_books_that_do_not_add_up() -> None:
    """Are said."""
    assert "5 too much" in judge(TWO, Ledger(45_000_000, (row(1), row(2)), ("5 too much",)), {}, "").words
