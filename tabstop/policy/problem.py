"""Problem and Note: what is wrong with a policy file, or merely unusual, at which line, in a sentence for its author."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much it matters."""

    PROBLEM = "problem"
    """The file does not count: the last valid policy stays in force."""
    WARNING = "warning"
    """The file counts, and somewhere does something else than it says."""
    NOTE = "note"
    """Worth a look; the file counts."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a file does not count.

    line, column: where, counted from 1 in the file's own text.
    key_path: `session.tokens`, `prices[0].model`; empty for the file as a whole.
    what: what is the matter, a clause without its full stop.
    found: what stands there, cut to a readable length. allowed: what may stand there. nearest: the likely intention.
    """

    line: int
    column: int
    key_path: str
    what: str
    found: str = ""
    allowed: str = ""
    nearest: str = ""
    severity: Severity = Severity.PROBLEM

    @property
    def sentence(self) -> str:
        """All of it as people read it: what is the matter, what was probably meant, what is allowed."""
        meant = f" Did you mean `{self.nearest}`?" if self.nearest else ""
        allowed = f" Allowed: {self.allowed}." if self.allowed else ""
        return f"{self.what}.{meant}{allowed}"


@dataclass(frozen=True, slots=True)
class Note:
    """Something that counts all the same: unusual, or a warning. `line` and `column` from 1; `sentence` is complete."""

    line: int
    column: int
    key_path: str
    sentence: str
    severity: Severity = Severity.NOTE


def in_file_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems as one meets them reading the file, each once."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda p: (p.line, p.column, p.key_path)))


def quoted(text: str, limit: int = 60) -> str:
    """What stands in a file, made safe to print on one line: cut, control characters spelled out, in backquotes."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    plain = plain.replace("`", "'")
    return f"`{plain if len(plain) <= limit else plain[: limit - 1] + '…'}`"


def nearest(word: str, candidates: Iterable[str], cutoff: float = 0.6) -> str:
    """The candidate a person who wrote `word` probably meant, or nothing. Case, dashes and blanks do not matter."""
    folded = {_fold(candidate): candidate for candidate in candidates}
    found = difflib.get_close_matches(_fold(word), folded, n=1, cutoff=cutoff)
    return folded[found[0]] if found else ""


def _fold(word: str) -> str:
    return word[:80].strip().lower().replace("-", "_").replace(" ", "_")
