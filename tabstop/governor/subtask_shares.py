"""Subtask shares: how many tokens a subagent gets, and what a row of subtasks gets one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tabstop.governor.settings import Sharing, Subtasks


def granted(rules: Subtasks, kind: str, left: int | None) -> int:
    """Tokens for a subagent of this kind, never more than its parent has left. left: None where nothing bounds it.

    A share of what has no bound is no number, so then the budget of the kind counts alone.
    """
    if left is None:
        return rules.other if rules.sharing is Sharing.PROPORTIONAL else budget_of(rules, kind)
    share = left * rules.share_percent // 100
    if rules.sharing is Sharing.PROPORTIONAL:
        return min(share, left)
    fixed = budget_of(rules, kind)
    return min(fixed, left) if rules.sharing is Sharing.STATIC else min(fixed, share, left)


def budget_of(rules: Subtasks, kind: str) -> int:
    """Tokens for this kind: of the first budget whose glob matches it, without regard to case."""
    return next((one.tokens for one in rules.kinds if fnmatchcase(kind.lower(), one.kind.lower())), rules.other)


@dataclass(frozen=True, slots=True)
class Task:
    """A subtask to be. needs: tokens it takes to do it."""

    kind: str
    needs: int


@dataclass(frozen=True, slots=True)
class Portion:
    """What a subtask got, in tokens. used: never more than it got."""

    task: Task
    given: int
    used: int

    @property
    def starved(self) -> bool:
        """Whether it got less than it needs."""
        return self.given < self.task.needs


def one_after_another(rules: Subtasks, tasks: Sequence[Task], tokens: int) -> tuple[Portion, ...]:
    """What each of these subtasks gets when one follows the other and unspent tokens return to their parent.

    Of a purely proportional share of a quarter, the n-th of equal hungry subtasks gets 3/4 of what the one before it got:
    early ones take more than they need to be given, late ones starve while three quarters of the rest lie unused.
    """
    portions = []
    for task in tasks:
        given = granted(rules, task.kind, tokens)
        used = min(task.needs, given)
        portions.append(Portion(task, given, used))
        tokens -= used
    return tuple(portions)
