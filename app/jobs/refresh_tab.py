"""refresh_tab: bring the check and the comment of a tab's pull requests up to date. payload: tab.

A burst of usage asks for this a thousand times and gets a handful of writes: jobs of one tab that wait are one, a tab is
posted at most once in each slot of `QUIET` (the first request at once, the last one at the next slot), and a text that
GitHub already has is not sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from app.events.seen import ask_about
from app.github_api.protocol import GitHubError, GitHubInstallation
from app.jobs.asking_github import asking_github, installed
from app.jobs.edited_policy import Now, as_it_is, read_edit
from app.jobs.gather_tab import Outside, gather
from app.jobs.post_tab import post_check, post_comment
from app.jobs.runner import slot_of
from app.jobs.tab_facts import PolicyEdit, SharedTab, TabFacts
from app.registry import PullRequest, Repository, Transaction
from app.world import NotYetError, World
from tabstop.conclusion import worst_of

QUIET = timedelta(seconds=5)
"""How long a tab that was posted stays quiet: soon enough to watch, and at most 12 updates a minute."""


@dataclass(frozen=True, slots=True)
class Head:
    """A commit that open pull requests have as their head; at least one runs on the tab to be shown."""

    repository: Repository
    pull_requests: tuple[PullRequest, ...]
    policy: Now


@asking_github()
def run(world: World, organization_id: int | None, payload: Mapping[str, Any]) -> None:
    """Post what has changed on the tab's open pull requests; closed ones are left alone."""
    tab_id, now = int(payload["tab"]), world.now()
    if organization_id is None:
        return
    _claim_turn(world, organization_id, tab_id, now)
    with world.store.look(organization_id) as db:
        github = installed(world, db.organization())
        heads = _heads(db, tab_id)
    if github is None:
        return

    for head in heads:
        edits = _edits(github, head)
        with world.store.look(organization_id) as db:
            facts = _facts(db, head, edits, world.settings.github_url, now)

        try:
            post_check(world, organization_id, github, facts)
            for each in facts:
                if each.tab.id == tab_id:
                    post_comment(world, organization_id, github, each)
        except GitHubError as error:
            if error.status != 404:
                raise
            _look_for(world, organization_id, head.repository)


def _look_for(world: World, organization_id: int, repository: Repository) -> None:
    """The repository was renamed, deleted or taken from the installation: ask GitHub which; that asks for this again."""
    with world.store.open(organization_id) as db:
        ask_about(db, repository, repository.full_name)


def _claim_turn(world: World, organization_id: int, tab_id: int, now: datetime) -> None:
    """Claim this slot for the tab; when it is taken, wait for the next one. Whoever asks meanwhile waits with it."""
    slot = slot_of(now, QUIET)
    if not world.store.claim_slot(f"refresh_tab:{organization_id}:{tab_id}", slot):
        raise NotYetError("This tab was posted a moment ago.", slot + QUIET)


def _heads(db: Transaction, tab_id: int) -> list[Head]:
    """The head commits of the tab's open pull requests, each with every open pull request that shares it."""
    heads: dict[str, Head] = {}
    for pull_request in db.pull_requests_of_tab(tab_id):
        repository = db.repository(pull_request.repository_id)
        if pull_request.state == "open" and repository is not None and repository.active:
            sharing = tuple(db.open_pull_requests(repository.id, pull_request.head_sha))
            heads[pull_request.head_sha] = Head(repository, sharing, as_it_is(db, repository))
    return list(heads.values())


def _edits(github: GitHubInstallation, head: Head) -> dict[int, PolicyEdit]:
    """By number, what those pull requests that edit the policy make of it."""
    return {p.number: read_edit(github, head.repository, p, head.policy) for p in head.pull_requests if p.edits_policy}


def _facts(
    db: Transaction, head: Head, edits: Mapping[int, PolicyEdit], github_url: str, now: datetime
) -> list[TabFacts]:
    """The facts of every pull request at this commit, worst first; each knows of the others and of the common conclusion."""
    alone = []
    for pull_request in head.pull_requests:
        tab = db.tab(pull_request.tab_id)
        if tab is not None:
            outside = Outside(now, github_url, edits.get(pull_request.number))
            alone.append(gather(db, head.repository, pull_request, tab, outside))
    common = worst_of(facts.own_conclusion for facts in alone)
    together = [
        replace(
            facts,
            conclusion=common,
            shared_with=tuple(
                SharedTab(o.pull_request.number, o.tab.branch, o.own_conclusion) for o in alone if o is not facts
            ),
        )
        for facts in alone
    ]
    return sorted(together, key=lambda f: (-f.own_conclusion.rank, f.pull_request.number))
