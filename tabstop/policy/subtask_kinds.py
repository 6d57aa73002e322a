"""Budgets of subagents by kind: how a file's are laid over those that held before, and when that binds less."""

from __future__ import annotations

from tabstop.governor.settings import KindBudget, Subtasks
from tabstop.governor.subtask_shares import budget_of
from tabstop.policy.notation import show_tokens

_WILD = "*?["


def laid_over(written: tuple[KindBudget, ...], before: tuple[KindBudget, ...]) -> tuple[KindBudget, ...]:
    """The first budget that names a kind counts: new names come first, a known name keeps its place."""
    new = {one.kind: one for one in written}
    known = {one.kind for one in before}
    return (*(one for one in written if one.kind not in known), *(new.get(one.kind, one) for one in before))


def looser_kinds(old: Subtasks, new: Subtasks) -> bool:
    """Whether some kind may get more than before. A new pattern may mean any kind, so it is held to the least of all."""
    return any(one.tokens > _before(old, one.kind) for one in new.kinds)


def shown_kinds(kinds: tuple[KindBudget, ...]) -> str:
    """Print `*research* 100k, *refactor* 500k`."""
    return ", ".join(f"{one.kind} {show_tokens(one.tokens)}" for one in kinds) or "none"


def _before(old: Subtasks, kind: str) -> int:
    """What this name or pattern got at least."""
    same = next((one.tokens for one in old.kinds if one.kind == kind), None)
    if same is not None:
        return same
    if any(letter in kind for letter in _WILD):
        return min([old.other, *(one.tokens for one in old.kinds)])
    return budget_of(old, kind)
