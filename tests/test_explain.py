"""Findings in words: a refusal explains itself (promise 7), each of them kept as a golden file."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tabstop.admission import StartFacts, may_start
from tabstop.breaker_memory import BreakerMetric, RememberedBreaker, Trip
from tabstop.breaker_words import at_start
from tabstop.budget import Amount, Budget, BudgetKey, Scope
from tabstop.explain import arithmetic, explain, headline, moment, refusal, refusal_markdown
from tabstop.money import dollars
from tabstop.policy.model import OnEmpty, Policy
from tabstop.verdict import Finding, Outcome, Signal, Verdict, verdict_of
from tabstop.visibility import Reader, Surface, verdict_for
from tabstop.window import WindowKind, window_at
from tests.support.golden import expect

NOW = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
KINDS = {Scope.TAB: WindowKind.LIFETIME}
SUBJECTS = {
    Scope.TAB: "claude/fix-login",
    Scope.ENGINEER: "alice",
    Scope.DOWNGRADE: "alice",
    Scope.GUEST: "acme/web",
    Scope.REPOSITORY: "acme/web",
}


def a_budget(scope: Scope, cap: str, spent: str = "0", held: str = "0", **more: object) -> Budget:
    """A budget in dollars, in the window it would have on 21 November 2026."""
    key = BudgetKey(scope, 1, window_at(KINDS.get(scope, WindowKind.MONTH), "UTC", NOW))
    plain = Budget(1, key, dollars(cap), None, spent=Amount(dollars(spent)), held=Amount(dollars(held)))
    return replace(plain, **more)  # type: ignore[arg-type]


def asked(*budgets: Budget, policy: Policy = Policy(hold=dollars(2)), **more: object) -> Verdict:  # noqa: B008 (frozen)
    """What somebody hears who asks to start a session on these budgets."""
    facts = StartFacts(NOW, policy, budgets, subjects={str(k): v for k, v in SUBJECTS.items()})
    return may_start(replace(facts, **more)).verdict  # type: ignore[arg-type]


APPROVED = Policy(hold=dollars(2), approvers=("carol", "team:platform"))
TAB = a_budget(Scope.TAB, "50", "12.40")
REPOSITORY = a_budget(Scope.REPOSITORY, "10000", "812.55")

FAILED = Trip("ses_1", BreakerMetric.TOOL_FAILURES, "Bash", 100, 60, NOW - timedelta(minutes=5))
TRIPPED = RememberedBreaker(FAILED, NOW + timedelta(minutes=10))
HALF_OPEN = replace(TRIPPED, open_until=NOW)


def met(breaker: RememberedBreaker) -> tuple[Finding, ...]:
    """What a start of `claude-code` hears of this breaker."""
    return at_start(breaker, agent="claude-code", repository="acme/web", approvers=APPROVED.approvers, now=NOW)


REFUSALS = {
    "spent": asked(a_budget(Scope.TAB, "50", "50.10", "2"), REPOSITORY, policy=APPROVED),
    "too-little-left": asked(a_budget(Scope.TAB, "50", "49.20"), REPOSITORY),
    "held": asked(a_budget(Scope.TAB, "50", "40", "9"), REPOSITORY),
    "raised": asked(a_budget(Scope.TAB, "50", "60.02", raised=Amount(dollars(10))), REPOSITORY),
    "engineer-empty": asked(TAB, a_budget(Scope.ENGINEER, "1000", "1000.40"), policy=APPROVED),
    "engineer-ask": asked(
        TAB, a_budget(Scope.ENGINEER, "1000", "1000.40"), policy=replace(APPROVED, on_empty=OnEmpty.ASK)
    ),
    "engineer-tokens": asked(
        TAB,
        replace(a_budget(Scope.ENGINEER, "0"), cap_nano=None, cap_tokens=1_000_000, spent=Amount(0, 1_020_400)),
        policy=APPROVED,
    ),
    "guest": asked(TAB, a_budget(Scope.GUEST, "100", "100"), REPOSITORY, policy=APPROVED),
    "repository-why": asked(
        TAB, a_budget(Scope.REPOSITORY, "500", "499.99", why="payments is on call until launch."), policy=APPROVED
    ),
    "organization": asked(TAB, REPOSITORY, a_budget(Scope.ORGANIZATION, "20000", "20000"), policy=APPROVED),
    "unplaced": asked(
        TAB,
        a_budget(Scope.REPOSITORY, "500", "499.99", unplaced=Amount(dollars("3.2"))),
        a_budget(Scope.ORGANIZATION, "20000", "900", unplaced=Amount(dollars("41"))),
        policy=APPROVED,
    ),
    "several": asked(a_budget(Scope.TAB, "50", "51"), a_budget(Scope.REPOSITORY, "500", "498", "1.50")),
    "purpose": asked(TAB, REPOSITORY, policy=Policy(purposes=("fix", "review")), purpose="fun `|` @team"),
    "breaker-open": asked(TAB, REPOSITORY, policy=APPROVED, others=met(TRIPPED)),
    "breaker-probed": asked(TAB, REPOSITORY, policy=APPROVED, others=met(replace(HALF_OPEN, probe="ses_2"))),
    "paused": asked(
        TAB,
        others=(
            Finding(
                Signal.PAUSE,
                Outcome.STOP,
                "organization",
                sentence="Starts are paused in `acme` since 13:50 UTC: key rotation.",
                remedy="Ask an organization owner to resume them.",
            ),
        ),
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_explains_itself(name: str) -> None:
    """Which budget, spent or held, its arithmetic, until when, who can do what: as an annotation and as a job summary."""
    verdict = REFUSALS[name]
    assert verdict.outcome is Outcome.STOP
    annotation = [headline(verdict), "", *refusal(verdict, NOW)]
    expect(f"refusal/{name}.txt", "\n".join(annotation) + "\n")
    expect(f"refusal/{name}.md", refusal_markdown(verdict, NOW))


@pytest.mark.parametrize("name", ["engineer-ask", "organization", "repository-why", "unplaced"])
def test_a_refusal_in_a_public_job_log_gives_states_only(name: str) -> None:
    """Where the whole world reads along, only the tab's figures are numbers."""
    shown = verdict_for(REFUSALS[name], Reader(Surface.JOB_LOG, public=True))
    expect(f"refusal/{name}-public.md", refusal_markdown(shown, NOW))


