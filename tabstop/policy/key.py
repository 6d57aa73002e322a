"""Key: one key of a policy file that holds a value, and in which file it may stand."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tabstop.policy.forms import Form, ListForm


class Where(StrEnum):
    """In which file a key may stand."""

    BOTH = "both"
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True)
class Key:
    """One key that holds a value.

    path: `session.tokens`; `prices[].model` in each item of a list; `engineers.<login>.cap` under any name.
    default: what holds without it, as one would write it. unit: of a bare number.
    usual: the usual range in the model's unit; outside of it `policy check` leaves a note.
    also: names people try first.
    """

    path: str
    form: Form | ListForm
    default: str
    meaning: str
    unit: str = ""
    where: Where = Where.BOTH
    usual: tuple[int, int] | None = None
    also: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition(".")[2]
