"""check_policy_edit: find out whether a pull request changes the policy file. payload: repository, number.

`refresh_tab` then reads the file at its head and says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.events.seen import ask_about
from app.github_api.protocol import GitHubError
from app.jobs.asking_github import asking_github, installed
from app.jobs.tab_facts import POLICY_PATH
from app.ledger.books import Job
from app.world import World


@asking_github()
def run(world: World, organization_id: int | None, payload: Mapping[str, Any]) -> None:
    """Look through the changed files; have the check posted again when the policy is, or was, among them."""
    if organization_id is None:
        return
    with world.store.look(organization_id) as db:
        github = installed(world, db.organization())
        repository = db.repository(payload["repository"])
        seen = db.pull_request(payload["repository"], payload["number"])
    if github is None or repository is None or seen is None or seen.state != "open":
        return

    try:
        edits = POLICY_PATH in github.changed_files(repository.full_name, seen.number)
    except GitHubError as error:
        if error.status != 404:
            raise
        with world.store.open(organization_id) as db:  # renamed, deleted or taken from the installation: ask which
            ask_about(db, repository, repository.full_name)
        return

    with world.store.open(organization_id) as db:
        now = db.pull_request(repository.id, seen.number)
        if now is None or not (edits or now.edits_policy):
            return
        if now.edits_policy != edits:
            db.save_pull_request(replace(now, edits_policy=edits))
        db.enqueue(Job("refresh_tab", str(now.tab_id), {"tab": now.tab_id}))
