"""Markdown for GitHub: text that comes from outside, made harmless. Names, titles and reasons never become markup, mentions or links.

Our own sentences are plain text in which names stand in `backquotes`; every surface turns that one convention into its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tabstop.policy.problem import quoted

_BREAK = "\u200b"
"""A zero-width space: GitHub finds mentions, issue numbers and links in the finished text, where a backslash is gone."""

_NAME = re.compile(r"`([^`\n]+)`")
_ACTIVE = re.compile(r"([\\*`\[\]<>|~]|&(?=#?\w+;)|\$(?!\d)|(?<![^\W_])_|_(?![^\W_]))")
_REFERENCE = re.compile(r"(@(?=\w)|#(?=\d)|\bGH-(?=\d)|\bwww\.|:(?=//))", re.IGNORECASE)
_BLOCK = re.compile(r"^(?:([#>+=-])|(\d{1,9})([.)]))")


def code(name: str, limit: int = 60, *, in_table: bool = False) -> str:
    """A name from outside (branch, model, login) as a code span; empty stays empty. Too long a name is cut with `…`."""
    if not name.strip():
        return ""
    span = quoted(" ".join(name.split(" ")).strip(), limit)
    return span.replace("|", "\\|") if in_table else span


def prose(text: str, *, in_table: bool = False) -> str:
    """A sentence, ours or somebody's, on one line: what stands in backquotes becomes code, nothing else becomes markup."""
    parts = _NAME.split(flat(text))
    done = [code(p, limit=200, in_table=in_table) if at % 2 else _harmless(p) for at, p in enumerate(parts)]
    return _BLOCK.sub(lambda m: f"\\{m[1]}" if m[1] else f"{m[2]}\\{m[3]}", "".join(done))


def _harmless(text: str) -> str:
    return _REFERENCE.sub(lambda m: m[1] + _BREAK, _ACTIVE.sub(r"\\\1", text))


def flat(text: str) -> str:
    """The same text on one line, without characters that cannot be seen (controls, changes of direction)."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def plain(text: str) -> str:
    """The same sentence for titles, which show no markup: flat, without its backquotes."""
    return flat(text.replace("`", ""))


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], right: tuple[int, ...] = ()) -> list[str]:
    """A table's lines. Cells are Markdown already (`code`, `prose` with `in_table`); columns in `right` hold numbers."""
    rule = tuple("---:" if at in right else "---" for at in range(len(head)))
    return [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]


def bar(percent: int, width: int = 20) -> str:
    """A text bar, readable in mail and in a terminal: `[#####---------------]`. Full only at 100 percent."""
    full = min(width, max(0, percent) * width // 100)
    return f"[{'#' * full}{'-' * (width - full)}]"
