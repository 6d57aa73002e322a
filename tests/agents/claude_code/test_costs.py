"""Captured sessions: every call costs what the client says, whatever is read twice, late or in another order."""

import random
from pathlib import Path

import pytest

from tabstop.agents.claude_code.client_count import read_counts
from tabstop.agents.claude_code.execution_file import totals_of
from tabstop.agents.claude_code.responses import each_once
from tabstop.cost import CostState
from tabstop.price_book import card
from tabstop.price_card import price
from tabstop.true_up import true_up
from tabstop.usage import Usage
from tests.agents.claude_code.jobs import Job, cost_by_model, invoiced, tokens_by_model
from tests.support.samples import CLAUDE_CASES, claude_case

EVERY_GATE = [(name, run.number) for name in CLAUDE_CASES for run in claude_case(name).runs]
WITHOUT_ROWS = {"compacted": {3}, "killed-half-row": {2}}
"""Calls of these runs are in no transcript row: compaction, and the row that was cut off."""


def a_job(name: str, first_run: int, home: Path) -> Job:
    return Job(claude_case(name), home, first_run)


@pytest.mark.parametrize(("name", "first_run"), EVERY_GATE)
def test_every_call_is_the_one_on_the_invoice(name: str, first_run: int, tmp_path: Path) -> None:
    """The API's own record, call by call; only what no row holds is missing."""
    job = a_job(name, first_run, tmp_path)
    read = {(one.keys, one.model, one.tokens) for one in job.read().usages}
    billed = {invoiced(line) for line in job.invoice}
    assert len(read) == len(job.read().usages)
    assert read <= billed
    for keys, _, _ in billed - read:
        (line,) = (line for line in job.invoice if invoiced(line)[0] == keys)
        assert line.run in WITHOUT_ROWS.get(name, ())


@pytest.mark.parametrize(("name", "first_run"), [(n, r) for n, r in EVERY_GATE if not n.startswith("killed")])
def test_calls_and_true_up_cost_what_the_client_says(name: str, first_run: int, tmp_path: Path) -> None:
    """Per model, to the nano-dollar; tokens per kind. Only a compaction leaves something to true up."""
    job = a_job(name, first_run, tmp_path)
    found = job.read()
    said = {model: one for session in found.sessions for model, one in (session.counts or {}).items()}
    if len(found.sessions) > 1:  # a fork and its parent
        counts = [session.counts or {} for session in found.sessions]
        said = {model: counts[0][model] + counts[1][model] for model in counts[0]}
    rest = true_up(found.usages, totals_of(found, job.execution()), session="s", at=job.gate)
    everything = (*found.usages, *rest)
    assert cost_by_model(everything, job.gate) == {model: one.cost for model, one in said.items()}
    assert tokens_by_model(everything) == {model: one.tokens for model, one in said.items()}
    assert bool(rest) == (name == "compacted" and first_run <= 3)


@pytest.mark.parametrize(
    "name", ["plain", "sonnet", "subagent", "subagent-background", "subagent-other-model", "retried"]
)
def test_one_run_costs_what_its_result_says(name: str, tmp_path: Path) -> None:
    """`costUSD` per model in the result event, calls alone."""
    job = a_job(name, 1, tmp_path)
    result = job.case.result()
    assert result is not None
    said = {model: one.cost for model, one in read_counts(result["modelUsage"]).items()}
    assert cost_by_model(job.read().usages, job.gate) == said


def test_a_compaction_is_trued_up_to_what_it_cost(tmp_path: Path) -> None:
    """$0.020488 of two calls that no row holds, as an estimate."""
    job = a_job("compacted", 1, tmp_path)
    found = job.read()
    (rest,) = true_up(found.usages, totals_of(found, job.execution()), session="s", at=job.gate)
    cost = price(rest, card([rest.model], at=job.gate))
    assert (cost.state, cost.nano) == (CostState.ESTIMATED, 20_488_000)


def test_a_compaction_shrinks_away_when_its_calls_arrive(tmp_path: Path) -> None:
    """From telemetry, say: nothing is counted twice."""
    job = a_job("compacted", 1, tmp_path)
    found = job.read()
    missing = [line for line in job.invoice if line.run == 3]
    arrived = [Usage(keys, model, tokens, job.gate) for keys, model, tokens in map(invoiced, missing)]
    totals = totals_of(found, job.execution())
    assert len(missing) == 2
    assert len(true_up([*found.usages, arrived[0]], totals, session="s", at=job.gate)) == 1
    assert true_up([*found.usages, *arrived], totals, session="s", at=job.gate) == ()


@pytest.mark.parametrize("name", CLAUDE_CASES)
def test_everything_twice_and_in_any_order_changes_nothing(name: str, tmp_path: Path) -> None:
    """Replayed, resumed and forked transcripts, uploaded again by a retried step."""
    found = a_job(name, 1, tmp_path).read()
    again = list(found.usages) * 2
    random.Random(7).shuffle(again)
    assert each_once(again) == found.usages


@pytest.mark.parametrize("name", ["resumed", "forked", "compacted"])
def test_a_session_settled_after_each_run_adds_up(name: str, tmp_path: Path) -> None:
    """Three jobs that each settle their own run, or one job that settles all: the same calls."""
    case = claude_case(name)
    seen = [one for run in case.runs for one in Job(case, tmp_path, run.number, run.number).read().usages]
    assert each_once(seen) == Job(case, tmp_path).read().usages


def test_a_killed_run_does_not_hide_what_came_before(tmp_path: Path) -> None:
    """Calls after the client's last total are added to it, so they take nothing from its remainder."""
    job = a_job("killed", 1, tmp_path)
    found = job.read()
    (total,) = totals_of(found, None)
    assert {total.model: total.tokens} == tokens_by_model(found.usages)
