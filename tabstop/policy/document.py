"""PolicyDocument: what one file says and nothing else, each value with its line."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from tabstop.policy.model import Cap
from tabstop.window import WindowKind


class PolicyKind(StrEnum):
    """Whose file it is. One grammar; the organization's may hold more keys."""

    REPOSITORY = "repository"
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True)
class Written:
    """A value as the model holds it, and where it stands. `text` is what the author wrote; empty for lists."""

    value: Any
    line: int
    column: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class WrittenCap:
    """What a file says about one budget; None for what it leaves to whatever holds otherwise."""

    bounds: Cap | None = None
    window: WindowKind | None = None
    why: str | None = None

    def over(self, base: Cap) -> Cap:
        """This laid over what holds otherwise. A new amount takes the old amount's reason away."""
        cap = base
        if self.bounds is not None:
            cap = replace(cap, nano=self.bounds.nano, tokens=self.bounds.tokens, why="")
        if self.window is not None:
            cap = replace(cap, window=self.window)
        return cap if self.why is None else replace(cap, why=self.why)


@dataclass(frozen=True, slots=True)
class RepositoryRule:
    """One item of `repositories`: which repositories, by name pattern or topic (one of the two is empty), and their cap."""

    match: str
    topic: str
    cap: WrittenCap

    def applies(self, name: str, topics: Sequence[str]) -> bool:
        """Whether it is about this repository. `name` without its owner; case does not matter."""
        if self.topic:
            return self.topic in topics
        return fnmatch.fnmatchcase(name.lower(), self.match.lower())


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """What one file says.

    values: by key path. `prices` holds `PriceOverride`s, `repositories` `RepositoryRule`s, `engineers` pairs of login
    and `WrittenCap`, `slack.people` pairs of login and person, `aliases` pairs of login and names; everything else the model's own value.
    broken: keys that are written but cannot be read, so that nobody calls them missing.
    """

    kind: PolicyKind
    values: Mapping[str, Written]
    broken: frozenset[str] = frozenset()

    def get(self, path: str, default: Any = None) -> Any:
        """The value of a key, or the default where the file does not have it."""
        written = self.values.get(path)
        return default if written is None else written.value

    def cap(self, scope: str) -> WrittenCap | None:
        """What it says about a budget (`tab`, `engineer`, …); None for nothing."""
        cap = WrittenCap(self.get(f"{scope}.cap"), self.get(f"{scope}.window"), self.get(f"{scope}.why"))
        return None if cap == WrittenCap() else cap

    def place(self, *paths: str) -> tuple[str, Written]:
        """The first of these keys that is written, and where. Raises `KeyError` when none is."""
        path = next((path for path in paths if path in self.values), paths[-1])
        return path, self.values[path]


SILENT_ORGANIZATION = PolicyDocument(PolicyKind.ORGANIZATION, MappingProxyType({}))
"""What counts of an organization's file that is there and was never valid: it says nothing, and so permits nothing."""
