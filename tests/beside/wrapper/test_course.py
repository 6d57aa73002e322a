"""What the wrapper does next, as a table: signals in their order, when hooks are waited for, when the agent is held."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.beside.wrapper.course import Course, Do, Manner, Seen, Why, steer
from tabstop.governor.orders import PROCEED, Act, Order
from tests.governor.builders import at

HALT = Order(Act.HALT)
SUMMARY = Order(Act.WIND_DOWN, summary_tokens=2_000)
ASK = Order(Act.ASK)
SLOWER = Order(Act.THROTTLE, seconds=5)
MANNER = Manner(grace=10)


def seen(seconds: float = 0, order: Order = PROCEED, **more: object) -> Seen:
    return Seen(at(seconds), order, **more)  # type: ignore[arg-type]


def play(*sights: Seen, manner: Manner = MANNER) -> list[tuple[Do, ...]]:
    """What is done at each sight."""
    course, done = Course(), []
    for one in sights:
        course, does = steer(course, one, manner)
        done.append(does)
    return done


@pytest.mark.parametrize("order", [HALT, Order(Act.SUSPEND), SUMMARY])
def test_a_stop_is_three_signals_with_grace_between(order: Order) -> None:
    """SIGINT at once, SIGTERM and SIGKILL only after the grace each, and nothing after that."""
    done = play(*(seen(second, order) for second in (0, 1, 10, 11, 20, 30)))
    assert done == [(Do.INTERRUPT,), (), (Do.TERMINATE,), (), (Do.KILL,), ()]


@pytest.mark.parametrize(
    "order", [PROCEED, Order(Act.DENY), Order(Act.DEGRADE), Order(Act.WIND_DOWN), Order(Act.THROTTLE)]
)
def test_what_hooks_do_is_left_to_them(order: Order) -> None:
    """A denial, a step of degradation, the server's wish to wind down: no signal carries them."""
    assert play(seen(0, order), seen(60, order)) == [(), ()]


def test_hooks_end_the_turn_first() -> None:
    """They end it between two calls; signals come when they do not."""
    assert play(*(seen(second, HALT, hooks=True) for second in (0, 2, 3))) == [(), (), (Do.INTERRUPT,)]
    for manner in (MANNER, Manner(stays=True)):
        done = play(*(seen(second, SUMMARY, hooks=True) for second in (0, 2, 3)), manner=manner)
        assert done == [(), (), (Do.INTERRUPT,)]


def test_hooks_that_cannot_end_a_turn_are_not_waited_for() -> None:
    """Codex's refuse its tools, and its model goes on: it is ended at once. Interactive it stays open all the same."""
    cannot = [seen(second, HALT, hooks=True, ends_turns=False) for second in (0, 1)]
    assert play(*cannot) == [(Do.INTERRUPT,), ()]
    assert play(*cannot, manner=Manner(stays=True)) == [(), ()]
    assert play(*cannot, manner=Manner(proxy=True)) == [(), ()]
    assert play(seen(0, SUMMARY, hooks=True, ends_turns=False), manner=Manner(stays=True)) == [(Do.INTERRUPT,)]


def test_the_proxy_obeys_every_order() -> None:
    """It paces, makes the last answer and refuses calls; signals come when the agent does not end of it."""
    proxy = Manner(proxy=True)
    assert play(seen(0, SLOWER), seen(1, SUMMARY), manner=proxy) == [(), ()]
    assert play(*(seen(second, HALT) for second in (0, 2, 3)), manner=proxy) == [(), (), (Do.INTERRUPT,)]


def test_an_interactive_agent_stays_open_while_its_hooks_hold() -> None:
    """Its user reads why, raises the cap elsewhere and goes on; when it spends all the same, it is ended."""
    stays = Manner(stays=True)
    holds = [seen(second, HALT, hooks=True, answers=7) for second in (0, 600)]
    assert play(*holds, seen(601), seen(900, HALT, hooks=True, answers=8), manner=stays) == [()] * 4
    assert play(*holds, seen(601, HALT, hooks=True, answers=9), manner=stays) == [(), (), (Do.INTERRUPT,)]
    assert play(seen(0, HALT), manner=stays) == [(Do.INTERRUPT,)]


def test_an_overdrive_after_the_first_signal_does_not_save_the_run() -> None:
    """What was interrupted is in no state to go on; it is resumed."""
    assert play(seen(0, HALT), seen(5), seen(10), seen(20)) == [(Do.INTERRUPT,), (), (Do.TERMINATE,), (Do.KILL,)]


