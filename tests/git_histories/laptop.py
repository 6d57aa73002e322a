"""What `tabstop cost` makes of a scene's laptop, with no server: its agents' logs, its clones, and GitHub's list of pull requests."""

from __future__ import annotations

import msgspec

from tabstop.beside.known_places import KnownPlaces
from tabstop.beside.local_cost import Wanted, local_cost
from tabstop.beside.local_usage import local_usage
from tabstop.report.by import By
from tabstop.report.facts import PullRequest
from tabstop.report.placing import Placed
from tabstop.usage_groups import QUARTER
from tests.git_histories.scene import Scene


def cost_of_calls(scene: Scene) -> dict[str, str]:
    """Where each call lies: as in a label, but for a branch's second life, which has no name here."""
    kept = scene.folder / "places.json"
    kept.write_bytes(msgspec.json.encode(_known(scene)))
    usage = local_usage(scene.homes, cache=None, processes=1)
    found = local_cost(usage, Wanted(By.PR, scene.at), {"HOME": str(scene.home)}, kept)
    placed = {(one.group.session, one.group.folder, one.group.began): _written(one) for one in found.placed}
    calls = [(call, agent.log.session, folder, at) for agent in scene.agents for call, folder, at in agent.calls]
    found_there = {}
    for call, session, folder, at in calls:
        if not session.startswith("run-"):
            second = int(at.timestamp())
            exact = placed.get((session, str(folder), second))  # where the log names no branch
            found_there[call] = exact or placed[session, str(folder), second // QUARTER * QUARTER]
    return found_there


def _known(scene: Scene) -> KnownPlaces:
    """What earlier looks told: folders that are gone by now, and what GitHub answers."""
    folders = {str(tree): name for tree, name in scene.gone.items()}
    pulls: dict[str, list[PullRequest]] = {}
    for one in scene.hub.pulls:
        base, fork = one.base_repository, one.head_repository
        branch = one.branch if fork is base else f"{fork.owner}:{one.branch}"
        told = PullRequest(
            base.name,
            one.number,
            branch,
            state=one.state,
            ended_at=one.ended_at,
            opened_at=one.opened_at,
            default_branch=base.default,
        )
        pulls.setdefault(base.name.lower(), []).append(told)
    return KnownPlaces(folders, pulls)


def _written(placed: Placed) -> str:
    owner, _, name = placed.repository.partition("/")
    if not placed.branch:
        return placed.repository
    where = "" if placed.repository == "acme/widget" else f"{name}:" if owner == "acme" else f"{placed.repository}:"
    number = f" #{placed.pull_request}" if placed.pull_request is not None else ""
    return f"{where}{placed.branch}{number}"
