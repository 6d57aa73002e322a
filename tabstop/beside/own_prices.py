"""Own prices: what the policy of a repository that is checked out here says its models cost, over the public list.

For calls made in the repository's working trees. Whether the organization allows it such prices is known to the server alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tabstop.beside.git_folder import tree_of
from tabstop.price_card import ModelPrice

if TYPE_CHECKING:
    from tabstop.policy.model import PriceOverride


POLICY_FILE = Path(".github") / "tabstop.yml"

_LONGEST = 1024 * 1024


class PolicySeen(msgspec.Struct, frozen=True, array_like=True):
    """A policy file that may name prices, as it was: the working tree's root, the time of its last change (ns), its size."""

    tree: str
    changed: int
    size: int


class OwnPrices:
    """Prices by the folder a call was made in."""

    def __init__(self) -> None:
        """Nothing is looked up yet."""
        self._tree_of: dict[str, str] = {}
        self._prices_of: dict[str, tuple[PriceOverride, ...] | None] = {}
        self._known: dict[tuple[str, str, int], ModelPrice | None] = {}

    def seen(self, folders: Iterable[str]) -> tuple[PolicySeen, ...]:
        """The policy files of these folders' repositories that may name prices."""
        trees = sorted({self._tree(folder) for folder in folders} - {""})
        return tuple(one for tree in trees if (one := _seen(tree)) is not None)

    def told(self) -> tuple[tuple[str, bool], ...]:
        """The working trees whose policies name prices, of those asked about; False for one that counts for nothing: it has a problem."""
        return tuple(sorted((tree, prices is not None) for tree, prices in self._prices_of.items() if prices != ()))

    def tree(self, folder: str) -> str:
        """The working tree whose prices count in this folder; empty where the list's do."""
        tree = self._tree(folder)
        if tree and tree not in self._prices_of:
            self._prices_of[tree] = _read(tree)
        return tree if self._prices_of.get(tree) else ""

    def price(self, model: str, at: datetime, tree: str) -> ModelPrice | None:
        """The price at this quarter of an hour in this working tree, which has prices of its own."""
        key = tree, model, int(at.timestamp())
        if key not in self._known:
            from tabstop.price_book import price_of  # noqa: PLC0415 - a third of a second, and few have prices of their own

            self._known[key] = price_of(model, at=at, overrides=self._prices_of[tree] or ())
        return self._known[key]

    def _tree(self, folder: str) -> str:
        if folder not in self._tree_of:
            tree = tree_of(Path(folder)) if folder.startswith("/") else None
            self._tree_of[folder] = "" if tree is None else str(tree)
        return self._tree_of[folder]


def _seen(tree: str) -> PolicySeen | None:
    try:
        about = (Path(tree) / POLICY_FILE).stat()
    except (OSError, ValueError):
        return None
    return PolicySeen(tree, about.st_mtime_ns, about.st_size)


def _read(tree: str) -> tuple[PriceOverride, ...] | None:
    """The prices of a working tree's policy; None where it may name some, and has a problem."""
    try:
        with (Path(tree) / POLICY_FILE).open("rb") as stream:
            body = stream.read(_LONGEST)
    except (OSError, ValueError):
        return ()
    if b"prices" not in body:
        return ()
    from tabstop.policy.document import PolicyKind  # noqa: PLC0415 - as above
    from tabstop.policy.read import parse  # noqa: PLC0415

    document = parse(body, PolicyKind.REPOSITORY).document
    return None if document is None else tuple(document.get("prices", ()))
