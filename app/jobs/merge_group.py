"""merge_group: answer the merge queue. payload: repository, head_sha. Success at once: merging spends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.github_api.protocol import CheckRun
from app.jobs.asking_github import asking_github, installed
from app.jobs.tab_facts import CHECK_NAME
from app.world import World
from tabstop.conclusion import MERGE_GROUP

TITLE = "Merging spends nothing"
SUMMARY = (
    "This commit is the merge queue's. Budgets are checked on each pull request before it enters the queue; "
    "nothing in the queue starts an agent session or is charged to a tab.\n"
)


@asking_github()
def run(world: World, organization_id: int | None, payload: Mapping[str, Any]) -> None:
    """Post success on the group's head."""
    if organization_id is None:
        return
    with world.store.look(organization_id) as db:
        github = installed(world, db.organization())
        repository = db.repository(payload["repository"])

    check = CheckRun(CHECK_NAME, payload["head_sha"], MERGE_GROUP.value, TITLE, SUMMARY)

    if github is not None and repository is not None and repository.active:
        github.create_check_run(repository.full_name, check)
