"""`tabstop policy`: check a policy file before it counts, and print the JSON Schema for editors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from tabstop.cli import policy_report
from tabstop.policy.document import PolicyKind
from tabstop.policy.effective import examine
from tabstop.policy.schema import schema_json

_FORMATS: Mapping[str, Callable[[Sequence[policy_report.Report]], None]] = {
    "text": policy_report.text,
    "json": policy_report.as_json,
    "github": policy_report.github,
}


class Unreadable(click.ClickException):
    """The file cannot be read at all."""

    exit_code = 2


@click.group()
def policy() -> None:
    """Check policy files; print their JSON Schema."""


@policy.command()
def schema() -> None:
    """Print the JSON Schema (draft 2020-12) of a policy, for editors and linters."""
    click.echo(schema_json(), nl=False)


@policy.command()
@click.argument("file", metavar="FILE")
@click.option("--org", metavar="FILE", help="The organization's policy, to judge FILE against it.")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in PolicyKind]),
    default=PolicyKind.REPOSITORY.value,
    help="Whose file FILE is.  [default: repository]",
)
@click.option(
    "--repository", default="", metavar="NAME", help="The repository's name, for the organization's `repositories`."
)
@click.option("--topic", multiple=True, metavar="TOPIC", help="A topic of the repository; may be repeated.")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(_FORMATS)),
    default="text",
    help="How to report; `github` writes annotations.  [default: text]",
)
def check(file: str, org: str | None, kind: str, repository: str, topic: tuple[str, ...], form: str) -> None:
    """Check the policy FILE (`-` for standard input) and report every problem at once.

    Exit code 0: valid. 1: problems. 2: FILE cannot be read.
    """
    whose = PolicyKind(kind)
    if org and whose is PolicyKind.ORGANIZATION:
        raise click.UsageError("--org judges a repository's file; it has no meaning with --kind organization.")
    reports = []
    organization = None
    if org:
        above = examine(_read(org), PolicyKind.ORGANIZATION)
        organization = above.parsed.draft
        if above.problems:
            reports.append(policy_report.Report(org, PolicyKind.ORGANIZATION, _read(org), above))
    data = _read(file)
    judged = examine(data, whose, organization=organization, name=repository, topics=topic)
    reports.append(policy_report.Report("<stdin>" if file == "-" else file, whose, data, judged))
    _FORMATS[form](reports)
    sys.exit(1 if any(report.examined.problems for report in reports) else 0)


def _read(file: str) -> bytes:
    try:
        if file == "-":
            return sys.stdin.buffer.read()
        return Path(file).read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise Unreadable(f"{file} cannot be read: {reason}. Check the path; nothing was checked.") from error
