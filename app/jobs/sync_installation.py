"""sync_installation: ask GitHub how an organization's installation is now, and store that. No payload.

sync_installations, without an organization: the same for all, and for installations whose `created` event was missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from app.events.default_branch import save_as_it_is
from app.events.seen import ask_about
from app.github_api.protocol import RemoteRepository
from app.jobs.asking_github import asking_github
from app.ledger.books import Job
from app.registry import Organization, Transaction
from app.world import World

SPREAD = timedelta(seconds=2)
"""Between repositories: each is three or four reads, and writes follow."""


@asking_github()
def run(world: World, organization_id: int | None, _payload: Mapping[str, Any]) -> None:
    """Store whether it is installed, under which name, and which repositories it covers; have each of them looked at."""
    if organization_id is None:
        return
    with world.store.look(organization_id) as db:
        organization = db.organization()

    found = {account: (installation, login) for installation, account, login in world.github.installations()}
    here = found.get(organization.github_id)
    repositories = list(world.github.installation(here[0]).repositories()) if here else []

    with world.store.open(organization_id) as db:
        if here is None:
            db.save_organization(replace(db.organization(), active=False))
            return
        installation_id, login = here
        db.save_organization(replace(db.organization(), installation_id=installation_id, login=login, active=True))
        _cover(db, repositories, world)


@asking_github()
def run_all(world: World, _organization_id: int | None, _payload: Mapping[str, Any]) -> None:
    """Register installations nobody told us of; look at every organization."""
    known = {organization.github_id for organization in world.store.organizations()}

    for installation_id, account_id, login in world.github.installations():
        if account_id not in known:
            world.store.register(account_id, login, installation_id)

    for number, organization in enumerate(world.store.organizations()):
        _ask(world, organization, number)


def _ask(world: World, organization: Organization, number: int) -> None:
    with world.store.open(organization.id) as db:
        db.enqueue(Job("sync_installation", "all", {}, world.now() + number * SPREAD))


def _cover(db: Transaction, repositories: list[RemoteRepository], world: World) -> None:
    covered = {remote.github_id for remote in repositories}
    for known in db.repositories():
        if known.active and known.github_id not in covered:
            db.save_repository(replace(known, active=False))
    # The organization's policy first: the repositories' own are read over it.
    db.enqueue(Job("read_policy", "organization", {"repository": None}))
    for number, remote in enumerate(repositories):
        stored = save_as_it_is(db, remote, world.now())
        ask_about(db, stored, remote.full_name, world.now() + number * SPREAD)
