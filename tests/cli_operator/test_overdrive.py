"""Overdrives from the command line: which budget is meant, by how much, until when, and that it binds at once."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.cli.overdrive import granted
from app.ledger.books import Overdrive
from tabstop.budget import Amount, Budget, BudgetKey, Scope
from tabstop.money import dollars
from tabstop.window import WindowKind, window_at
from tests.cli_operator.operator_at_work import Acme, AtWork
from tests.support.golden import expect

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
GRANT = ("overdrive", "grant", "--organization", "acme", "--why", "release week")


def budget(at_work: AtWork, acme: Acme, scope: Scope, subject: int) -> Budget:
    """The budget as the server sees it now."""
    with at_work.store().look(acme.organization.id) as books:
        found = books.budget_in_window(scope, subject, datetime.now(UTC))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("target", "named", "scope"),
    [
        (("--tab", "widget#7"), "tab acme/widget#7", Scope.TAB),
        (("--tab", "acme/widget@claude/fix"), "tab acme/widget#7", Scope.TAB),
        (("--repository", "acme/widget"), "repository acme/widget", Scope.REPOSITORY),
        (("--guests", "WIDGET"), "guests of acme/widget", Scope.GUEST),
        (("--engineer", "Alice"), "engineer alice", Scope.ENGINEER),
    ],
)
def test_each_budget_can_be_raised(at_work: AtWork, target: tuple[str, str], named: str, scope: Scope) -> None:
    """The budget named is raised, even when nothing touched it yet, and the answer says so in people's words."""
    acme = at_work.with_acme()
    result = at_work.types(*GRANT, *target, "--amount", "$20", "--for", "24h")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Raised {named}")
    subjects = {Scope.TAB: acme.pull_request.tab_id, Scope.ENGINEER: acme.alice.id}
    raised = budget(at_work, acme, scope, subjects.get(scope, acme.widget.id))
    assert raised.raised.nano == dollars(20)


def test_the_answer_has_the_arithmetic(at_work: AtWork) -> None:
    """Old and new ceiling, what is free, until when, how to end it."""
    at_work.with_acme()
    result = at_work.types(*GRANT, "--tab", "widget#7", "--amount", "$20", "--for", "90m")
    assert re.fullmatch(
        r"Raised tab acme/widget#7: \$50\.00 → \$70\.00, until \d{4}-\d\d-\d\d \d\d:\d\d UTC \(1 h 30 min\)\.\n"
        r"Spent \$0\.00, held \$0\.00: \$70\.00 free\.\n"
        r"Overdrive (\d+); `overdrive revoke \1` ends it\.\n",
        result.output,
    )


def test_what_is_on_no_tab_is_said_in_every_unit() -> None:
    """Of a cap in tokens alone too; where both bind, tokens are told of when they are raised."""
    month = BudgetKey(Scope.REPOSITORY, 1, window_at(WindowKind.MONTH, "UTC", NOW))
    used = Budget(1, month, spent=Amount(dollars(50), 4_000_000), unplaced=Amount(dollars(12), 900_000))
    in_tokens, in_both = replace(used, cap_tokens=5_000_000), replace(used, cap_nano=dollars(60), cap_tokens=3_000_000)
    cases = {
        "dollars alone": (replace(used, cap_nano=dollars(60)), Amount(dollars(20))),
        "tokens alone": (in_tokens, Amount(0, 1_000_000)),
        "dollars of both": (in_both, Amount(dollars(20))),
        "tokens of both, and too few": (in_both, Amount(0, 500_000)),
    }
    text = ""
    for name, (before, raised) in cases.items():
        made = Overdrive(7, 1, raised, NOW, None, "carol", "release week")
        said = granted("repository acme/widget", before, replace(before, raised=raised), made, None)
        text += f"# {name}\n{said}\n"
    expect("operator-overdrive/granted.txt", text)


def test_a_raised_tab_shows_at_once(at_work: AtWork) -> None:
    """The grant commits together with the job that updates the tab's check."""
    acme = at_work.with_acme()
    at_work.types(*GRANT, "--tab", "widget#7", "--amount", "$20")
    job = at_work.store().take_job("w", datetime.now(UTC))
    assert job is not None
    assert (job.kind, job.payload["tab"]) == ("refresh_tab", acme.pull_request.tab_id)


def test_list_and_revoke(at_work: AtWork) -> None:
    """A revoked raise is gone from the budget and from the list; `--all` still shows it."""
    acme = at_work.with_acme()
    at_work.types(*GRANT, "--tab", "widget#7", "--amount", "$20", "--by", "Alice")
    [row] = [json.loads(line) for line in at_work.types("overdrive", "list", "--json").stdout.splitlines()]
    assert (row["budget"], row["raised_by"], row["approver"], row["why"]) == (
        "tab acme/widget#7", "$20.00", "alice", "release week",
    )  # fmt: skip
    assert "release week" in at_work.types("overdrive", "list").output
    revoked = at_work.types("overdrive", "revoke", str(row["id"]), "--why", "done")
    assert revoked.output == f"Overdrive {row['id']} is revoked: it does not raise tab acme/widget#7 any more.\n"
    assert budget(at_work, acme, Scope.TAB, acme.pull_request.tab_id).raised.nano == 0
    assert "No overdrive is in force" in at_work.types("overdrive", "list").output
    assert "revoked" in at_work.types("overdrive", "list", "--all").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tab", "widget#8", "--amount", "1"), "acme/widget has no pull request #8 that Tabstop knows of"),
        (("--tab", "widget#²", "--amount", "1"), "acme/widget has no pull request #² that Tabstop knows of"),
        (("--tab", f"widget#{9**30}", "--amount", "1"), f"no pull request #{9**30} that Tabstop knows of"),
        (("--tab", "widget@main", "--amount", "1"), "No tab is open for the branch main"),
        (("--tab", "widget", "--amount", "1"), "write REPO#NUMBER of a pull request, or REPO@BRANCH"),
        (("--tab", "wodget#7", "--amount", "1"), "acme has no repository acme/wodget. Known: widget."),
        (("--engineer", "zoe", "--amount", "1"), "Tabstop has not met zoe"),
        (
            ("--organization-budget", "--amount", "1"),
            ") has no cap in dollars, so there is nothing to raise",
        ),
        (("--tab", "widget#7", "--tokens", "5M"), "has no cap in tokens"),
        (("--tab", "widget#7"), "Say by how much"),
        (("--amount", "1"), "Name one budget"),
        (("--tab", "widget#7", "--engineer", "alice", "--amount", "1"), "Name one budget"),
        (("--tab", "widget#7", "--amount", "lots"), "write for example '$20' or 2.50"),
        (("--tab", "widget#7", "--amount", "1", "--for", "soon"), "write for example 24h, 90m or 2d"),
    ],
)
def test_what_cannot_be_raised_is_said(at_work: AtWork, words: tuple[str, ...], said: str) -> None:
    """Nothing is changed, and the error says what to write."""
    at_work.with_acme()
    result = at_work.types(*GRANT, *words)
    assert result.exit_code != 0
    assert said in " ".join(result.output.split())
    assert "There are no overdrives" in at_work.types("overdrive", "list", "--all").output


def test_an_unknown_overdrive(at_work: AtWork) -> None:
    """A mistyped id changes nothing."""
    at_work.with_acme()
    assert "There is no overdrive 5" in at_work.types("overdrive", "revoke", "5").output
