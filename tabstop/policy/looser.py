"""What counts as looser: one value of a policy, where it lies, how it is printed, and when a new one binds less than the old."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from tabstop.governor.orders import Step
from tabstop.governor.settings import Rung
from tabstop.policy.model import Cap, Policy

Looser = Callable[[Any, Any], bool]


@dataclass(frozen=True, slots=True)
class Limit:
    """One value of a policy.

    path: its key in the file. attribute: where it lies in `Policy`, outer first; a `Step` picks its share out of the ladder.
    looser: whether the second value binds less than the first; None for values that bind nothing (a channel, a zone).
    judged: the attribute `looser` compares, where the value alone does not tell. merged: what a file's value makes of the one
    that held before; without it, it takes its place.
    """

    path: str
    attribute: tuple[str, ...]
    shown: Callable[[Any], str]
    looser: Looser | None = None
    judged: tuple[str, ...] = ()
    merged: Callable[[Any, Any], Any] | None = None

    def of(self, policy: Policy) -> Any:
        """The value in this policy."""
        return _read(policy, self.attribute)

    def put(self, policy: Policy, value: Any) -> Policy:
        """The policy with this value replaced."""
        changed: Policy = _write(policy, self.attribute, value)
        return changed

    def loosens(self, old: Policy, new: Policy) -> bool:
        """Whether the new policy's value binds less than the old one's."""
        at = self.judged or self.attribute
        return self.looser is not None and self.looser(_read(old, at), _read(new, at))

    def bound(self, old: Any) -> str:
        """What may follow this value without loosening it, for people: `at most $5; more`."""
        shown = self.shown(old)
        if self.is_cap or self.looser in {more, more_or_never}:
            return f"at most {shown}; more"
        if self.looser is less:
            return f"at least {shown}; less"
        if isinstance(old, StrEnum) and self.looser is not None:
            shown = ", ".join(word for word in type(old) if not self.looser(old, word))
        return f"{shown}; anything else"

    @property
    def is_cap(self) -> bool:
        """Whether the value is a `Cap`: amount, window and reason together."""
        return self.looser is looser_cap


def _read(value: Any, attribute: tuple[str, ...]) -> Any:
    for name in attribute:
        value = _share(value, name) if isinstance(name, Step) else getattr(value, name)
    return value


def _write(value: Any, attribute: tuple[str, ...], new: Any) -> Any:
    if not attribute:
        return new
    name, *inner = attribute
    changed = _write(_read(value, (name,)), tuple(inner), new)
    return _with_share(value, name, changed) if isinstance(name, Step) else replace(value, **{name: changed})


def _share(ladder: tuple[Rung, ...], step: Step) -> int | None:
    return next((rung.at for rung in ladder if rung.step is step), None)


def _with_share(ladder: tuple[Rung, ...], step: Step, share: int | None) -> tuple[Rung, ...]:
    """The ladder with this step at this share, or without it. Steps are taken by share; of equal ones the mildest first."""
    rungs = [rung for rung in ladder if rung.step is not step]
    if share is not None:
        rungs.append(Rung(share, step))
    return tuple(sorted(rungs, key=lambda rung: (rung.at, list(Step).index(rung.step))))


def more(old: int | None, new: int | None) -> bool:
    """A larger amount; None for no bound at all."""
    return old is not None and (new is None or new > old)


def less(old: int, new: int) -> bool:
    """A smaller amount."""
    return new < old


def more_or_never(old: int, new: int) -> bool:
    """A larger count, where 0 stands for never."""
    return old != 0 and (new == 0 or new > old)


def other(old: object, new: object) -> bool:
    """Any other value: which of two binds less depends on what they meet."""
    return old != new


def becomes(*loose: object) -> Looser:
    """One of these, where it was none of them."""
    return lambda old, new: old not in loose and new in loose


def weaker(*words: StrEnum | tuple[StrEnum, ...]) -> Looser:
    """An earlier one of these words, which stand weakest first; those in one tuple bind alike."""
    rank = {
        word: number for number, group in enumerate(words) for word in (group if isinstance(group, tuple) else (group,))
    }
    return lambda old, new: rank[new] < rank[old]


def looser_cap(old: Cap, new: Cap) -> bool:
    """Whether some spending that the old cap stops passes the new one.

    Another window does so always: it is another budget, with nothing spent in it, so the amount could be had a second time.
    """
    if old.unlimited:
        return False
    if new.unlimited or new.window is not old.window:
        return True
    return more(old.nano, new.nano) or more(old.tokens, new.tokens)
