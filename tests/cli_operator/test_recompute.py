"""`audit recompute`: equal says so, a difference is shown and fails."""

from __future__ import annotations

import json
import sqlite3

from tests.cli_operator.operator_at_work import AtWork


def test_equal(at_work: AtWork) -> None:
    """What budgets show is what the entries add up to, and the command says how much it looked at."""
    at_work.with_acme()
    at_work.types("overdrive", "grant", "--organization", "acme", "--tab", "widget#7", "--amount", "5", "--why", "x")
    result = at_work.types("audit", "recompute")
    assert (result.exit_code, result.output) == (0, "acme: 1 budget and 0 sessions equal the ledger.\n")


def test_a_difference(at_work: AtWork) -> None:
    """A budget that was written to by hand is named, with both figures; nothing is repaired."""
    at_work.with_acme()
    at_work.types("overdrive", "grant", "--organization", "acme", "--tab", "widget#7", "--amount", "5", "--why", "x")
    with sqlite3.connect(at_work.folder / "tabstop.db") as db:
        db.execute("UPDATE budget SET spent_nano = 7")
    db.close()
    for _ in range(2):
        result = at_work.types("audit", "recompute")
        assert result.exit_code == 1
        assert result.output.startswith("acme: 1 difference in 1 budget and 0 sessions:\n  budget ")
    [row] = [json.loads(line) for line in at_work.types("audit", "recompute", "--json").stdout.splitlines()]
    assert len(row["differences"]) == 1
