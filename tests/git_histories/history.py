"""A history and its label: a function that plays a scene, whose docstring says what happens and where each call must lie.

    A branch, and its pull request

    a b | feature #1 | verified | a commit of this session is in pull request #1

A row has calls, the tab (`branch #pull-request`; `site:` before a branch of another repository; `/2` behind one in its second life)
or the place (`acme/widget`, `no repository of acme's`, `not told`), how surely, and why. A fifth column, `cost: …`, says what `tabstop cost` makes of
it, where that differs.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.git_histories.scene import Scene

Play = Callable[[Scene], None]

_ROW = re.compile(
    r"^(?P<calls>[a-p](?: [a-p])*)\s*\|(?P<where>[^|]+)\|(?P<sure>[^|]+)\|(?P<why>[^|]+)(?:\|\s*cost:(?P<cost>[^|]+))?$"
)

_LIFE = re.compile(r"/\d+(?=\s)")


@dataclass(frozen=True)
class Label:
    """Where these calls must lie. cost: for `tabstop cost`."""

    calls: tuple[str, ...]
    where: str
    sure: str
    why: str
    cost: str


@dataclass(frozen=True)
class History:
    """One of them. told: what happens, besides its name."""

    name: str
    told: str
    labels: tuple[Label, ...]
    play: Play

    @property
    def by_call(self) -> dict[str, Label]:
        """The label of each call."""
        return {call: label for label in self.labels for call in label.calls}


def history_of(play: Play) -> History:
    """Read its docstring."""
    lines = inspect.cleandoc(play.__doc__ or "").splitlines()
    rows = [found for line in lines if (found := _ROW.match(line))]
    told = " ".join(line for line in lines[1:] if line and not _ROW.match(line))
    labels = tuple(
        Label(
            tuple(row["calls"].split()),
            row["where"].strip(),
            row["sure"].strip(),
            row["why"].strip(),
            (row["cost"] or _LIFE.sub("", row["where"])).strip(),
        )
        for row in rows
    )
    assert labels, f"{play.__name__} has no label"
    return History(lines[0], told, labels, play)


def histories_in(module: object) -> Iterator[History]:
    """All of a module, in the order of its file."""
    for name, play in vars(module).items():
        if inspect.isfunction(play) and play.__module__ == module.__name__ and not name.startswith("_"):  # type: ignore[attr-defined]
            yield history_of(play)
