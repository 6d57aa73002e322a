"""GitHub's own example payloads, shuffled and delivered twice, always lead to one state."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from app.events.arrival import read
from app.events.dispatch import HANDLERS
from app.github_api import answers
from app.github_api.fake import FakeGitHub
from app.github_api.protocol import RemoteRepository
from tests.jobs.town import NOW, Town, a_town, a_town_in_memory

Body = dict[str, Any]


@dataclass
class Examples:
    """Every example of every event we handle, as an App would get it, and the GitHub they came from."""

    arrivals: list[tuple[str, Body]] = field(default_factory=list, repr=False)

    def github(self) -> FakeGitHub:
        """How things are on GitHub: the newest of what the examples say."""
        github = FakeGitHub()
        for event, body in self.arrivals:
            owner = _owner(body)
            github.accounts.setdefault(owner["id"], (owner["id"], owner["login"]))
            covered = github.repositories.setdefault(owner["id"], {})
            if body.get("repository"):
                remote = answers.repository(body["repository"])
                covered.setdefault(remote.full_name, remote)
                self._put(github, event, body, remote)
        return github

    def _put(self, github: FakeGitHub, event: str, body: Body, remote: RemoteRepository) -> None:
        if event != "pull_request":
            return
        seen = answers.pull_request(body["pull_request"])
        known = github.pull_requests.get((remote.full_name, seen.number))
        if known is None or seen.updated_at > known.updated_at:
            github.put(remote.full_name, seen)


@pytest.fixture(scope="module", params=["all", "as if nothing had been closed"])
def examples(request: pytest.FixtureRequest, example_payloads: Callable[[str], list[Body]]) -> Examples:
    """Octokit's examples, each with the installation an App's webhook names; with and without what closes pull requests."""
    found = Examples()
    for event in HANDLERS:
        for body in example_payloads(event):
            if request.param != "all" and (body.get("pull_request") or {}).get("state") == "closed":
                continue
            owner = _owner(body)
            installation = {**(body.get("installation") or {}), "id": owner["id"], "account": owner}
            found.arrivals.append((event, {**body, "installation": installation}))
    return found


def _owner(body: Body) -> Body:
    """The installation's account. Old pushes name an owner by its address; ids are then left out."""
    account = (body.get("installation") or {}).get("account") or body["repository"]["owner"]
    return {"id": account["id"], "login": account.get("login") or account["name"], "type": "Organization"}


def test_every_example_is_read(example_payloads: Callable[[str], list[Body]]) -> None:
    """All of them, as they are: what an older server leaves out is not needed."""
    count = 0
    for event in HANDLERS:
        for body in example_payloads(event):
            arrival = read(event, {"installation": {"id": 1}, **body}, NOW)
            assert arrival is not None
            assert arrival.account.login
            count += 1
    assert count >= 70


def state_of(town: Town) -> Iterator[object]:
    """Everything the events are about, without our own ids and times."""
    for organization in town.store.organizations():
        yield (organization.github_id, organization.login, organization.installation_id, organization.active)
        with town.store.look(organization.id) as db:
            for repository in db.repositories():
                yield (repository.github_id, repository.full_name, repository.default_branch, repository.private)
                yield (repository.active, repository.topics)
            tabs = {}
            for repository in db.repositories():
                for number in sorted(_numbers(town, repository.full_name)):
                    pull = db.pull_request(repository.id, number)
                    if pull is None:  # the examples give one repository to two owners
                        continue
                    yield (pull.number, pull.state, pull.draft, pull.head_sha, pull.head_branch, pull.base_branch)
                    # Whether one that is closed by now was answered while it was open depends on when that was.
                    yield (
                        pull.title,
                        pull.updated_at,
                        pull.check_sha if pull.state == "open" else "",
                        pull.edits_policy,
                    )
                    tabs[pull.tab_id] = db.tab(pull.tab_id)
            for tab in tabs.values():
                assert tab
                yield (tab.branch, tab.generation, tab.ended_at is None)


def _numbers(town: Town, full_name: str) -> set[int]:
    return {number for name, number in town.github.pull_requests if name == full_name}


def play(town: Town, examples: Examples, order: list[int]) -> list[object]:
    """Deliver in this order, an example that comes twice both under its own delivery id and under another."""
    town.github = examples.github()
    object.__setattr__(town.world, "github", town.github)
    met: dict[int, int] = {}
    for position, index in enumerate(order):
        event, body = examples.arrivals[index]
        met[index] = met.get(index, 0) + 1
        guid = f"{index}" if met[index] < 3 else f"{index}-{met[index]}"
        assert town.store.keep_delivery(guid, event, copy.deepcopy(body), town.at) == (met[index] != 2)
        if position % 7 == 0:
            town.work()
            town.pass_time(seconds=3)
    for _ in range(4):
        town.settle(minutes=2)
    assert town.dead() == []
    return sorted(state_of(town), key=repr)


def shuffled(count: int, seed: int) -> list[int]:
    """Every example, some of them two or three times, in some order."""
    dice = random.Random(seed)
    more = dice.choices(range(count), k=dice.randrange(20))
    order = [*range(count), *more, *more]
    dice.shuffle(order)
    return order


@pytest.fixture(scope="module")
def expected(examples: Examples) -> list[object]:
    """The state after everything came once, in the order of the package."""
    return play(a_town_in_memory(), examples, list(range(len(examples.arrivals))))


def test_there_is_something_to_agree_on(expected: list[object]) -> None:
    """The examples are of several organizations and pull requests."""
    assert len(expected) > 20


@pytest.mark.slow
@settings(max_examples=40, phases=(Phase.explicit, Phase.generate))  # a smaller seed is no simpler shuffle
@given(seed=st.integers(0, 2**32))
def test_any_order_leads_to_one_state(examples: Examples, expected: list[object], seed: int) -> None:
    """Promise 2 for webhooks: nothing counts twice, nothing depends on the order."""
    assert play(a_town_in_memory(), examples, shuffled(len(examples.arrivals), seed)) == expected


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_any_order_leads_to_one_state_on_disk(examples: Examples, expected: list[object], seed: int) -> None:
    """The same on SQLite."""
    with TemporaryDirectory() as folder:
        assert play(a_town(Path(folder)), examples, shuffled(len(examples.arrivals), seed)) == expected
