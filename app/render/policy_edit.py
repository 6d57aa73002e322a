"""What a pull request would make of the policy: problems, limits old and new, and annotations on the file's lines."""

from __future__ import annotations

from app.github_api.protocol import Annotation
from app.jobs.tab_facts import PolicyEdit
from tabstop.markdown import code, flat, plain, prose, table
from tabstop.policy.problem import Note, Problem, Severity
from tabstop.quantity import plural

MOST_ANNOTATIONS = 50
"""GitHub takes at most 50 annotations a request (reference of POST /repos/{owner}/{repo}/check-runs)."""

MOST_LISTED = 25
_LEVELS = {Severity.PROBLEM: "failure", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_MESSAGE = 2_000


def policy_section(edit: PolicyEdit) -> list[str]:
    """A section for the check's summary."""
    whose = "the organization's policy" if edit.organization else "the policy"
    lines = [f"### {whose[:1].upper()}{whose[1:]} in this pull request", ""]
    if edit.removed:
        then = "the defaults hold" if edit.organization else "the organization's policy or the defaults hold"
        lines.append(f"It removes {code(edit.path)}; without it {then}.")
    elif edit.problems:
        lines += [f"{plural(len(edit.problems), 'problem')} in {code(edit.path)}; as it is, it would not count:", ""]
        lines += _listed(edit.problems)
    else:
        lines.append(f"{code(edit.path)} is valid.")
    lines += ["", *_changes(edit)]
    if edit.notes:
        lines += ["Worth a look:", "", *_listed(edit.notes), ""]
    lines.append("Nothing of this counts before it is merged: a pull request cannot raise its own cap.")
    return lines


def _listed(found: tuple[Problem, ...] | tuple[Note, ...]) -> list[str]:
    rest = len(found) - MOST_LISTED
    lines = [f"- line {item.line}: {prose(_cut(item.sentence, 300))}" for item in found[:MOST_LISTED]]
    return [*lines, f"- and {rest} more"] if rest > 0 else lines


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _changes(edit: PolicyEdit) -> list[str]:
    if not edit.changes:
        return [] if edit.problems or edit.removed else ["No limit changes.", ""]
    rows = [
        (
            code(change.key, in_table=True),
            prose(_cut(change.old, 200), in_table=True),
            prose(_cut(change.new, 200), in_table=True),
            "looser" if change.loosens else "",
        )
        for change in edit.changes[:MOST_LISTED]
    ]
    rest = len(edit.changes) - len(rows)
    then = "Once it is corrected, as far as it can be read now:" if edit.problems else "If it were merged:"
    lines = [then, "", *table(("Limit", "Now", "Then", "Effect"), rows)]
    return [*lines, *(["", f"and {rest} more"] if rest > 0 else []), ""]


def policy_annotations(edit: PolicyEdit | None) -> tuple[Annotation, ...]:
    """Problems as failures, warnings as warnings and notes as notices on their lines, problems first, at most 50."""
    if edit is None or edit.removed:
        return ()
    found: list[Problem | Note] = [*edit.problems, *edit.notes]
    return tuple(_annotation(edit.path, item) for item in found[:MOST_ANNOTATIONS])


def _annotation(path: str, item: Problem | Note) -> Annotation:
    failed = item.severity is Severity.PROBLEM
    return Annotation(
        path=path,
        start_line=max(1, item.line),
        end_line=max(1, item.line),
        level=_LEVELS[item.severity],
        message=_cut(flat(item.sentence), _MESSAGE),
        title=plain(item.key_path)[:250] or ("The policy" if failed else "Worth a look"),
    )
