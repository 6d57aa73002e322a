"""A diagnosis: one thing looked at, how it stands, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How something stands."""

    OK = "ok"
    WARNING = "warning"
    """Works, but not as it should, or not for long."""
    PROBLEM = "problem"
    """Does not work; `doctor` exits with 1."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """subject: what was looked at, a few words. found: a sentence. remedy: what to do; empty when all is well.

    details: the single things that are wrong, where there are several of a kind.
    """

    subject: str
    level: Level
    found: str
    remedy: str = ""
    details: tuple[str, ...] = ()


def ok(subject: str, found: str) -> Diagnosis:
    """All is well."""
    return Diagnosis(subject, Level.OK, found)


def warning(subject: str, found: str, remedy: str, details: tuple[str, ...] = ()) -> Diagnosis:
    """Works, but somebody should look."""
    return Diagnosis(subject, Level.WARNING, found, remedy, details)


def problem(subject: str, found: str, remedy: str, details: tuple[str, ...] = ()) -> Diagnosis:
    """Does not work."""
    return Diagnosis(subject, Level.PROBLEM, found, remedy, details)
