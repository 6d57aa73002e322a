"""Pull requests and tabs over their lives: who adopts which, what ends it, what opens it again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from app.events.seen import ask_about
from app.github_api.protocol import RemotePullRequest
from app.ledger.books import Tab
from tests.jobs.town import NOW, SITE, WIDGET, Town, a_town_in_memory


def tab_of(town: Town, number: int) -> Tab:
    """The tab a pull request runs on."""
    tab_id = town.seen(number).tab_id
    with town.store.look(town.org) as db:
        tab = db.tab(tab_id)
    assert tab
    return tab


def happens(town: Town, action: str, number: int, **changes: object) -> RemotePullRequest:
    """Something happens to a pull request, a minute after what was before."""
    town.pass_time(minutes=1)
    remote = town.pull(number, **changes)  # type: ignore[arg-type]
    town.pull_event(action, remote)
    town.settle()
    return remote


def test_it_adopts_the_tab_of_its_branch(town: Town) -> None:
    """Spend before the pull request counts: the tab was there first."""
    happens(town, "opened", 9)
    session = town.start("feature-1")
    town.spend(session, "50")
    happens(town, "opened", 1)
    assert town.seen(1).tab_id == session.tab_id
    assert town.check(1).check.conclusion == "failure"


def test_merge_and_close_end_the_generation(town: Town) -> None:
    """A reused branch starts a new tab."""
    happens(town, "opened", 1)
    first = tab_of(town, 1)
    happens(town, "closed", 1, state="merged")
    assert tab_of(town, 1).ended_at is not None
    happens(town, "opened", 2, head_branch="feature-1")
    second = tab_of(town, 2)
    assert (first.branch, first.generation) == ("feature-1", 1)
    assert (second.branch, second.generation, second.ended_at) == ("feature-1", 2, None)


def test_closing_and_reopening_is_no_way_to_a_fresh_budget(town: Town) -> None:
    """It goes on with the tab it had."""
    happens(town, "opened", 1)
    town.spend(town.start(), "50")
    happens(town, "closed", 1, state="closed")
    happens(town, "reopened", 1, state="open")
    tab = tab_of(town, 1)
    assert (tab.generation, tab.ended_at) == (1, None)
    assert town.check(1).check.conclusion == "failure"


def test_a_reopened_one_goes_on_with_the_newest_generation(town: Town) -> None:
    """Where the branch was used again meanwhile, there is one open tab of it, not two."""
    happens(town, "opened", 1)
    happens(town, "closed", 1, state="closed")
    happens(town, "opened", 2, head_branch="feature-1")
    happens(town, "reopened", 1, state="open")
    assert town.seen(1).tab_id == town.seen(2).tab_id
    assert tab_of(town, 1).generation == 2


def test_two_on_one_branch_share_its_tab(town: Town) -> None:
    """The same branch into two bases; the tab ends when the last of them is closed."""
    happens(town, "opened", 1)
    happens(town, "opened", 2, head_branch="feature-1", base_branch="release", head_sha=f"{1:040x}")
    assert town.seen(1).tab_id == town.seen(2).tab_id
    happens(town, "closed", 1, state="merged")
    assert tab_of(town, 2).ended_at is None
    happens(town, "closed", 2, state="closed")
    assert tab_of(town, 2).ended_at is not None


def test_a_forks_branch_is_its_owners(town: Town) -> None:
    """`main` of a fork is not our `main`; deleting the fork changes nothing."""
    happens(town, "opened", 1, head_repository_id=999, head_owner="mallory", head_branch="main")
    assert tab_of(town, 1).branch == "mallory:main"
    happens(town, "closed", 1, head_repository_id=None, state="closed")
    assert tab_of(town, 1).branch == "mallory:main"


def test_an_older_event_changes_nothing(town: Town) -> None:
    """Order is promised nowhere."""
    happens(town, "opened", 1)
    old = town.pull(1, head_sha="a" * 40)
    newer = happens(town, "synchronize", 1, head_sha="b" * 40)
    town.pull_event("synchronize", old)
    town.settle()
    assert town.seen(1).head_sha == newer.head_sha


def test_two_events_of_one_second_are_told_apart_by_github(town: Town) -> None:
    """GitHub's times have whole seconds; what happened last is asked."""
    happens(town, "opened", 1)
    town.pass_time(minutes=1)
    before = town.pull(1, head_sha="a" * 40)
    after = town.pull(1, head_sha="b" * 40)
    for remote in (after, before):
        town.pull_event("synchronize", remote)
    town.settle()
    assert town.seen(1).head_sha == "b" * 40
    assert town.check(1).check.head_sha == "b" * 40


def test_the_same_webhook_twice_is_one(town: Town) -> None:
    """By its delivery id; and by its content, when GitHub gives it another."""
    remote = town.pull(1)
    assert town.pull_event("opened", remote)
    town.settle()
    writes = town.github.writes
    town.pull_event("opened", remote)
    town.settle()
    assert town.github.writes == writes
    body = {"action": "opened"}
    assert town.deliver("ping", body, guid="g") is True
    assert town.deliver("ping", body, guid="g") is False


