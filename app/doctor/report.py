"""How diagnoses are shown: one line each with what to do under it, and a summary; or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from app.doctor.diagnosis import Diagnosis, Level
from tabstop.quantity import plural

_MARKS = {Level.OK: "ok     ", Level.WARNING: "WARNING", Level.PROBLEM: "PROBLEM"}
_INDENT = " " * 9


def line(one: Diagnosis) -> str:
    """One diagnosis: `PROBLEM  clock: 90 s ahead of GitHub's.` and its remedy under it."""
    told = [f"{_MARKS[one.level]}  {one.subject}: {one.found}"]
    told += [f"{_INDENT}- {detail}" for detail in one.details]
    if one.remedy:
        told.append(f"{_INDENT}→ {one.remedy}")
    return "\n".join(told)


def summary(found: Sequence[Diagnosis]) -> str:
    """The last line."""
    problems = sum(one.level is Level.PROBLEM for one in found)
    warnings = sum(one.level is Level.WARNING for one in found)
    if not problems and not warnings:
        return "All is well."
    parts = [plural(problems, "problem")] if problems else []
    parts += [plural(warnings, "warning")] if warnings else []
    return " and ".join(parts) + "."


def as_json(found: Sequence[Diagnosis]) -> str:
    """One object: `ok` (no problems), and `diagnoses` in order."""
    well = not any(one.level is Level.PROBLEM for one in found)
    return json.dumps({"ok": well, "diagnoses": [asdict(one) for one in found]}, indent=2, ensure_ascii=False)
