"""Captured sessions through the server: the ledger says what the vendor's invoice says, however often and in whatever order."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tabstop.agents.claude_code.execution_file import totals_of
from tabstop.usage import Usage
from tabstop.wire_json import to_json
from tests.agents.claude_code.jobs import Job, cost_by_model, invoiced
from tests.support.samples import CLAUDE_CASES, claude_case
from tests.web.conftest import Bench, json_of

UNSEEN = {"killed", "killed-half-row"}
"""Killed clients leave no total, so what no row holds cannot be known."""


def calls_of(usages: tuple[Usage, ...]) -> list[dict[str, Any]]:
    return [{name: value for name, value in to_json(usage).items() if name != "agent"} for usage in usages]


def invoice_cost(job: Job) -> int:
    """What the vendor bills for everything that happened after the gate, at list prices."""
    lines = [invoiced(line) for line in job.invoice]
    usages = [Usage(keys, model, tokens, job.gate) for keys, model, tokens in lines]
    return sum(cost_by_model(usages, job.gate).values())


@pytest.mark.parametrize("case", [name for name in CLAUDE_CASES if name not in UNSEEN])
def test_the_ledger_says_what_the_invoice_says(bench: Bench, case: str, tmp_path: Path) -> None:
    """Calls, subagents, forks, resumes and compaction: to the nano-dollar; sent twice, shuffled and in parts, the same."""
    job = Job(claude_case(case), tmp_path)
    bench.clock.now = job.gate
    started = bench.start()
    bench.clock.now = claude_case(case).runs[-1].ended
    found = job.read()
    calls, totals = calls_of(found.usages), to_json(totals_of(found, job.execution()))
    whole = json_of(bench.report(started, *calls, client_totals=totals))
    assert whole["cost"] == invoice_cost(job)
    assert whole["unpriced"] == 0

    random.Random(case).shuffle(calls)
    half = len(calls) // 2
    for part in (calls[half:], calls[:half], calls):
        again = json_of(bench.report(started, *part, client_totals=totals))
        assert (again["new"], again["cost"]) == (0, whole["cost"])
    with bench.world.store.look(bench.organization.id) as books:
        (session,) = books.sessions_of_tab(_tab(bench))
        (budget,) = books.budgets_of_tab(_tab(bench), bench.clock.now)
    assert session.spent == budget.spent


@pytest.mark.parametrize("case", ["plain", "compacted", "forked"])
def test_the_totals_first_and_the_calls_after_come_to_the_same(bench: Bench, case: str, tmp_path: Path) -> None:
    """A true-up made before its calls are known shrinks when they arrive, one by one."""
    job = Job(claude_case(case), tmp_path)
    bench.clock.now = claude_case(case).runs[-1].ended
    started = bench.start()
    found = job.read()
    totals = to_json(totals_of(found, job.execution()))
    bench.report(started, client_totals=totals)
    last: dict[str, Any] = {}
    for call in calls_of(found.usages):
        last = json_of(bench.report(started, call))
    assert last["cost"] == invoice_cost(job)


def _tab(bench: Bench) -> int:
    with bench.world.store.look(bench.organization.id) as books:
        tab = books.tab_of_branch(bench.repository.id, "claude/fix")
    assert tab is not None
    return tab.id