def test_a_question_holds_the_agent_until_it_is_answered() -> None:
    """Asked once; a yes lets it go on, a no ends it, and what is held takes its signal when it goes on."""
    assert play(seen(0, ASK), seen(1, ASK), seen(2)) == [(Do.HOLD, Do.ASK), (), (Do.GO_ON,)]
    assert play(seen(0, ASK, hooks=True), seen(2, HALT, hooks=True)) == [(Do.HOLD, Do.ASK), (Do.INTERRUPT, Do.GO_ON)]
    assert play(seen(0, SLOWER), seen(1, ASK), seen(2)) == [(Do.HOLD,), (Do.ASK,), (Do.GO_ON,)]


def test_a_release_is_asked_for_before_anything_ends() -> None:
    """Released, it goes on; refused, it goes on first, so that its hooks can end the turn. The proxy refuses calls itself."""
    held = Order(Act.SUSPEND)
    asked = (seen(0, held, release=True), seen(9, held, release=True))
    assert play(*asked, seen(10), seen(11)) == [(Do.HOLD, Do.ASK), (), (Do.GO_ON,), ()]
    refused = [seen(second, held, hooks=True) for second in (10, 11, 14)]
    assert play(*asked, *refused) == [(Do.HOLD, Do.ASK), (), (Do.GO_ON,), (), (Do.INTERRUPT,)]
    assert play(*asked, seen(10, held), seen(11, held))[2:] == [(Do.GO_ON,), (Do.INTERRUPT,)]
    assert play(*asked, seen(10, held, dismissed=True))[2:] == [(Do.GO_ON,)]
    assert play(seen(0, held, release=True), seen(3, held, release=True), manner=Manner(proxy=True))[1] == (
        Do.INTERRUPT,
    )


def test_going_slower_without_hooks_holds_the_whole_agent() -> None:
    """For as long as the order says; hooks let a single call wait instead."""
    assert play(seen(0, SLOWER), seen(4, SLOWER), seen(5), seen(6)) == [(Do.HOLD,), (), (Do.GO_ON,), ()]
    assert play(seen(0, SLOWER, hooks=True)) == [()]
    assert play(seen(0, SLOWER), seen(1, HALT)) == [(Do.HOLD,), (Do.INTERRUPT, Do.GO_ON)]


def test_silence_ends_what_works_by_itself() -> None:
    """Not while it is held, not where none could be seen, not without a limit of it."""
    watched = replace(MANNER, silence=60)
    assert play(seen(0, quiet=59), seen(1, quiet=60), manner=watched) == [(), (Do.INTERRUPT,)]
    assert play(seen(0, quiet=None), manner=watched) == [()]
    assert play(seen(0, quiet=999)) == [()]
    assert play(seen(0, SLOWER, quiet=0), seen(1, quiet=99), manner=watched) == [(Do.HOLD,), ()]


def test_who_dismisses_us_is_obeyed() -> None:
    """Its signal was handed on; SIGKILL comes after the grace, also while it was being ended for another reason."""
    assert play(*(seen(second, dismissed=True) for second in (0, 5, 10, 20))) == [(), (), (Do.KILL,), ()]
    assert play(seen(0, ASK), seen(1, dismissed=True)) == [(Do.HOLD, Do.ASK), (Do.GO_ON,)]
    course, _ = steer(Course(), seen(0, HALT), MANNER)
    course, does = steer(course, seen(1, HALT, dismissed=True), MANNER)
    assert (course.ending, does) == (Why.DISMISSED, ())
    assert steer(course, seen(11, dismissed=True), MANNER)[1] == (Do.KILL,)


ORDERS = st.sampled_from([PROCEED, HALT, SUMMARY, ASK, SLOWER, Order(Act.SUSPEND), Order(Act.DENY)])


@given(st.lists(st.tuples(ORDERS, st.booleans(), st.integers(0, 30)), max_size=40))
def test_whatever_happens_signals_keep_their_order(story: list[tuple[Order, bool, int]]) -> None:
    """Never a signal twice or out of order, never one before the grace is over, never two holds or two releases in a row."""
    course, clock, sent, held = Course(), 0, [], False
    for order, hooks, passed in story:
        clock += passed
        course, does = steer(course, seen(clock, order, hooks=hooks), MANNER)
        for do in does:
            if do in {Do.HOLD, Do.GO_ON}:
                assert held is (do is Do.GO_ON)
                held = not held
            elif do is not Do.ASK:
                sent.append((do, clock))
    assert [do for do, _ in sent] == [Do.INTERRUPT, Do.TERMINATE, Do.KILL][: len(sent)]
    assert all(later - earlier >= MANNER.grace for (_, earlier), (_, later) in pairwise(sent))
    assert not (held and sent)
