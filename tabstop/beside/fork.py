"""Fork: whose repository the work in a clone is for: its own, or the one that it is a fork of."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """own: the clone's repository, `owner/name`. told: the one whose owner is told of work there: that of which it is a fork.

    Both empty where none is known.
    """

    own: str
    told: str

    def branch(self, name: str) -> str:
        """A branch of the clone as a tab of `told` has it: of a fork `owner:branch`. Empty for none."""
        return f"{self.own.partition('/')[0]}:{name}" if name and self.is_fork else name

    @property
    def is_fork(self) -> bool:
        """Whether they are two repositories."""
        return self.own.lower() != self.told.lower()


def place_of(names: Sequence[str], owners: Container[str], known: str = "") -> Place:
    """Of a clone with these repositories, its own first, as `tabstop.beside.checkout.repositories_of` has them.

    owners: who is told of work in their repositories, in lower case. known: its own, where somebody said.
    """
    own = known or next(iter(names), "")
    return Place(own, next((one for one in (own, *names) if owner_of(one) in owners), own))


def owner_of(repository: str) -> str:
    """Whose repository it is, in lower case."""
    return repository.partition("/")[0].lower()
