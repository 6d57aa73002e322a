"""Attribution under any order: reports, links, commits and pull requests arrive as they will, and all ends in the same places."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.ledger.attribute_again import attribute_again
from app.ledger.recompute import recompute
from app.registry import Repository, Transaction
from app.store.memory import MemoryStore
from tabstop.attribution import Confidence
from tabstop.evidence import NOWHERE, CommitMade, Evidence, PullRequestLink
from tests.ledger.builders import (
    NOW,
    REPOSITORY,
    a_policy,
    a_pull_request,
    a_report,
    a_start,
    a_usage,
    an_organization,
    at,
    begun,
    report,
)

BRANCHES = ["", "main", "a", "b", "wip"]
evidence = st.one_of(
    st.just(NOWHERE),
    st.builds(Evidence, st.sampled_from(["", "acme/web", "ACME/web"]), st.sampled_from(BRANCHES)),
    st.sampled_from([Evidence("acme/site", "fix"), Evidence("alice/own", "a"), Evidence("", "", "0123456789")]),
)
minutes = st.integers(-100, 400)
calls = st.lists(
    st.builds(
        lambda key, minute, told: a_usage(f"req:{key}", f"msg:{key}", occurred_at=at(minute), evidence=told),
        st.integers(0, 9),
        minutes,
        evidence,
    ),
    max_size=3,
)
links = st.lists(
    st.builds(
        PullRequestLink,
        st.just("acme/web"),
        st.sampled_from([1, 2]),
        st.sampled_from(BRANCHES),
        st.one_of(st.none(), minutes.map(at)),
    ),
    max_size=1,
)
commits = st.lists(
    st.builds(
        CommitMade, st.sampled_from(["0123456", "789abcd"]), st.just(""), st.sampled_from(BRANCHES), minutes.map(at)
    ),
    max_size=1,
)


@dataclass(frozen=True)
class Step:
    """A batch, or (pull_request) GitHub telling of one."""

    calls: Any = ()
    links: Any = ()
    commits: Any = ()
    pull_request: int = 0


steps = st.lists(st.builds(Step, calls, links, commits), min_size=1, max_size=5).map(
    lambda batches: [*batches, Step(pull_request=1), Step(pull_request=2)]
)


def places_after(told: list[Step], branch: str, *, jobs_between: bool) -> dict[str, tuple[Any, ...]]:
    """By key, where each call lies at the end."""
    store = MemoryStore()
    with store.open(an_organization(store).id) as books:
        books.save_repository(Repository(102, 9_002, "acme/site"))
        ended = books.open_tab(REPOSITORY, "a", NOW)
        books.end_tab(ended.id, at(60))
        books.keep_pulls_of_commit(REPOSITORY, "789abcd", [2, 1], NOW)
        books.keep_pulls_of_commit(REPOSITORY, "0123456", [2], NOW)
        start = a_start("one", branch=branch, place_confidence=Confidence.CLAIMED, policy=a_policy())
        session = begun(books, start, at(-200))
        for step in told:
            if step.pull_request:
                head = ("a", "b")[step.pull_request - 1]
                tab = ended if head == "a" else books.open_tab(REPOSITORY, head, NOW)
                state = "merged" if head == "a" else "open"
                books.save_pull_request(replace(a_pull_request(step.pull_request, head, tab.id), state=state))
            else:
                batch = replace(a_report(step.calls), pull_requests=step.links, commits=step.commits)
                report(books, session.id, batch, at(500))
            if jobs_between:
                attribute_again(books, session, a_policy(), "alice", at(500))
        now = books.session(session.id)
        assert now
        attribute_again(books, now, a_policy(), "alice", at(500))
        assert attribute_again(books, now, a_policy(), "alice", at(500)) == 0
        assert recompute(books, at(500)) == []
        return _places(books, session.id)


def _places(books: Transaction, session_id: str) -> dict[str, tuple[Any, ...]]:
    found = {}
    known = books.known([f"req:{key}" for key in range(10)])
    places = books.all_places()
    for key, usage in known.items():
        place = places[books.usages([usage.id])[usage.id].place_id]
        tab = books.tab(place.tab_id) if place.tab_id is not None else None
        where = (tab.branch, tab.generation) if tab else None
        found[key] = (where, place.repository_id, place.engineer_id, place.reason, place.confidence)
    assert len(books.usages_of(session_id)) == len(found)
    return found


@settings(max_examples=150, deadline=None)
@given(told=steps, branch=st.sampled_from(["", "a", "wip"]), data=st.data())
def test_all_ends_in_the_same_places(told: list[Step], branch: str, data: st.DataObject) -> None:
    """In any order, some of it twice, with the job running after each or only at the end."""
    twice = [*told, *data.draw(st.lists(st.sampled_from(told), max_size=2))]
    shuffled = data.draw(st.permutations(twice))
    expected = places_after(told, branch, jobs_between=False)
    assert places_after(shuffled, branch, jobs_between=data.draw(st.booleans())) == expected