def test_a_rename_is_asked_about(town: Town) -> None:
    """An event with another name may be old: GitHub says which name is true, and the id stays."""
    happens(town, "opened", 1)
    widget = town.repository()
    renamed = type(WIDGET)(WIDGET.github_id, "acme/gadget", "trunk", private=False)
    repositories = town.github.repositories[777]
    del repositories["acme/widget"]
    repositories["acme/gadget"] = renamed
    town.pull_event("edited", town.pull(1), renamed)
    town.settle()
    found = town.repository(renamed)
    assert (found.id, found.full_name, found.default_branch, found.private) == (
        widget.id,
        "acme/gadget",
        "trunk",
        False,
    )
    town.pull_event("edited", town.pull(1), WIDGET)
    town.settle()
    assert town.repository(renamed).full_name == "acme/gadget"


def test_what_was_closed_while_we_were_away_is_found_out(town: Town) -> None:
    """Looking at the repository finds pull requests that are open no more."""
    happens(town, "opened", 1)
    town.pass_time(minutes=1)
    town.pull(1, state="merged")
    town.pull_event("edited", town.pull(2), SITE)
    with town.books() as db:
        ask_about(db, town.repository(), "acme/widget")
    town.settle()
    assert town.seen(1).state == "merged"
    assert tab_of(town, 1).ended_at is not None


def heard(town: Town, number: int, opened: float, ended: float | None = None, told: float | None = None) -> None:
    """We hear of a pull request of one branch that was opened and ended at these minutes, by GitHub's own clock.

    told: when it told so; None for now.
    """
    first = NOW - timedelta(hours=6)
    changes: dict[str, object] = {"state": "open" if ended is None else "closed", "head_branch": "feature-1"}
    changes |= {"opened_at": first + timedelta(minutes=opened)}
    changes |= {"ended_at": None if ended is None else first + timedelta(minutes=ended)}
    if told is not None:
        changes |= {"updated_at": first + timedelta(minutes=told)}
    happens(town, "edited", number, **changes)


@pytest.mark.parametrize("known", [False, True], ids=["first heard of when it is over", "its end is heard of late"])
def test_one_whose_end_we_hear_of_late_leaves_the_tab_to_the_next(town: Town, *, known: bool) -> None:
    """Two pull requests of one branch, one after the other, have two tabs, in whatever order we hear of them."""
    if known:
        heard(town, 1, 0)
    heard(town, 2, 60)
    heard(town, 1, 0, 30)
    first, second = tab_of(town, 1), tab_of(town, 2)
    assert first.id != second.id
    assert first.ended_at == town.seen(1).ended_at
    assert second.ended_at is None


def test_two_that_ran_side_by_side_keep_one_tab(town: Town) -> None:
    """Whichever ends first."""
    heard(town, 2, 20)
    heard(town, 1, 0, 30)
    assert town.seen(1).tab_id == town.seen(2).tab_id
    heard(town, 2, 20, 40)
    assert tab_of(town, 1).ended_at == town.seen(2).ended_at


REOPENED_BESIDE_ANOTHER = (
    (1, 0, None, 0),
    (1, 0, 10, 10),
    (1, 0, None, 30),
    (1, 0, 60, 60),
    (2, 20, None, 20),
    (2, 20, 50, 50),
)
"""Number, opened, ended, told: the first is closed, and opened again while the second is open."""


@settings(max_examples=60, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(order=st.permutations(REOPENED_BESIDE_ANOTHER))
@example(order=REOPENED_BESIDE_ANOTHER)
@example(order=REOPENED_BESIDE_ANOTHER[::-1])
def test_two_that_were_open_at_once_share_a_tab(order: list[tuple[int, int, int | None, int]]) -> None:
    """In whatever order we hear of them; it ends when the last of them does."""
    town = a_town_in_memory()
    for number, opened, ended, told in order:
        heard(town, number, opened, ended, told)
    assert tab_of(town, 1) == tab_of(town, 2)
    assert tab_of(town, 1).ended_at == town.seen(1).ended_at
    town.store.close()


def test_one_whose_end_is_heard_late_stays_with_those_it_ran_beside(town: Town) -> None:
    """Though the third of them was opened after its end."""
    heard(town, 2, 2)
    heard(town, 1, 23)
    heard(town, 3, 54)
    heard(town, 2, 2, 38)
    assert len({tab_of(town, number).id for number in (1, 2, 3)}) == 1


def test_one_that_is_opened_again_gathers_no_others(town: Town) -> None:
    """Those that came and went while it was closed keep their tabs, and it goes on with the newest."""
    for number in (1, 2, 3):
        heard(town, number, 10 * number)
        heard(town, number, 10 * number, 10 * number + 5)
    second, third = tab_of(town, 2), tab_of(town, 3)
    heard(town, 4, 40)
    heard(town, 1, 10)
    assert tab_of(town, 1).id == tab_of(town, 4).id
    heard(town, 1, 10, 50)
    assert tab_of(town, 1).id == tab_of(town, 4).id
    assert (tab_of(town, 2), tab_of(town, 3)) == (second, third)
    assert len({tab_of(town, number).id for number in (2, 3, 4)}) == 3
