"""Repetition: what counts as doing the same again, and what as getting on."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.governor.facts import Answer, Fact, Probed, SubagentEnded, Tick, ToolFinished, ToolStarted
from tabstop.governor.patience import RUNNING, Runs
from tabstop.governor.repetition import CALLS, THREADS, TREES, Lane, Repetition, take
from tests.governor.builders import answer, at, finished, started

SAME, OTHER = 0, (1 << 40) - 1


def after(facts: Sequence[Fact], window: int = 8) -> Repetition:
    part = Repetition()
    for fact in facts:
        part = take(part, fact, window)
    return part


def lane(facts: Sequence[Fact], thread: str = "") -> Lane:
    return after(facts).lanes[thread]


def said(seconds: float, likeness: int | None = SAME, thread: str = "") -> Answer:
    return replace(answer(seconds, thread=thread), likeness=likeness)


def round_of(seconds: float, arguments: str = "a", *, lasts: float = 1, name: str = "Bash") -> list[Fact]:
    """A call that starts, ends, and is answered."""
    return [
        started(seconds, name, arguments),
        finished(seconds + lasts, name, arguments),
        answer(seconds + lasts + 1),
    ]


def rounds(count: int, *, lasts: float = 1) -> list[Fact]:
    return [fact for n in range(count) for fact in round_of(n * 100, lasts=lasts)]


def test_the_same_call_again_and_again() -> None:
    """Six times the same: six repeats, five iterations that brought nothing."""
    found = lane(rounds(6))
    assert (found.repeats, found.idle) == (6, 5)


def test_a_call_counts_when_it_starts() -> None:
    """So that the call about to run can be judged: the sixth is the sixth before it ends."""
    assert lane([*rounds(5), started(900)]).repeats == 6


@pytest.mark.parametrize(
    "something_new",
    [
        round_of(1_000, "b"),
        round_of(1_000, name="Read"),
        round_of(1_000, ""),
        [Probed(at(1_000), "tree 0"), Probed(at(1_001), "tree 1")],
    ],
)
def test_something_new_begins_afresh(something_new: list[Fact]) -> None:
    """A call not made before, one nobody knows the arguments of, or a changed tree."""
    found = lane([*rounds(6), *something_new])
    assert (found.repeats, found.idle) == (1, 0)


def test_after_a_change_everything_is_worth_doing_again() -> None:
    """Edit and test, forty times the same test."""
    facts: list[Fact] = [Probed(at(0), "tree")]
    for n in range(40):
        facts += [*round_of(n * 100), Probed(at(n * 100 + 50), f"tree {n}")]
    assert lane(facts) == Lane(step=0, runs=Runs(heard=at(3902)))


def test_the_first_look_and_going_back_and_forth_are_no_change() -> None:
    """A file changed and changed back brings nobody further."""
    facts = [*rounds(3), Probed(at(310), "one"), *round_of(400), *round_of(500)]
    assert lane(facts).repeats == 5
    flip = [
        Probed(at(0), "a"),
        Probed(at(1), "b"),
        *rounds(3),
        Probed(at(310), "a"),
        Probed(at(311), "b"),
        *round_of(400),
    ]
    assert lane(flip).repeats == 4


@pytest.mark.parametrize(
    ("lasts", "waits", "repeats", "idle"), [(1, False, 15, 14), (31, False, 5, 3), (3, True, 5, 3), (31, True, 3, 1)]
)
def test_waiting_on_purpose_repeats_less(lasts: float, waits: bool, repeats: int, idle: int) -> None:
    """`sleep 30; gh run view` fifteen times is two repeats; a slow command, or a short `sleep`, is a quarter of one each."""
    facts = [
        replace(fact, waits=waits) if isinstance(fact, ToolStarted | ToolFinished) else fact
        for fact in rounds(15, lasts=lasts)
    ]
    assert (lane(facts).repeats, lane(facts).idle) == (repeats, idle)


def test_calls_that_never_end_repeat_as_well() -> None:
    """A call that is refused each time has no end: what is heard next tells that it is over, however long the model thinks."""
    facts = [fact for n in range(15) for fact in (started(n * 50), answer(n * 50 + 1))]
    assert lane(facts).repeats == 15
    assert lane([started(n * 5) for n in range(15)]).repeats == 15


def test_asking_a_background_task_is_waiting() -> None:
    """However quickly the answer comes."""
    facts = [fact for n in range(15) for fact in round_of(n * 10, name="BashOutput")]
    assert (lane(facts).repeats, lane(facts).idle) == (3, 1)


@pytest.mark.parametrize(("lasts", "repeats"), [(1, 6), (31, 3)])
def test_a_start_nobody_saw_lies_after_what_was_heard_before(lasts: float, repeats: int) -> None:
    """Without starts, the time since the answer before tells who waits."""
    facts: list[Fact] = []
    for n in range(6):
        facts += [answer(n * 100), ToolFinished(at(n * 100 + lasts), "Bash", "a", unseen=True)]
    assert lane(facts).repeats == repeats


def test_an_iteration_with_one_new_call_is_progress() -> None:
    """In whatever order its calls come."""
    known = [*round_of(0, "a"), *round_of(100, "b")]
    for order in ("ca", "ac"):
        both = [started(200 + n, arguments=one) for n, one in enumerate(order)]
        ends = [finished(203 + n, arguments=one) for n, one in enumerate(order)]
        assert lane([*known, *both, *ends, answer(210)]).idle == 0


def test_an_end_without_a_start_is_nothing() -> None:
    """Its call was counted elsewhere, or is unknown."""
    assert lane([finished(0), finished(1), answer(2)]).repeats == 1


def test_words_alone_are_progress_unless_they_were_said() -> None:
    """Questions and answers go on for ever; the same consideration again does not help."""
    assert lane([said(n, n * 0x123456789ABCDE) for n in range(9)]).idle == 0
    assert lane([said(n) for n in range(9)]).idle == 8
    assert lane([said(n, None) for n in range(9)]).idle == 0


def test_answers_that_say_the_same() -> None:
    """The last and those before it within the window."""
    assert lane([said(n) for n in range(5)]).like == 5
    assert lane([said(n) for n in range(20)]).like == 8
    assert lane([said(0), said(1, OTHER), said(2)]).like == 2
    assert lane([said(0), said(1, None)]).like == 1


@pytest.mark.parametrize(
    ("pattern", "like", "turns"),
    [
        ("ab", 2, True),
        ("ababab", 6, True),
        ("ab" * 20, 8, True),
        ("aaabb", 2, False),
        ("aaaab", 2, True),
        ("axaxayaz", 2, True),  # said between other things: the last two came once, or four times
        ("azaxaya", 4, False),
        ("abcabcabc", 6, True),
        ("abba", 4, True),
    ],
)
def test_two_answers_in_turns(pattern: str, like: int, turns: bool) -> None:
    """Both count as often as the rarer of the two was said: a sentence that comes back between others is no loop of two."""
    different = dict(
        zip("abcxyz", (0, 2**63 - 1, 0xFFFFFFFF, 0x5555555555555555, 0x3333333333333333, 0x7F007F007F007F), strict=True)
    )
    found = lane([said(n, different[one]) for n, one in enumerate(pattern)])
    assert (found.like, found.turns) == (like, turns)


def test_whoever_waits_says_so_each_time() -> None:
    """'Still running.' between two looks is no loop."""
    facts = [fact for n in range(12) for fact in (started(n * 60), finished(n * 60 + 30), said(n * 60 + 31))]
    assert lane(facts).like == 0


def test_more_of_an_answer_is_no_iteration() -> None:
    """Counts that grow later are not a second answer."""
    more = replace(said(9), more=True)
    assert lane([said(0), more, more]).like == 1


def test_threads_are_apart_and_leave() -> None:
    """Eight subagents that begin with the same call repeat nothing; one that ended is forgotten."""
    facts: list[Fact] = [started(n, thread=f"agent {n}") for n in range(8)]
    assert all(one.repeats == 1 for one in after(facts).lanes.values())
    assert "agent 3" not in after([*facts, SubagentEnded(at(9), "agent 3"), Tick(at(10))]).lanes


FACTS = st.builds(
    lambda kind, when, name, thread: [
        started(when, arguments=str(name), thread=str(thread)),
        finished(when, arguments=str(name), thread=str(thread)),
        replace(finished(when, arguments=str(name), thread=str(thread)), unseen=True),
        said(when, name, str(thread)),
        Probed(at(when), str(name)),
        SubagentEnded(at(when), str(thread)),
    ][kind],
    st.integers(0, 5),
    st.integers(-50, 5_000),
    st.integers(0, 400),
    st.integers(0, 50),
)


@given(st.lists(FACTS, max_size=200))
def test_any_order_of_facts_is_borne(facts: list[Fact]) -> None:
    """No crash, no count below its floor, nothing that grows for ever."""
    part = after(facts)
    assert len(part.lanes) <= THREADS
    assert len(part.trees) <= TREES
    for one in part.lanes.values():
        assert one.repeats >= 1
        assert one.idle >= 0
        assert len(one.known) <= CALLS
        assert len(one.runs.began) <= RUNNING


def test_what_is_remembered_has_a_bound() -> None:
    """Thousands of threads, calls that never end, new calls for ever."""
    facts: list[Fact] = [started(n, arguments=str(n)) for n in range(CALLS + 9)]
    found = after([*facts, *(started(n, thread=str(n)) for n in range(THREADS + 9))])
    assert len(found.lanes) == THREADS
    only = lane(facts)
    assert (len(only.known), len(only.runs.began)) == (CALLS, RUNNING)
