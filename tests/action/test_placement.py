"""Where a session's cost lies, on the job's page: said whenever part of it is not on the run's pull request, with the reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from action.placement import on_no_tab, where_it_lies
from tabstop.verdict import Verdict
from tabstop.wire import EndAnswer, Placement, StartRequest
from tests.action.fake_tabstop import CENT
from tests.action.jobs import Job, gated
from tests.support import golden

START = StartRequest("claude-code", "acme/widget", "claude/fix", pull_request=42)
OURS = Placement("proven", "pull request #42, proven", "Acme/Widget", "claude/fix", 42, cost=4 * CENT)
NOWHERE = Placement(
    "repository only", "work on main, the default branch, led to no pull request", "acme/widget", cost=CENT
)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def answer(*parts: Placement, may_move: bool = False) -> EndAnswer:
    """A session that lies in these parts."""
    return EndAnswer(Verdict(), cost=sum(part.cost for part in parts), placements=parts, may_move=may_move)


def test_the_page_says_what_is_on_no_pull_request(job: Job) -> None:
    """Beside the sum, with what it comes to, the reason and the confidence; the annotation says it too."""
    job.tabstop.ends = lambda ended: replace(
        ended, placements=(replace(OURS, cost=ended.cost - CENT), NOWHERE), may_move=True
    )
    gated(job, purpose="review")
    job.run("settle")
    golden.expect("action/settle-unplaced.md", job.page())


def test_the_page_of_a_run_that_names_no_pull_request(tmp_path: Path) -> None:
    """All of it is on none: a nightly run's page says so instead of leaving people to look for a tab."""
    nightly = {"repository": {"full_name": "acme/widget", "private": True}}
    job = Job(tmp_path, event=nightly)
    job.environ |= {"GITHUB_EVENT_NAME": "schedule", "GITHUB_REF": "refs/heads/main", "GITHUB_REF_NAME": "main"}
    job.tabstop.ends = lambda ended: replace(ended, tab_cost=0)
    gated(job, purpose="nightly")
    job.run("settle")
    golden.expect("action/settle-nightly.md", job.page())


@pytest.mark.parametrize("parts", [(), (OURS,), (OURS, replace(OURS, confidence="claimed"))])
def test_nothing_is_said_where_all_is_on_the_runs_pull_request(parts: tuple[Placement, ...]) -> None:
    """The usual case, and a server that does not tell."""
    told = answer(*parts, may_move=True)
    assert where_it_lies(START, told) == []
    assert on_no_tab([told]) == ""


@pytest.mark.parametrize(
    ("part", "place"),
    [
        (replace(OURS, pull_request=43), "#43"),
        (replace(OURS, repository="acme/site"), "acme/site#42"),
        (replace(OURS, pull_request=None), "branch `claude/fix`, which has no pull request"),
        (
            replace(OURS, pull_request=None, repository="acme/site"),
            "branch `claude/fix` of `acme/site`, which has no pull request",
        ),
        (NOWHERE, "no pull request or branch"),
        (Placement("engineer only", "no repository is named", cost=CENT), "no pull request or branch"),
        (Placement("unattributed", cost=CENT), "no pull request or branch"),
        (Placement("manual", "assigned by hand", elsewhere=True, cost=CENT), "another repository"),
    ],
)
def test_every_place_is_named(part: Placement, place: str) -> None:
    """With confidence and reason behind it, as far as they are told."""
    row = where_it_lies(START, answer(part))[4]
    why = f"{part.confidence}: " if part.reason else part.confidence
    assert row.startswith(f"| {place} | ")
    assert f" | {why}" in row


def test_names_from_outside_stay_names() -> None:
    """A branch or a reason is never markup, and never a mention."""
    hostile = Placement("claimed", "a | b <img src=x> @team", "acme/widget", "x` | **y**", cost=CENT)
    row = where_it_lies(START, answer(hostile))[4]
    assert "<img" not in row.replace("\\<", "")
    assert "@team" not in row
    assert row.replace("\\|", "").count("|") == 4


def test_what_is_on_no_tab_is_summed() -> None:
    """Over several sessions; unlike amounts stay apart, and what has no price is no zero."""
    assert on_no_tab([answer(NOWHERE)]) == "It is on no pull request or branch."
    assert on_no_tab([answer(OURS), answer(NOWHERE, OURS)]) == "Of it $0.01 is on no pull request or branch."
    unlike = answer(OURS, replace(NOWHERE, notional=2 * CENT, unpriced=1))
    assert (
        on_no_tab([unlike]) == "Of it $0.01 billed, $0.02 at list prices, part unknown is on no pull request or branch."
    )
    assert on_no_tab([answer(OURS, replace(OURS, elsewhere=True, branch="", pull_request=None))]) == ""
