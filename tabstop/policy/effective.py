"""effective: the policy in force for one repository, its file over the organization's over the defaults.

The organization's file is the only one that says whether a repository may loosen. Silence is no permission: with an
organization's file, what holds without the repository's (defaults included) is the ceiling, save for what `may_loosen`
lists. Without one, the repository's file counts against the defaults freely, save for what all repositories share, such
as an engineer's budget: that is the organization's file's or the default, always.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from tabstop.hold import SMALLEST
from tabstop.policy.cautions import cautions
from tabstop.policy.document import PolicyDocument, PolicyKind, Written
from tabstop.policy.limits import LIMITS, ORGANIZATIONS_OWN, may_be_loosened
from tabstop.policy.looser import Limit
from tabstop.policy.model import Cap, OnEmpty, Policy
from tabstop.policy.problem import Note, Problem, in_file_order, quoted
from tabstop.policy.read import ParsedPolicy, parse


class Origin(StrEnum):
    """Which file a value comes from."""

    DEFAULT = "default"
    ORGANIZATION = "organization"
    REPOSITORY = "repository"


@dataclass(frozen=True, slots=True)
class Effective:
    """What is in force.

    policy: safe whatever the problems: a value that a repository may not set is left as it would be without it.
    problems: of the two files together, with lines of the repository's file (of the organization's where there is none).
    sources: an `Origin` for every key of `tabstop.policy.limits.LIMITS`, and for `engineers`.
    """

    policy: Policy
    problems: tuple[Problem, ...]
    sources: Mapping[str, str]


def effective(
    organization: PolicyDocument | None,
    repository: PolicyDocument | None,
    *,
    name: str,
    topics: Sequence[str] = (),
) -> Effective:
    """The policy of the repository `name` (with or without its owner) that carries `topics`. Never raises."""
    sources: dict[str, str] = dict.fromkeys([*(limit.path for limit in LIMITS), "engineers"], Origin.DEFAULT)
    policy = Policy()
    problems: list[Problem] = []
    if organization is not None:
        policy = _laid_over(policy, organization, Origin.ORGANIZATION, sources)
        policy = _rules(policy, organization, name.rpartition("/")[2], topics, sources)
        policy = _engineers(policy, organization, sources)
    if repository is not None:
        base = policy
        origins = dict(sources)
        policy = _laid_over(policy, repository, Origin.REPOSITORY, sources)
        if organization is not None:
            refused = _loosening(base, policy, organization, repository, origins)
            problems += [problem for _, problem in refused]
            for limit, _ in refused:
                policy = limit.put(policy, limit.of(base))
                sources[limit.path] = origins[limit.path]
    last = repository if repository is not None and "engineer.on_empty" in repository.values else organization
    policy = _downgrade_settled(policy, last, problems)
    return Effective(policy, in_file_order(problems), MappingProxyType(sources))


def _laid_over(policy: Policy, document: PolicyDocument, origin: Origin, sources: dict[str, str]) -> Policy:
    """Every value this file may set and writes, over what held before. Whether it loosens is not judged here."""
    for limit in LIMITS:
        if origin is Origin.REPOSITORY and limit.path in ORGANIZATIONS_OWN:
            continue
        if limit.is_cap:
            written = document.cap(limit.path.removesuffix(".cap"))
            if written is not None:
                policy = limit.put(policy, written.over(limit.of(policy)))
                sources[limit.path] = origin
        elif limit.path in document.values:
            value = document.get(limit.path)
            if limit.merged:
                value = limit.merged(value, limit.of(policy))
            policy = limit.put(policy, value)
            sources[limit.path] = origin
    return policy


def _rules(
    policy: Policy, organization: PolicyDocument, name: str, topics: Sequence[str], sources: dict[str, str]
) -> Policy:
    for rule in organization.get("repositories", ()):
        if rule.applies(name, topics):
            sources["repository.cap"] = Origin.ORGANIZATION
            return replace(policy, repository=rule.cap.over(policy.repository))
    return policy


def _engineers(policy: Policy, organization: PolicyDocument, sources: dict[str, str]) -> Policy:
    written = organization.get("engineers", ())
    if not written:
        return policy
    sources["engineers"] = Origin.ORGANIZATION
    everybody = Cap(window=policy.engineer.window)
    return replace(policy, engineers=tuple(sorted((login, cap.over(everybody)) for login, cap in written)))


def _loosening(
    base: Policy, wanted: Policy, organization: PolicyDocument, repository: PolicyDocument, origins: Mapping[str, str]
) -> list[tuple[Limit, Problem]]:
    """The values of `wanted` that bind less than the organization lets a repository, each with its problem.

    origins: where the values of `base` come from.
    """
    may_loosen: tuple[str, ...] = organization.get("may_loosen", ())
    refused = []
    for limit in LIMITS:
        old, new = limit.of(base), limit.of(wanted)
        if limit.path == "slack.channel":
            problem = _channel_problem(base, new, repository)
            refused += [(limit, problem)] if problem else []
        elif limit.loosens(base, wanted) and not may_be_loosened(limit.path, may_loosen):
            refused.append((limit, _loosened(limit, old, new, origins[limit.path], repository)))
    return refused


def _loosened(limit: Limit, old: object, new: object, origin: str, repository: PolicyDocument) -> Problem:
    path, at = _place(limit, repository)
    before, after = limit.shown(old), limit.shown(new)
    set_by = "the organization's" if origin == Origin.ORGANIZATION else "the default"
    what = f"`{path}` loosens {before} ({set_by}) to {after}, and a repository may only tighten"
    bound = limit.bound(old)
    if limit.path == "hold":
        bound = f"`auto`, or at least {limit.shown(SMALLEST if old is None else old)}; less"
    allowed = f"{bound} only if the organization's file lists `{limit.path}` under `may_loosen`"
    return Problem(at.line, at.column, path, what, at.text or after, allowed)


def _channel_problem(base: Policy, channel: str, repository: PolicyDocument) -> Problem | None:
    """A repository may name the organization's own channel, an allowed one, or none."""
    if channel in {"", base.slack.channel, *base.slack.allowed} or "slack.channel" not in repository.values:
        return None
    at = repository.values["slack.channel"]
    listed = ", ".join(f"`{c}`" for c in (base.slack.channel, *base.slack.allowed) if c)
    allowed = f"{listed or '`off`'}; others once the organization's file lists them under `slack.allowed`"
    what = f"`slack.channel` is {quoted(channel)}, which the organization does not allow"
    return Problem(at.line, at.column, "slack.channel", what, channel, allowed)


