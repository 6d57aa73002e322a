"""A repository gets another default branch: by GitHub's answer, by its event, and what was placed before either was known."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.github_api.protocol import RemoteRepository
from tests.jobs.laptop import a_laptop, later, on
from tests.jobs.town import INSTALLATION, WIDGET, Town, repository_body

TRUNK = replace(WIDGET, default_branch="trunk")
W = WIDGET.full_name
ONLY = ("", W, "repository only")


def is_now(town: Town, remote: RemoteRepository) -> None:
    """On GitHub."""
    town.github.repositories[INSTALLATION][W] = remote


def told(town: Town, remote: RemoteRepository, was: str, at: datetime | None = None) -> None:
    """The event about it."""
    about: dict[str, Any] = repository_body(remote) | ({"updated_at": at.isoformat()} if at else {})
    body = {"action": "edited", "repository": about, "changes": {"default_branch": {"from": was}}}
    town.deliver("repository", body)
    town.settle()


def former(town: Town) -> dict[str, datetime]:
    """As stored."""
    with town.books() as db:
        return db.former_defaults(town.repository().id)


def test_the_event_tells_since_when(town: Town) -> None:
    """By GitHub's clock; where it does not say, by when it arrived."""
    town.opened()
    is_now(town, TRUNK)
    told(town, TRUNK, "main", later(-5))
    assert (town.repository().default_branch, former(town)) == ("trunk", {"main": later(-5)})
    told(town, TRUNK, "master")
    assert former(town)["master"] > later(-5)


@pytest.mark.parametrize("how", ["sync_repository", "sync_installation"])
def test_githubs_answer_tells_it_too(town: Town, how: str) -> None:
    """The event was missed: since when is then not known better than by the answer. When the event comes after all, it is."""
    town.opened()
    is_now(town, TRUNK)
    if how == "sync_repository":
        town.deliver("push", {"ref": "refs/heads/trunk", "repository": repository_body(TRUNK), "commits": []})
    else:
        town.deliver(
            "installation",
            {"action": "suspend", "installation": {"id": INSTALLATION, "account": {"id": 4, "login": "acme"}}},
        )
    town.settle()
    since = former(town)["main"]
    assert later(0) <= since <= town.at
    told(town, TRUNK, "main", later(-5))
    assert former(town) == {"main": later(-5)}
    town.pass_time(minutes=1)
    told(town, TRUNK, "main")
    assert former(town) == {"main": later(-5)}


def test_back_again(town: Town) -> None:
    """The default branch of now is no former one; when it ceases once more, that counts."""
    town.opened()
    for remote, was in ((TRUNK, "main"), (WIDGET, "trunk"), (TRUNK, "main")):
        town.pass_time(hours=1)
        is_now(town, remote)
        told(town, remote, was, town.at)
    now = former(town)
    assert now["main"] >= later(180)
    assert "trunk" not in now


@pytest.mark.parametrize("first", ["the laptop", "GitHub"])
def test_what_was_placed_before_it_was_known(town: Town, first: str) -> None:
    """Work on either name comes to the repository, and what a pull request came of stays with it."""
    town.opened(1, head_branch="develop")
    laptop = a_laptop(town)

    def works() -> None:
        laptop.tell(("a", 0, on("main")), ("b", 1, on("trunk")), ("c", 2, on("master")), ("d", 3, on("develop")))
        town.settle()

    if first == "the laptop":
        works()
        assert laptop.lies()["b"] == ("trunk", W, "claimed")
        assert laptop.lies()["c"][0] == "master"
    is_now(town, TRUNK)
    told(town, TRUNK, "main", later(1))
    told(town, TRUNK, "master", later(-60))
    if first == "GitHub":
        works()
    # All of it led to what came last.
    assert laptop.lies() == {**dict.fromkeys("abc", ("develop", W, "inferred")), "d": ("develop", W, "claimed")}
    assert town.dead() == []


def test_a_pull_requests_branch_becomes_the_default_one(town: Town) -> None:
    """What was done for the pull request stays on its tab."""
    town.opened(1, head_branch="develop")
    laptop = a_laptop(town)
    laptop.tell(("a", 0, on("develop")))
    town.settle()
    town.pull_event("closed", town.pull(1, state="merged", ended_at=town.at))
    town.settle()
    is_now(town, replace(WIDGET, default_branch="develop"))
    told(town, replace(WIDGET, default_branch="develop"), "main", town.at + timedelta(minutes=1))
    assert laptop.lies() == {"a": ("develop", W, "claimed")}
