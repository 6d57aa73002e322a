"""What is on no pull request and no branch, as the operator lists it and puts it where it belongs."""

from __future__ import annotations

import json
from datetime import timedelta

from app.ledger.admit import Start, admit
from app.ledger.record_usage import Report, record_usage
from app.registry import Organization, Repository
from tabstop.attribution import Confidence
from tabstop.budget import Scope
from tabstop.cost import Cost, CostState
from tabstop.evidence import Evidence
from tabstop.policy.model import Policy
from tabstop.usage import Billing, Tokens, Usage
from tabstop.wire import StartAnswer
from tests.cli_operator.operator_at_work import Acme, AtWork
from tests.cli_operator.test_assign import BEGAN, typed
from tests.support.golden import expect

SINCE = "2026-11-21"


def a_session(
    at_work: AtWork,
    acme: Acme,
    name: str,
    calls: tuple[tuple[int, str], ...],
    *,
    repository: int,
    engineer: int | None = None,
    billing: Billing = Billing.API,
    reason: str = "",
) -> None:
    """A session with calls: (millions of tokens, a dollar each; the branch that was checked out)."""
    start = Start(
        key=name,
        token_id=name,
        session_id=name,
        repository_id=repository,
        branch="",
        engineer_id=engineer,
        person=Scope.ENGINEER if engineer else None,
        policy=Policy(),
        policy_commit="",
        agent="claude-code",
        login="alice" if engineer else "",
        billing=billing,
        repository_name="acme/widget",
        place_reason=reason or "named by the engineer's own token",
        place_confidence=Confidence.REPOSITORY_ONLY,
    )
    usages = [
        Usage(
            (f"{name}:{n}",),
            "m",
            Tokens(output=count * 1_000_000),
            BEGAN + timedelta(minutes=n),
            evidence=Evidence("acme/widget", on),
        )
        for n, (count, on) in enumerate(calls)
    ]
    with at_work.store().open(acme.organization.id) as books:
        admit(books, start, BEGAN, lambda admission, _session: StartAnswer(admission.verdict))
        session = books.session(name)
        assert session
        report = Report(usages, (), Policy(), lambda u: Cost(CostState.KNOWN, u.tokens.output * 1_000, "m"), "alice")
        record_usage(books, session, report, BEGAN + timedelta(hours=1))


def spent(at_work: AtWork) -> Acme:
    """$6 on a pull request, and beside it work on `main`, by a plan, of a run nobody is known of, and in no repository."""
    acme = at_work.with_acme()
    alice = acme.alice.id
    with at_work.store().open(acme.organization.id) as books:
        books.save_repository(Repository(0, 7002, "acme/site"))
    a_session(at_work, acme, "ses_fix", ((6, "claude/fix"), (2, "main")), repository=acme.widget.id, engineer=alice)
    a_session(at_work, acme, "ses_plan", ((1, "main"),), repository=acme.widget.id, engineer=alice,
              billing=Billing.SUBSCRIPTION)  # fmt: skip
    a_session(at_work, acme, "ses_run", ((3, ""),), repository=acme.widget.id,
              reason="a run on the default branch that names no pull request of its own")  # fmt: skip
    return acme


def a_round(at_work: AtWork) -> str:
    """It is listed, put where it belongs, and listed again."""
    spent(at_work)
    said = [
        typed(at_work, "unplaced"),
        typed(at_work, "unplaced", "--repository", "widget", "--since", SINCE),
        typed(at_work, "unplaced", "--repository", "acme/site"),
        typed(at_work, "unplaced", "--since", "2026-11-22"),
    ]
    said += [
        typed(at_work, "assign", name, "--unplaced", "--to", "widget#7", "--why", "it was the fix")
        for name in ("ses_fix", "ses_plan", "ses_run")
    ]
    said.append(typed(at_work, "assign", "ses_fix", "--unplaced", "--to", "widget#7", "--why", "it was the fix"))
    said.append(typed(at_work, "unplaced", "--repository", "widget"))
    return "\n".join(said)


def test_unplaced_spend_is_listed_and_placed(on_each: AtWork) -> None:
    """Dearest first, each with its reason and the command that places it; what is on tabs and what is not come to the total."""
    expect("operator-assign/unplaced.txt", a_round(on_each))
    assert on_each.types("audit", "recompute").exit_code == 0


def test_unplaced_for_programs(at_work: AtWork) -> None:
    """One object a line; money in nano-dollars, and nobody is null."""
    spent(at_work)
    rows = [json.loads(line) for line in at_work.types("unplaced", "--json").stdout.splitlines()]
    assert [(row["session"], row["nano_dollars"], row["notional_nano_dollars"], row["engineer"]) for row in rows] == [
        ("ses_run", 3_000_000_000, 0, None),
        ("ses_fix", 2_000_000_000, 0, "alice"),
        ("ses_plan", 0, 1_000_000_000, "alice"),
    ]
    assert {row["repository"] for row in rows} == {"acme/widget"}


def test_a_repository_is_one_organization_s(at_work: AtWork) -> None:
    """Where there are several, it has to be said whose."""
    at_work.with_acme()
    other: Organization = at_work.store().register(102, "umbrella", 9002)
    assert other.login == "umbrella"
    result = at_work.types("unplaced", "--repository", "widget")
    assert (result.exit_code, "There are several organizations." in result.output) == (1, True)
    for words in (("--repository", "acme/widget"), ("--repository", "widget", "--organization", "acme")):
        assert at_work.types("unplaced", *words).output.startswith("acme/widget: nothing is unplaced")
