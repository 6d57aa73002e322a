"""The pull requests whose check and comment are kept as golden files."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from app.jobs.tab_facts import Links, PolicyEdit, SharedTab, TabFacts
from app.ledger.books import Cause
from app.registry import InForce
from tabstop.breaker_memory import BreakerMetric, RememberedBreaker, Trip
from tabstop.budget import Scope
from tabstop.conclusion import Conclusion
from tabstop.gauge import GaugeSource
from tabstop.governor.settings import UnknownPrice
from tabstop.money import dollars
from tabstop.policy.change import changed_limits
from tabstop.policy.model import Cap, CheckMode, Policy
from tabstop.policy.problem import Note, Problem
from tabstop.session import SessionOutcome
from tabstop.usage import Billing
from tabstop.window import WindowKind
from tests.render.tabs import (
    ALICE,
    NOW,
    ORGANIZATION,
    REPOSITORY,
    a_budget,
    a_session,
    a_share,
    a_standing,
    a_tab,
    amount,
)

POLICY = Policy(approvers=("carol", "team:platform"))
ADVISE = replace(POLICY, check=CheckMode.ADVISE)

REVIEW = a_session(
    2, "2.05", 640_000, login="bob", purpose="review", agent="codex", model="gpt-5.2-codex", tool_calls=7
)
RUNNING = a_session(
    11,
    "0.31",
    96_000,
    purpose="",
    outcome=None,
    ended_at=None,
    held=amount("1.69"),
    tool_calls=3,
    model="claude-opus-4-5",
)
STOPPED = a_session(
    3, "10.02", 6_100_000, outcome=SessionOutcome.STOPPED_COST, detail="It reached its limit of $10.00.", tool_calls=212
)
MANY = [a_session(n % 10, "1.07", 420_000 + n, id=f"s{n}") for n in range(50)]

EDIT = PolicyEdit(
    ".github/tabstop.yml",
    problems=(
        Problem(4, 3, "tab.cpa", "`tab.cpa` is no key of the policy", "cpa", "", "cap"),
        Problem(9, 9, "steps", "`steps` is `120`: a step is below 100", "120", "1 to 99 percent"),
    ),
    notes=(Note(6, 3, "session.cost", "`session.cost` is $80.00; usual are $0.50 to $50.00."),),
    changes=changed_limits(POLICY, replace(POLICY, session=replace(POLICY.session, cost=dollars(80)))),
)
GOOD_EDIT = PolicyEdit(
    ".github/tabstop.yml",
    changes=changed_limits(
        POLICY,
        replace(
            POLICY,
            tab=Cap(dollars(80), None, WindowKind.LIFETIME),
            engineer=Cap(dollars(600), 50_000_000),
            approvers=("carol",),
        ),
    ),
)
HOSTILE = "x|`<img src=x onerror=alert(1)>`@acme/everyone [y](https://evil.example) #1 \u202e"

CASES: dict[str, TabFacts] = {
    "no-agent": a_tab(),
    "no-agent-no-policy": a_tab(
        policy=Policy(),
        standings=(),
    ),
    "green": a_tab(sessions=[RUNNING, REVIEW, a_session()], standings=[REPOSITORY, ALICE, ORGANIZATION]),
    "amber": a_tab(
        sessions=[a_session(5, "29.80", 9_100_000), STOPPED, REVIEW],
        standings=[a_standing(Scope.ENGINEER, "1000", "1000.40", figures=False, subject="alice"), REPOSITORY],
    ),
    "red-enforce": a_tab(
        sessions=[RUNNING, a_session(5, "39.80", 9_100_000), STOPPED],
        budget=a_budget(spent=amount("50.13", 15_296_000), held=amount("1.69"), why="twice what a usual fix needs"),
        overrun_causes=((Cause.OVERSHOOT, amount("0.13")),),
    ),
    "red-advise": a_tab(sessions=[a_session(5, "39.98", 9_100_000), STOPPED], policy=ADVISE),
    "overrun": a_tab(
        sessions=[a_session(5, "48.60", 9_100_000), STOPPED],
        overrun_causes=((Cause.LATE, amount("6.40")), (Cause.REPRICED, amount("2.22"))),
    ),
    "overrun-unexplained": a_tab(sessions=[a_session(5, "48.60", 9_100_000), STOPPED]),
    "raised": a_tab(
        sessions=[a_session(5, "39.98", 9_100_000), STOPPED],
        budget=a_budget(spent=amount("50.00", 15_200_000), raised=amount("25")),
    ),
    "unknown-price": a_tab(
        sessions=[a_session(4, "0", 1_200_000, model="acme-large", unknown_usages=14), a_session()],
    ),
    "unknown-price-block": a_tab(
        sessions=[a_session(4, "0", 1_200_000, model="acme-large", unknown_usages=1)],
        policy=replace(POLICY, unknown_price=UnknownPrice.BLOCK),
    ),
    "elsewhere-too": a_tab(
        sessions=[a_session(4, "0", 0, elsewhere=True), a_session(3, elsewhere=True), a_session(2, "2.00", 640_000)],
        budget=a_budget(spent=amount("6.10", 2_470_000)),
    ),
    "subscription": a_tab(
        sessions=[
            a_session(4, "0", 2_100_000, billing=Billing.SUBSCRIPTION, notional=dollars("6.32")),
            a_session(3, "1.20", 300_000),
        ],
        window_shares=[
            (1, a_share("5h", 1_210)),
            (1, a_share("5h", 300)),
            (1, a_share("weekly", 80)),
            (2, a_share("5h", 400)),
            (2, a_share("weekly", 0)),
            (2, a_share("5h", 250, GaugeSource.ESTIMATED)),
            (3, a_share("5h", None)),
        ],
    ),
    "subscription-counts": a_tab(
        sessions=[a_session(4, "0", 2_100_000, billing=Billing.CREDITS, notional=dollars("6.32"))],
        policy=replace(POLICY, subscription_counts=True),
        budget=a_budget(spent=amount("6.32", 2_100_000), notional=dollars("6.32")),
    ),
    "tokens-cap": a_tab(
        sessions=[a_session()],
        budget=a_budget(cap="50", cap_tokens=2_000_000, spent=amount("4.10", 1_830_000)),
    ),
    "tokens-only": a_tab(
        sessions=[a_session()],
        budget=a_budget(cap=None, cap_tokens=2_000_000, spent=amount("4.10", 2_020_000)),
    ),
    "no-cap": a_tab(sessions=[a_session()], budget=a_budget(cap=None, spent=amount("4.10", 1_830_000))),
    "public": a_tab(
        public=True,
        sessions=[a_session()],
        # Facts that say too much must not leak either.
        standings=[
            a_standing(Scope.ENGINEER, "1000", "1000.40", subject="alice"),
            a_standing(Scope.REPOSITORY, "500", "480", why="a secret plan", unplaced="77.70"),
            a_standing(Scope.ORGANIZATION, "50000", "9000", subject=""),
        ],
    ),
    "guest": a_tab(
        sessions=[a_session(login="dependabot[bot]")],
        standings=[a_standing(Scope.GUEST, "100", "96.40"), REPOSITORY],
    ),
    "unplaced": a_tab(
        sessions=[a_session()],
        standings=[
            a_standing(Scope.REPOSITORY, "10000", "812.55", unplaced="3.20"),
            a_standing(Scope.ENGINEER, "1000", "310", figures=False, subject="alice", unplaced="3.20"),
        ],
    ),
    "nobody-known": a_tab(sessions=[a_session(login="")]),
    "policy-problems": a_tab(sessions=[a_session()], edit_problems=2, policy_edit=EDIT),
    "policy-edit": a_tab(edit_problems=0, policy_edit=GOOD_EDIT),
    "policy-removed": a_tab(edit_problems=0, policy_edit=PolicyEdit(".github/tabstop.yml", removed=True)),
    "many-sessions": a_tab(
        sessions=MANY, session_count=312, budget=a_budget(cap="500", spent=amount("333.84", 131_040_000))
    ),
    "silent": a_tab(
        sessions=[
            a_session(2, "0", 0, agent="codex", model="", tool_calls=0),
            a_session(1, "0", 0, outcome=None, ended_at=None, tool_calls=0),
            a_session(3, "0", 0, outcome=SessionOutcome.NOT_STARTED, tool_calls=0),
        ]
    ),
    "breaker": a_tab(
        sessions=[a_session(outcome=SessionOutcome.STOPPED_BREAKER, detail="`Bash` only failed.")],
        breakers=(
            (
                "claude-code",
                RememberedBreaker(
                    Trip("s1", BreakerMetric.TOOL_FAILURES, "Bash", 100, 60, NOW), NOW + timedelta(hours=1)
                ),
            ),
        ),
    ),
    "details": a_tab(sessions=[a_session()], links=Links(details="https://tabstop.acme.example/tabs/1")),
}


def _variations() -> None:
    """Cases that differ from another in facts a builder has no name for."""
    green, red = CASES["green"], CASES["red-enforce"]
    plain = CASES["no-agent"]
    CASES["no-agent-no-policy"] = replace(
        CASES["no-agent-no-policy"],
        policy=InForce(Policy()),
        links=Links(policy="https://github.com/acme/web/new/main?filename=.github/tabstop.yml"),
    )
    CASES["not-read"] = replace(plain, policy=InForce(POLICY, read=False), links=Links())
    CASES["draft"] = replace(green, pull_request=replace(green.pull_request, draft=True))
    CASES["fork"] = replace(plain, pull_request=replace(plain.pull_request, head_branch="mallory:fix-login"))
    CASES["closed"] = replace(red, tab=replace(red.tab, ended_at=red.now))
    CASES["old-policy-in-force"] = replace(
        green,
        policy=replace(
            green.policy, problem="this repository's policy file is invalid; its last valid version stays in force"
        ),
    )
    CASES["shared-head"] = replace(
        green,
        conclusion=Conclusion.FAILURE,
        shared_with=(SharedTab(9, "claude/other", Conclusion.FAILURE), SharedTab(12, "main-copy", Conclusion.SUCCESS)),
    )
    hostile = a_session(login="a|b", purpose=HOSTILE, model=HOSTILE, agent=HOSTILE, detail=HOSTILE, unknown_usages=2)
    CASES["hostile"] = replace(
        a_tab(
            sessions=[hostile],
            policy=replace(POLICY, approvers=("@acme/everyone",)),
            budget=a_budget(spent=amount("51"), unknown_usages=2, why=HOSTILE),
            standings=[a_standing(Scope.REPOSITORY, "10", "10", subject=HOSTILE, why=HOSTILE)],
        ),
        shared_with=(SharedTab(9, HOSTILE, Conclusion.SUCCESS),),
        policy_edit=PolicyEdit(HOSTILE, problems=(Problem(1, 1, HOSTILE, HOSTILE, nearest=HOSTILE),)),
        policy=InForce(POLICY, commit=HOSTILE, problem=HOSTILE),
    )


_variations()
