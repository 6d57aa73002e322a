"""read_pull_request: ask GitHub how a pull request is now, where events leave it open. payload: repository, number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.events.adoption import Sighting, record
from app.jobs.asking_github import asking_github, installed
from app.world import World


@asking_github()
def run(world: World, organization_id: int | None, payload: Mapping[str, Any]) -> None:
    """Store it as GitHub has it; one that is not there leaves things as they are."""
    if organization_id is None:
        return
    with world.store.look(organization_id) as db:
        github = installed(world, db.organization())
        repository = db.repository(payload["repository"])
    if github is None or repository is None:
        return

    remote = github.pull_request(repository.full_name, payload["number"])

    if remote is not None:
        with world.store.open(organization_id) as db:
            record(db, repository, Sighting(remote, world.now(), certain=True))