def test_nothing_refused_needs_no_refusal() -> None:
    """An admitted start has no refusal to print."""
    verdict = asked(TAB, REPOSITORY)
    assert (refusal(verdict, NOW), refusal_markdown(verdict, NOW)) == ([], "")
    assert headline(verdict) == "Every budget has room"


def test_a_downgrade_says_what_the_session_may_use() -> None:
    """A start on cheaper models says so, and why."""
    policy = replace(
        APPROVED, on_empty=OnEmpty.DOWNGRADE, downgrade=replace(APPROVED.downgrade, models=("claude-haiku-*",))
    )
    empty, cheap = a_budget(Scope.ENGINEER, "1000", "1000.40"), a_budget(Scope.DOWNGRADE, "10", "1.20")
    verdict = asked(TAB, empty, REPOSITORY, policy=policy, downgrade=cheap)
    assert verdict.outcome is Outcome.WARN
    lines = [headline(verdict), "", *(explain(f, NOW) for f in verdict.findings)]
    expect("refusal/downgraded.txt", "\n".join(lines) + "\n")


def test_a_probe_knows_that_it_is_one() -> None:
    """Admitted after a trip: the warning says what is at stake."""
    verdict = asked(TAB, REPOSITORY, others=met(HALF_OPEN))
    assert verdict.outcome is Outcome.WARN
    lines = [headline(verdict), "", *(explain(f, NOW) for f in verdict.reasons)]
    expect("refusal/breaker-probe.txt", "\n".join(lines) + "\n")


