"""Several sources of one client's calls, in any order: where each call lies in the end is always the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.registry import Store
from app.store.memory import MemoryStore
from tabstop.evidence import NOWHERE, CommitMade, Evidence, PullRequestLink
from tests.jobs.laptop import a_laptop, later, on
from tests.jobs.town import WIDGET, Town
from tests.support.stores import KINDS

W = WIDGET.full_name
LOGS, TELEMETRY, PROXY = range(3)


@dataclass(frozen=True)
class Word:
    """What one source tells at once, of one thread: (key, minute, evidence) of each call."""

    source: int
    thread: str
    calls: Sequence[tuple[str, float, Evidence]] = ()
    links: Sequence[PullRequestLink] = ()
    commits: Sequence[CommitMade] = ()


def lies_after(store: Store, words: Sequence[Word], *, jobs_between: bool) -> dict[str, tuple[str, str, str]]:
    """By key, where each call lies once everything is told and done. Each source has a session of its own."""
    town = Town(store)
    town.pull_event("opened", town.pull(1))
    town.settle()
    sessions = [a_laptop(town) for _ in (LOGS, TELEMETRY, PROXY)]
    for word in words:
        sessions[word.source].tell(*word.calls, thread=word.thread, links=word.links, commits=word.commits)
        if jobs_between:
            town.settle()
    town.settle()
    assert town.dead() == []
    return {key: lies for session in sessions for key, lies in session.lies().items()}


@st.composite
def tellings(draw: st.DrawFn) -> list[Word]:
    """A client's calls, each told by some of its sources: logs know the branch, telemetry the repository at most, a proxy nothing."""
    repository_known = draw(st.booleans())
    words: list[Word] = []
    places = st.sampled_from([on("main"), on("feature-1"), on("wip"), NOWHERE])
    for key in "abcdef"[: draw(st.integers(1, 6))]:
        minute, thread, place = draw(st.integers(0, 9)), draw(st.sampled_from(["one", "two"])), draw(places)
        said = {LOGS: place, TELEMETRY: on("", W) if repository_known else NOWHERE, PROXY: NOWHERE}
        tellers = draw(st.sets(st.sampled_from([LOGS, TELEMETRY, PROXY]), min_size=1))
        words += [Word(source, thread, [(key, minute, said[source])]) for source in sorted(tellers)]
    seen = draw(st.lists(st.tuples(st.sampled_from(["", "main", "wip"]), st.integers(0, 9)), max_size=1))
    words += [Word(LOGS, "one", links=[PullRequestLink(W, 1, branch, later(minute))]) for branch, minute in seen]
    made = draw(st.lists(st.tuples(st.sampled_from(["wip", "new"]), st.integers(0, 9)), max_size=1))
    words += [Word(LOGS, "one", commits=[CommitMade("0123456", "", branch, later(minute))]) for branch, minute in made]
    return words


@settings(max_examples=60, deadline=None)
@given(words=tellings(), data=st.data())
def test_all_orders_end_alike(words: list[Word], data: st.DataObject) -> None:
    """Whoever tells first, however their words are mixed, and whether or not the jobs keep up."""
    shuffled = data.draw(st.permutations(words))
    expected = lies_after(MemoryStore(), words, jobs_between=False)
    assert lies_after(MemoryStore(), shuffled, jobs_between=data.draw(st.booleans())) == expected


A_DAY = [
    Word(LOGS, "one", [("a", 0, on("main")), ("b", 3, on("feature-1"))], links=[PullRequestLink(W, 1, "", later(4))]),
    Word(TELEMETRY, "one", [("a", 0, NOWHERE), ("c", 2, on("", W))]),
    Word(PROXY, "one", [("b", 3, NOWHERE), ("d", 5, NOWHERE)]),
]
"""A word for each: telemetry and the proxy have only the logs in common with each other."""


@pytest.mark.parametrize("kind", KINDS)
def test_each_order_in_a_database(new_store: Callable[[str], Store], kind: str) -> None:
    """What nobody but the logs could know is known to all, whoever was last."""
    for words in permutations(A_DAY):
        found = lies_after(new_store(kind), words, jobs_between=False)
        assert {key: branch for key, (branch, _, _) in found.items()} == dict.fromkeys("abcd", "feature-1")


def test_a_thread_of_which_nobody_knows_the_place() -> None:
    """It stays where its session began: another thread, of which the logs know, may have been anywhere."""
    words = [
        Word(LOGS, "two", [("b", 1, on("feature-1"))]),
        Word(TELEMETRY, "two", [("b", 1, NOWHERE)]),
        Word(TELEMETRY, "one", [("a", 2, NOWHERE)]),
        Word(PROXY, "one", [("a", 2, NOWHERE)]),
    ]
    for told in permutations(words):
        found = lies_after(MemoryStore(), told, jobs_between=False)
        assert {key: branch for key, (branch, _, _) in found.items()} == {"a": "", "b": "feature-1"}


def test_jobs_come_to_rest() -> None:
    """Sessions beside each other do not ask each other for ever."""
    town = Town(MemoryStore())
    town.pull_event("opened", town.pull(1))
    town.settle()
    sessions = [a_laptop(town) for _ in (LOGS, TELEMETRY, PROXY)]
    for word in A_DAY:
        sessions[word.source].tell(*word.calls, thread=word.thread, links=word.links)
    town.settle()
    town.pass_time(hours=1)
    assert town.work() == 0
