"""Policies from a few lines of YAML, so that a test shows only what it is about."""

from textwrap import dedent

from tabstop.policy.document import PolicyDocument, PolicyKind
from tabstop.policy.effective import Effective, effective
from tabstop.policy.problem import Problem
from tabstop.policy.read import parse


def repository(text: str) -> PolicyDocument:
    """A valid repository file."""
    parsed = parse(dedent(text), PolicyKind.REPOSITORY)
    assert parsed.document is not None, [p.sentence for p in parsed.problems]
    return parsed.document


def organization(text: str) -> PolicyDocument:
    """A valid organization's file."""
    parsed = parse(dedent(text), PolicyKind.ORGANIZATION)
    assert parsed.document is not None, [p.sentence for p in parsed.problems]
    return parsed.document


def problems(text: str | bytes, kind: PolicyKind = PolicyKind.REPOSITORY) -> tuple[Problem, ...]:
    """What is wrong with a file."""
    return parse(text, kind).problems


def listed(text: str | bytes, kind: PolicyKind = PolicyKind.REPOSITORY) -> str:
    """Problems and notes, each on a line with its place; for golden files."""
    parsed = parse(text, kind)
    lines = [f"{p.line}:{p.column} [{p.key_path}] {p.sentence}" for p in parsed.problems]
    return "\n".join([*lines, *(f"{n.line}:{n.column} [{n.key_path}] note: {n.sentence}" for n in parsed.notes)]) + "\n"


def in_force(org: str | None, repo: str | None, name: str = "acme/web", topics: tuple[str, ...] = ()) -> Effective:
    """Both files, each valid on its own, judged together."""
    return effective(
        None if org is None else organization(org),
        None if repo is None else repository(repo),
        name=name,
        topics=topics,
    )