def _downgrade_settled(policy: Policy, document: PolicyDocument | None, problems: list[Problem]) -> Policy:
    """A downgrade to no model at all is a refusal, and an oversight."""
    if policy.on_empty is not OnEmpty.DOWNGRADE or policy.downgrade.models:
        return policy
    if document is not None and "engineer.downgrade.models" not in document.broken:
        at = document.values.get("engineer.on_empty", Written(None, 1, 1))
        what = "`engineer.on_empty` is `downgrade`, but no cheaper model is named"
        allowed = "at least one model under `engineer.downgrade.models`"
        problems.append(Problem(at.line, at.column, "engineer.on_empty", what, "downgrade", allowed))
    return replace(policy, on_empty=OnEmpty.REFUSE)


def _place(limit: Limit, repository: PolicyDocument) -> tuple[str, Written]:
    if not limit.is_cap:
        return limit.path, repository.values[limit.path]
    scope = limit.path.removesuffix(".cap")
    return repository.place(f"{scope}.cap", f"{scope}.window", f"{scope}.why")


@dataclass(frozen=True, slots=True)
class Examined:
    """A file judged on its own and against the organization's: every problem at once."""

    parsed: ParsedPolicy
    effective: Effective
    problems: tuple[Problem, ...]
    notes: tuple[Note, ...]


def examine(
    text: str | bytes,
    kind: PolicyKind,
    *,
    organization: PolicyDocument | None = None,
    name: str = "",
    topics: Sequence[str] = (),
) -> Examined:
    """Judge a file as it stands, for its author: in a pull request that edits it, or at the command line.

    `organization` is ignored for the organization's own file.
    """
    parsed = parse(text, kind)
    if kind is PolicyKind.ORGANIZATION:
        together = effective(parsed.draft, None, name=name, topics=topics)
    else:
        together = effective(organization, parsed.draft, name=name, topics=topics)
    own = (p for p in together.problems if p.key_path in parsed.draft.values)
    problems = in_file_order([*parsed.problems, *own])
    every = sorted([*parsed.notes, *cautions(parsed.draft, together.policy)], key=lambda note: (note.line, note.column))
    notes = tuple(note for note in every if not any(p.line == note.line for p in problems))
    return Examined(parsed, together, problems, notes)
