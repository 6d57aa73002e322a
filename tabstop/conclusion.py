"""Conclusion: what the check on a pull request says to GitHub, from the verdict on its tab."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from tabstop.budget import Scope
from tabstop.policy.model import CheckMode
from tabstop.verdict import Finding, Outcome, Signal, Verdict


class Conclusion(StrEnum):
    """GitHub's words for a check run's end. `success` and `neutral` let a required check pass; `failure` blocks."""

    SUCCESS = "success"
    NEUTRAL = "neutral"
    FAILURE = "failure"

    @property
    def rank(self) -> int:
        """0 success, 1 neutral, 2 failure."""
        return list(Conclusion).index(self)


MERGE_GROUP = Conclusion.SUCCESS
"""What a merge group gets, at once and whatever the tabs in it: merging spends nothing."""


def conclusion_of(verdict: Verdict, mode: CheckMode) -> Conclusion:
    """What the check concludes: promise 5.

    Only the tab's own findings decide (see `decides`); with `advise` nothing fails, red is neutral like amber.
    """
    worst = max((f.outcome for f in verdict.findings if decides(f)), key=lambda o: o.rank, default=Outcome.ALLOW)
    if worst is Outcome.STOP:
        return Conclusion.FAILURE if mode is CheckMode.ENFORCE else Conclusion.NEUTRAL
    return Conclusion.NEUTRAL if worst is Outcome.WARN else Conclusion.SUCCESS


def decides(finding: Finding) -> bool:
    """Whether a finding may decide a check: the tab's own budget, its unpriced usage, the policy its pull request edits.

    A budget of an engineer, a repository or the organization refuses starts; on a check it is a line of text.
    """
    if finding.signal is Signal.BUDGET:
        return finding.scope == Scope.TAB
    return finding.signal in {Signal.POLICY, Signal.PRICE}


def worst_of(conclusions: Iterable[Conclusion]) -> Conclusion:
    """The conclusion of a commit that several pull requests share; success when there is none."""
    return max(conclusions, key=lambda c: c.rank, default=Conclusion.SUCCESS)
