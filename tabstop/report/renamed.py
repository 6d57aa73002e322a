"""Renamed: what logs and clones tell of a repository under names it had before, joined under the one it goes by now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from msgspec import structs

from tabstop.report.facts import Facts, Repository
from tabstop.report.placing import Linked
from tabstop.usage_groups import UsageGroup

Told = tuple[Sequence[UsageGroup], Mapping[tuple[str, str], Linked], Facts]
"""As `tabstop.report.placing.place` takes it."""


def by_new_names(told: Told, names: Mapping[str, str]) -> Told:
    """The same, by the names of now. names: the new one by the old one in lower case."""
    if not names:
        return told
    groups, linked, facts = told

    def now(name: str) -> str:
        return names.get(name.lower(), name)

    def links(one: Linked) -> Linked:
        return Linked(
            tuple(replace(link, repository=now(link.repository)) for link in one.pull_requests),
            tuple(replace(made, repository=now(made.repository)) for made in one.commits),
        )

    return (
        [structs.replace(one, repository=now(one.repository)) for one in groups],
        {key: links(one) for key, one in linked.items()},
        facts._replace(
            folders={folder: now(name) for folder, name in facts.folders.items()},
            repositories=_joined(
                one._replace(name=now(one.name), fork_of=now(one.fork_of), on_github=_on_github(one, now(one.name)))
                for one in facts.repositories.values()
            ),
        ),
    )


def _on_github(one: Repository, now: str) -> frozenset[str]:
    return one.on_github | {now.lower()} if one.name.lower() in one.on_github else one.on_github


def _joined(repositories: Iterable[Repository]) -> dict[str, Repository]:
    """Two clones of one repository are one, with what either knows."""
    found: dict[str, Repository] = {}
    for one in repositories:
        before = found.get(one.name.lower(), one)
        found[one.name.lower()] = Repository(
            before.name,
            before.default_branch or one.default_branch,
            before.branches | one.branches,
            before.merged | one.merged,
            before.fork_of or one.fork_of,
            before.on_github | one.on_github,
        )
    return found
