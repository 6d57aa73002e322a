"""How `tabstop policy check` reports: for people, as JSON, or as annotations of a GitHub workflow."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from tabstop.policy.document import PolicyKind
from tabstop.policy.effective import Examined
from tabstop.policy.problem import Note, Problem, Severity
from tabstop.policy.usual import MIX, in_both_forms
from tabstop.quantity import plural

_LEVELS = {Severity.PROBLEM: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_STAYS = "Until that is fixed the file does not count; the last valid policy stays in force."
_WHOSE = "If this is the organization's file, check it with `--kind organization`."


@dataclass(frozen=True, slots=True)
class Report:
    """One file as it was read, and what came of it."""

    file: str
    kind: PolicyKind
    data: bytes
    examined: Examined

    @property
    def lines(self) -> list[str]:
        """The file's lines for excerpts, whatever its encoding."""
        return self.data.decode("utf-8-sig", errors="replace").split("\n")

    @property
    def misplaced(self) -> bool:
        """Whether keys of an organization's file stand in what was checked as a repository's."""
        return any("organization's file only" in p.what for p in self.examined.problems)


def text(reports: Sequence[Report]) -> None:
    """Problems and notes as `file:line:column`, each with its line, then the session's caps in both forms."""
    console = Console(highlight=False, soft_wrap=True)
    for report in reports:
        found: list[Problem | Note] = [*report.examined.problems, *report.examined.notes]
        found.sort(key=lambda one: (one.line, one.column))
        for one in found:
            _one(console, report, one)
        _summary(console, report)
    if not reports[-1].examined.problems:
        _session(console, reports[-1])


def as_json(reports: Sequence[Report]) -> None:
    """One object; `files` holds the organization's file only where that has problems, always the checked file last."""
    last = reports[-1]
    session = {"forms": in_both_forms(last.examined.effective.policy.session), "mix": MIX}
    files = [_file(report) for report in reports]
    valid = not any(report.examined.problems for report in reports)
    click.echo(json.dumps({"valid": valid, "files": files, "session": session}, indent=2, ensure_ascii=False))


def github(reports: Sequence[Report]) -> None:
    """Workflow commands, which GitHub shows on the lines of the pull request."""
    for report in reports:
        found: tuple[Problem | Note, ...] = (*report.examined.problems, *report.examined.notes)
        for one in found:
            level = _LEVELS[one.severity]
            place = f"file={_property(report.file)},line={one.line},col={one.column},title=Tabstop policy"
            click.echo(f"::{level} {place}::{_message(one.sentence)}")
        count = plural(len(report.examined.problems), "problem")
        click.echo(
            f"{_message(report.file)}: {count}. {_STAYS}"
            if report.examined.problems
            else f"{_message(report.file)}: valid."
        )


def _one(console: Console, report: Report, one: Problem | Note) -> None:
    line = Text(f"{report.file}:{one.line}:{one.column}: ", style="bold")
    if isinstance(one, Note):
        line.append(f"{one.severity}: ", style="yellow" if one.severity is Severity.WARNING else "cyan")
    line.append(one.sentence, style="not bold")
    console.print(line)
    lines = report.lines
    source = lines[one.line - 1].rstrip("\r") if one.line <= len(lines) else ""
    if not source.strip():
        return
    shown = "".join(c if c.isprintable() else " " for c in source)
    found = one.found if isinstance(one, Problem) else ""
    width = cell_len(found) if found and shown[one.column - 1 :].startswith(found) else 1
    console.print(Text(f"{one.line:>6} | {shown}", style="dim"))
    console.print(Text(f"       | {' ' * cell_len(shown[: one.column - 1])}{'^' * width}", style="dim"))


def _summary(console: Console, report: Report) -> None:
    problems = len(report.examined.problems)
    if not problems:
        count = Counter(note.severity for note in report.examined.notes)
        beside = " and ".join(plural(count[kind], kind) for kind in (Severity.WARNING, Severity.NOTE) if count[kind])
        beside = f", with {beside}" if beside else ""
        console.print(Text(f"{report.file}: valid {report.kind} policy{beside}.", style="green"))
        return
    console.print(Text(f"{report.file}: {plural(problems, 'problem')}. {_STAYS}", style="red"))
    if report.misplaced:
        console.print(Text(_WHOSE))


def _session(console: Console, report: Report) -> None:
    console.print(Text("\nA session's caps in both forms", style="bold"))
    for line in in_both_forms(report.examined.effective.policy.session):
        console.print(Text(f"  {line}"))
    console.print(Text(f"  {MIX}", style="dim"))


def _file(report: Report) -> dict[str, Any]:
    problems = [
        {
            "line": p.line,
            "column": p.column,
            "key": p.key_path,
            "found": p.found,
            "allowed": p.allowed,
            "nearest": p.nearest,
            "sentence": p.sentence,
        }
        for p in report.examined.problems
    ]
    notes = [
        {"line": n.line, "column": n.column, "key": n.key_path, "severity": n.severity, "sentence": n.sentence}
        for n in report.examined.notes
    ]
    return {"file": report.file, "kind": report.kind, "valid": not problems, "problems": problems, "notes": notes}


def _message(value: str) -> str:
    # https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts: escapeData
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _message(value).replace(":", "%3A").replace(",", "%2C")
