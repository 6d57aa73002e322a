"""Subtasks together: no share is more than what its parent has, whatever happens in which order."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from tabstop.governor.facts import Answer, Paused
from tabstop.governor.limits import limits_in_force
from tabstop.governor.orders import Act
from tabstop.governor.settings import KindBudget, Settings, Sharing, Subtasks
from tabstop.governor.subtask_shares import Task, one_after_another
from tabstop.session import Limits
from tabstop.usage import Tokens
from tests.governor.builders import at, ended, spawned
from tests.governor.test_subtasks import Session


def test_a_purely_proportional_share_starves_later_subtasks() -> None:
    """Ten equal subtasks of 60,000 tokens in a session of a million: shares shrink while most of the budget lies unused."""
    tasks = [Task("research", 60_000)] * 10
    tight = 300_000
    quarter = one_after_another(Subtasks(sharing=Sharing.PROPORTIONAL), tasks, tight)
    assert [one.given for one in quarter[:4]] == [75_000, 60_000, 45_000, 33_750]
    assert [one.starved for one in quarter] == [False] * 2 + [True] * 8
    assert tight - sum(one.used for one in quarter) > 0
    static = one_after_another(Subtasks(sharing=Sharing.STATIC), tasks[:5], tight)
    assert not any(one.starved for one in static)
    hybrid = one_after_another(Subtasks(), [Task("refactor", 60_000)] * 10, 1_000_000)
    assert not any(one.starved for one in hybrid)


def has(session: Session, thread: str) -> float:
    """What a thread may still spend."""
    if thread:
        return session.part.at_work[thread].unspent
    limit = limits_in_force(session.totals, session.settings)[0].tokens
    return inf if limit is None else limit - session.totals.tokens


def set_aside(session: Session, thread: str) -> int:
    """What it may not give away any more."""
    return sum(child.set_aside for child in session.part.at_work.values() if child.parent == thread)


moves = st.one_of(
    st.tuples(st.just("spawn"), st.sampled_from("abcdefgh"), st.sampled_from(["", "a", "b", "c", "d"])),
    st.tuples(st.just("answer"), st.sampled_from(["", "a", "b", "c", "d", "e", "f", "ghost"]), st.integers(0, 9_000)),
    st.tuples(st.just("end"), st.sampled_from("abcdefgh"), st.just(0)),
    st.tuples(st.just("wait"), st.just(""), st.sampled_from([1, 700])),
    st.tuples(st.just("pause"), st.just(""), st.just(0)),
)


@given(
    st.lists(moves, max_size=60),
    st.sampled_from(Sharing),
    st.one_of(st.none(), st.integers(1_000, 200_000)),
    st.integers(1, 100),
)
def test_children_never_get_more_than_the_parent_has(
    script: list[tuple[str, str, str | int]], sharing: Sharing, limit: int | None, percent: int
) -> None:
    """For any stream: a share is at most what its parent has left, and what obeys its orders passes it by one answer at most."""
    subtasks = Subtasks(sharing, (KindBudget("*", 30_000),), share_percent=percent, fan_out=3, total=20)
    session = Session(Settings(limits=Limits(tokens=limit, tool_calls=1), subtasks=subtasks))
    seconds, stopped = 0, set[str]()
    for what, who, detail in script:
        seconds += int(detail) if what == "wait" else 1
        before = session.part
        if what == "spawn":
            session.tell(spawned(seconds, who, "any", thread=str(detail)))
        elif what == "answer" and who not in stopped:
            fresh = int(detail)
            session.tell(Answer(at(seconds), tokens=Tokens(input=fresh, cache_read=3 * fresh), thread=who))
        elif what == "end":
            session.tell(ended(seconds, who))
        elif what == "pause":
            session.tell(Paused(at(seconds)))
        for name, child in session.part.at_work.items():
            if name not in before.at_work:
                stopped.discard(name)
                if what == "spawn" and child.given:
                    assert set_aside(session, child.parent) <= has(session, child.parent)
            assert child.used <= max(child.given, 1) + 9_000  # one that woke up may have nothing left
        if session.order.act is Act.HALT and session.order.thread:
            stopped.add(session.order.thread)
        assert all(value is None or value >= 0 for value in (session.left(one) for one in ("", *session.part.at_work)))
        assert all(
            child.parent == "" or child.parent in session.part.at_work for child in session.part.at_work.values()
        )
