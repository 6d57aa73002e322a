"""Standing: how does a tab stand? One of the three questions a verdict answers, over plain facts."""

from __future__ import annotations

from collections.abc import Sequence

from tabstop.admission import unpriced
from tabstop.budget import Budget, standing
from tabstop.policy.model import Policy
from tabstop.quantity import plural
from tabstop.verdict import Finding, Outcome, Signal, Verdict, verdict_of


def how_stands(
    budgets: Sequence[Budget], policy: Policy, *, subject: str = "", edit_problems: int | None = None
) -> Verdict:
    """The verdict on a tab: its own budgets by what is spent, its unpriced usage, and the policy its pull request edits.

    budgets: the tab's own, in the windows of now. subject: what people call the tab, its branch.
    edit_problems: how many problems the policy file of the pull request has; None when it does not touch it.
    """
    findings = [standing(budget, policy.steps, subject) for budget in budgets]
    unknown = max((budget.unknown_usages for budget in budgets), default=0)
    if unknown:
        findings.append(unpriced(unknown, policy))
    if edit_problems is not None:
        findings.append(_edited(edit_problems))
    return verdict_of(*findings)


def _edited(problems: int) -> Finding:
    if not problems:
        return Finding(
            Signal.POLICY, Outcome.ALLOW, "policy", sentence="The policy in this pull request is valid.", remedy=""
        )
    return Finding(
        Signal.POLICY,
        Outcome.STOP,
        "policy",
        sentence=f"The policy in this pull request has {plural(problems, 'problem')}; it would not count.",
        remedy="Correct the lines marked in the file.",
    )