def a_limit(scope: str, spent: int, cap: int | None, unit: str = "", outcome: Outcome = Outcome.WARN) -> Finding:
    """A finding about one limit of a session."""
    return Finding(Signal.LIMIT, outcome, scope, unit=unit, cap=cap, spent=spent)


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (a_limit("tool_calls", 450, 500), "This session has used 450 of its 500 tool calls (90 %)."),
        (
            a_limit("iterations", 200, 200, outcome=Outcome.STOP),
            "This session reached its limit of 200 iterations (200 used).",
        ),
        (
            a_limit("wall_clock", 6_600, 7_200),
            "This session has used 1 h 50 min of its 2 h (91 %).",
        ),
        (
            a_limit("cost", dollars("10.02"), dollars(10), "usd", Outcome.STOP),
            "This session reached its limit of $10.00 ($10.02 used).",
        ),
        (
            a_limit("tokens", 7_600_000, 10_000_000, "tokens"),
            "This session has used 7.6M of its 10M tokens (76 %).",
        ),
        (a_limit("tool_calls", 1, None), "This session has used 1 tool call, without a limit."),
    ],
)
def test_a_limit_of_a_session_is_said_in_its_own_unit(finding: Finding, said: str) -> None:
    """Limits are explained like budgets: used and allowed."""
    assert explain(finding, NOW) == said


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (timedelta(0), "21 November 2026 14:05 UTC, now"),
        (timedelta(seconds=45), "21 November 2026 14:05 UTC, in 45 s"),
        (timedelta(minutes=90), "21 November 2026 15:35 UTC, in 1 h 30 min"),
        (timedelta(hours=30), "22 November 2026 20:05 UTC, in 30 h"),
        (timedelta(days=9, hours=9, minutes=55), "1 December 2026 00:00 UTC, in 9 days"),
    ],
)
def test_times_come_with_their_distance(after: timedelta, said: str) -> None:
    """A time in UTC says how far away it is, so that nobody has to convert it."""
    assert moment(NOW + after, NOW) == said


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (
            Finding(Signal.BUDGET, Outcome.ALLOW, "tab", unit="usd", cap=None, spent=dollars(3)),
            "has no cap: $3.00 spent.",
        ),
        (Finding(Signal.BUDGET, Outcome.ALLOW, "engineer"), "has room; its figures are shown to that engineer and"),
        (Finding(Signal.BUDGET, Outcome.WARN, "organization"), "is nearly spent; its figures are shown to approvers."),
        (
            Finding(Signal.BUDGET, Outcome.STOP, "guest", cause="spent"),
            "is spent; the repository is public, so its fig",
        ),
        (Finding(Signal.BUDGET, Outcome.STOP, "engineer", cause="held"), "budget has too little free now; its figures"),
        (
            Finding(Signal.BUDGET, Outcome.ALLOW, "tab", window="week of 2026-11-16"),
            "budget for the week of 2026-11-16",
        ),
        (Finding(Signal.BREAKER, Outcome.STOP, "tool_failures"), "Breaker: tool failures."),
        (Finding(Signal.BUDGET, Outcome.WARN, "tab", unit="usd", cap=4, spent=3, asked=1), "is at 75 %: "),
        (Finding(Signal.PRICE, Outcome.WARN, "unknown_price", sentence="3 calls have no known price."), "3 calls have"),
    ],
)
def test_every_state_has_words(finding: Finding, said: str) -> None:
    """No finding, however bare, comes out empty or misleading."""
    assert said in explain(finding, NOW)


def test_amounts_that_rounding_makes_equal_are_printed_in_full() -> None:
    """`$50.00 spent of $50.00` beside "too little left" would look like a mistake."""
    close = a_budget(Scope.TAB, "50", "49.996")
    assert "$49.996 spent of $50.00, $2.00 asked" in explain(asked(close).reasons[0], NOW)


def test_hidden_numbers_are_not_zero() -> None:
    """A figure that may not be shown leaves no arithmetic behind, rather than `$0.00`."""
    hidden = Finding(Signal.BUDGET, Outcome.STOP, "engineer", cause="spent")
    assert arithmetic(hidden) == ""
    assert "$" not in explain(hidden, NOW)


def test_a_headline_fits_a_title() -> None:
    """Titles show no markup and stay short, whatever a finding's own sentence says."""
    long = Finding(Signal.ACCESS, Outcome.STOP, "token", sentence="`x` " * 200)
    said = headline(verdict_of(long, long))
    assert len(said) < 150
    assert "`" not in said
    assert said.endswith("(and 1 more reason)")
    assert (
        headline(verdict_of(a_limit("tool_calls", 450, 500)))
        == "This session has used 450 of its 500 tool calls (90 %)"
    )


def test_a_budget_that_is_all_held_has_no_room() -> None:
    """Nothing of it is spent, and yet the next start is refused."""
    finding = Finding(Signal.BUDGET, Outcome.ALLOW, "repository", unit="usd", cap=dollars(1), held=dollars(1))
    assert "has nothing free now: $0.00 spent + $1.00 held of $1.00" in explain(finding, NOW)
