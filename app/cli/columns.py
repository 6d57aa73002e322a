"""Columns: rows of text aligned under their headings, the same in a terminal, a pipe and a file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime


def columns(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The table as lines; the last column keeps its natural length."""
    table = [tuple(headings), *(tuple(row) for row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(headings) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in table
    )


def minute(at: datetime | None) -> str:
    """A time as operators read it, UTC to the minute; empty for none."""
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else ""
