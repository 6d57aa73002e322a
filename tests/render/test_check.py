"""The check people see on a pull request: golden files for every case, GitHub's limits, and nothing from outside as markup."""

import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from app.github_api.protocol import CheckRun
from app.jobs.tab_facts import PolicyEdit
from app.ledger.books import Cause
from app.render.budget_bars import CAUSES
from app.render.check import SUMMARY_LIMIT, render_check
from tabstop.policy.problem import Note, Problem
from tests.render.cases import CASES, HOSTILE
from tests.render.tabs import a_session, a_tab
from tests.support.golden import expect

ENGINE = MarkdownIt("gfm-like", {"linkify": False})


def shown(check: CheckRun) -> str:
    """A check as one file: what GitHub shows at the top, its body, its annotations."""
    marks = [f"{a.level} {a.path}:{a.start_line} {a.title}: {a.message}" for a in check.annotations]
    return "\n".join([f"{check.conclusion}: {check.title}", "=" * 72, check.summary, *marks, ""])


@pytest.mark.parametrize("case", CASES)
def test_what_the_check_says(case: str) -> None:
    """Every text people see is kept as a file, and read by its reviewers as the person who gets it."""
    expect(f"check/{case}.md", shown(render_check(CASES[case])))


@pytest.mark.parametrize("case", CASES)
def test_a_check_stays_within_githubs_limits(case: str) -> None:
    """GitHub refuses a longer summary, an empty title and a 51st annotation."""
    check = render_check(CASES[case])
    assert 0 < len(check.title) <= 200
    assert len(check.summary.encode()) <= SUMMARY_LIMIT
    assert len(check.annotations) <= 50
    assert check.conclusion in {"success", "neutral", "failure"}


def test_sessions_that_do_not_fit_are_counted() -> None:
    """A summary that would be too long drops its oldest sessions and says how many."""
    wide = [a_session(n % 10, model=f"model-{'€' * 50}-{n}", purpose="p" * 60, detail="d" * 80) for n in range(400)]
    check = render_check(a_tab(sessions=wide, session_count=1_000))
    rows = check.summary.count("| `claude-code` |")
    assert 100 < rows < 400
    assert len(check.summary.encode()) <= SUMMARY_LIMIT
    assert f"{1_000 - rows} older sessions not shown." in check.summary
    assert "Decided by the policy in force" in check.summary, "what follows the table is kept"


def test_problems_beyond_fifty_still_fit() -> None:
    """A policy with hundreds of problems marks the first fifty lines and lists the first few."""
    problems = tuple(Problem(n, 1, f"key{n}", f"`key{n}` " + "is wrong " * 300) for n in range(1, 200))
    edit = PolicyEdit(".github/tabstop.yml", problems=problems, notes=(Note(1, 1, "", "odd"),))
    check = render_check(a_tab(policy_edit=edit, edit_problems=199))
    assert len(check.annotations) == 50
    assert all(a.level == "failure" for a in check.annotations)
    assert "- and 174 more" in check.summary
    assert len(check.summary.encode()) <= SUMMARY_LIMIT


@pytest.mark.parametrize("case", ["hostile", "public", "red-enforce", "policy-problems"])
def test_nothing_from_outside_becomes_markup(case: str) -> None:
    """Branches, purposes, models, reasons: shown as they are, and never as an image, a link, a mention or a tag."""
    check = render_check(CASES[case])
    html = str(ENGINE.render(check.summary))
    assert not re.search(r"<(img|script)", html)
    assert set(re.findall(r'href="([^"]*)"', html)) <= {CASES[case].links.policy}
    outside = re.sub(r"<(code|a)\b[^>]*>.*?</\1>", "", html, flags=re.DOTALL)
    assert not re.search(r"@\w", outside), outside
    assert "https://evil" not in outside


def test_hostile_names_keep_their_table() -> None:
    """A pipe in a name does not add a column."""
    html = str(ENGINE.render(render_check(CASES["hostile"]).summary))
    for row in re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL):
        assert row.count("<td") + row.count("<th") == 10, row


def test_a_public_repository_leaks_nothing() -> None:
    """Even facts that say too much come out as states: promise 12."""
    summary = render_check(CASES["public"]).summary
    for secret in ("1,000", "500", "480", "9,000", "50,000", "secret plan"):
        assert secret not in summary.replace("$50.00", ""), secret
    assert "alice's" not in summary


def test_every_cause_of_an_overrun_has_words() -> None:
    """Spend passes a cap only by named causes, so each needs its name."""
    assert set(CAUSES) == set(Cause)


def test_the_check_is_the_same_for_the_same_facts() -> None:
    """Unchanged bodies are not sent again, so nothing in them may change by itself: a finished tab has no clock in it."""
    facts = CASES["red-advise"]
    assert render_check(facts) == render_check(replace(facts, now=facts.now.replace(minute=50)))
    assert HOSTILE
