"""The subtask lab: what a row of subtasks gets by each way of sharing, and which of them starve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tabstop.governor.settings import Sharing, Subtasks
from tabstop.governor.subtask_shares import Portion, Task, budget_of, one_after_another
from tabstop.quantity import tokens as show_tokens

TOKENS = 1_000_000
"""What the session has left when its first subtask begins, unless told."""

COUNT = 9
KIND = "research"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of subtasks. about: what they have in common."""

    about: str
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class Shared:
    """A row of subtasks under one way of sharing."""

    sharing: Sharing
    row: Row
    tokens: int
    portions: tuple[Portion, ...]

    @property
    def starved(self) -> int:
        """How many got less than they need, greedy ones not counted."""
        return sum(one.starved for one in self.portions if one.task.needs < self.tokens)

    @property
    def unused(self) -> int:
        """Tokens that are left when the last has ended."""
        return self.tokens - sum(one.used for one in self.portions)


def rows(tokens: int) -> tuple[Row, ...]:
    """Equal subtasks that together need nine tenths of the tokens; then with one in front that uses whatever it is given."""
    need = tokens // (COUNT + 1)
    equal = (Task(KIND, need),) * COUNT
    return (
        Row(f"{COUNT} equal subtasks, each needs {show_tokens(need)}", equal),
        Row("the first uses all it is given", (Task(KIND, tokens), *equal[1:])),
        Row("so does this first one, and its kind has no budget of its own", (Task("other", tokens), *equal[1:])),
    )


def shared(rules: Subtasks, tokens: int) -> tuple[Shared, ...]:
    """Both rows, each by every way of sharing."""
    return tuple(
        Shared(sharing, row, tokens, one_after_another(replace(rules, sharing=sharing), row.tasks, tokens))
        for row in rows(tokens)
        for sharing in (Sharing.PROPORTIONAL, Sharing.STATIC, Sharing.HYBRID)
    )


def text(rules: Subtasks, tokens: int) -> str:
    """For people."""
    lines = [
        f"Subtasks one after the other, {show_tokens(tokens)} tokens in all. What one leaves unspent is its parent's again.",
        f"The budget of the kind `{KIND}` is {show_tokens(budget_of(rules, KIND))}, the share {rules.share_percent} % of what is left.",
        "What each one used; ! got less than it needs.",
    ]
    about = ""
    for one in shared(rules, tokens):
        if one.row.about != about:
            about = one.row.about
            lines += ["", about[0].upper() + about[1:]]
        cells = "".join(f"{show_tokens(it.used) + ('!' if it.starved else ' '):>8}" for it in one.portions)
        lines.append(f"  {one.sharing.value:<12}{cells} {one.starved:>3} starved, {show_tokens(one.unused)} unused")
    return "\n".join([*lines, "", *_LESSON]) + "\n"


_LESSON = (
    "A share of what is left shrinks with every subtask, so late ones starve while tokens lie unused. A budget by kind treats",
    "all alike, until a greedy subtask of a kind without one takes everything. The hybrid, the default, takes the smaller of",
    "the two: late subtasks may still get little, but no early one can take what they need.",
)


def as_json(rules: Subtasks, tokens: int) -> list[dict[str, Any]]:
    """For programs."""
    return [
        {
            "row": one.row.about,
            "sharing": one.sharing.value,
            "starved": one.starved,
            "unused": one.unused,
            "subtasks": [
                {"kind": it.task.kind, "needs": it.task.needs, "given": it.given, "used": it.used}
                for it in one.portions
            ],
        }
        for one in shared(rules, tokens)
    ]
