"""Subtasks: shares of what the parent has, a bound on how many there are, and a stop that leaves the parent running."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tabstop.governor.degradation import Degraded, degrade
from tabstop.governor.facts import Fact, Paused, Resumed, SubagentSpawned, Tick
from tabstop.governor.limits import Totals, count
from tabstop.governor.orders import Act, Event, EventKind, Order, Step, order_of
from tabstop.governor.settings import Settings, Sharing, Subtasks
from tabstop.governor.subtask_books import KEPT, Subagents, left, line
from tabstop.governor.subtask_shares import granted
from tabstop.governor.subtasks import share
from tabstop.session import Limits
from tabstop.usage import Tokens
from tabstop.verdict import Outcome, Signal
from tabstop.wire_json import from_json, to_json
from tests.governor.builders import answer, at, ended, spawned, started

MILLION = Settings(limits=Limits(tokens=1_000_000))


class Session:
    """A session that is told facts one at a time, and what came of the last one."""

    def __init__(self, settings: Settings = MILLION) -> None:
        self.settings, self.part, self.totals = settings, Subagents(), Totals()
        self.order, self.events = Order(), tuple[Event, ...]()

    def tell(self, *facts: Fact) -> Session:
        for fact in facts:
            self.totals = count(self.totals, fact)
            degraded, _, _ = degrade(Degraded(), fact, self.totals, self.settings)
            near = Step.NO_SUBAGENTS in degraded.steps
            self.part, advice, self.events = share(self.part, fact, self.totals, self.settings, near=near)
            self.order = order_of(list(advice), getattr(fact, "thread", ""))
            assert from_json(Subagents, to_json(self.part)) == self.part
        return self

    def given(self, child: str) -> int:
        return self.part.at_work[child].given

    def left(self, thread: str = "") -> int | None:
        return left(self.part, thread, self.totals, self.settings)


def rules(**changes: object) -> Settings:
    return replace(MILLION, subtasks=replace(Subtasks(), **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sharing", "kind", "tokens_left", "expected"),
    [
        (Sharing.STATIC, "research-agent", 1_000_000, 100_000),
        (Sharing.STATIC, "Explore", 1_000_000, 100_000),
        (Sharing.STATIC, "refactor", 1_000_000, 500_000),
        (Sharing.STATIC, "refactor", 300_000, 300_000),
        (Sharing.STATIC, "reviewer", None, 1_000_000),
        (Sharing.PROPORTIONAL, "research", 1_000_000, 250_000),
        (Sharing.PROPORTIONAL, "research", 3, 0),
        (Sharing.PROPORTIONAL, "research", None, 1_000_000),
        (Sharing.HYBRID, "research", 1_000_000, 100_000),
        (Sharing.HYBRID, "refactor", 1_000_000, 250_000),
        (Sharing.HYBRID, "research", 100_000, 25_000),
        (Sharing.HYBRID, "research", None, 100_000),
    ],
)
def test_shares(sharing: Sharing, kind: str, tokens_left: int | None, expected: int) -> None:
    """Static by kind, a quarter of the rest, or by kind and never above that quarter."""
    assert granted(Subtasks(sharing=sharing), kind, tokens_left) == expected


def test_a_share_above_the_whole_is_the_whole() -> None:
    """A policy of 150 % does not give more than there is."""
    assert granted(Subtasks(sharing=Sharing.PROPORTIONAL, share_percent=150), "", 100) == 100


def test_unspent_tokens_return_to_the_parent() -> None:
    """What is set aside is gone while the subagent works; when it ends only what it used is."""
    session = Session().tell(spawned(0, "a", "refactor"))
    assert (session.given("a"), session.left()) == (250_000, 750_000)
    session.tell(answer(1, 40_000, thread="a"))
    assert session.left() == 750_000
    session.tell(ended(2, "a"), spawned(3, "b", "refactor"))
    assert session.given("b") == 960_000 // 4


def test_nested_spending_counts_for_all_above() -> None:
    """A subagent of a subagent draws on both shares, and gets its own from its parent's."""
    session = Session().tell(spawned(0, "a", "refactor"), spawned(1, "b", "refactor", thread="a"))
    assert (session.given("b"), session.left("a")) == (62_500, 187_500)
    session.tell(answer(2, 10_000, thread="b"))
    assert [session.part.at_work[one].used for one in ("a", "b")] == [10_000, 10_000]
    assert (session.left("a"), session.left()) == (187_500, 750_000)
    session.tell(ended(3, "b"))
    assert session.left("a") == 240_000


def test_without_a_token_limit_the_kind_alone_counts() -> None:
    """A cost limit is no number of tokens: then the share is that of the kind, or of any other kind."""
    session = Session(replace(MILLION, limits=Limits(cost=10**9))).tell(spawned(0, "a", "research"), spawned(1, "b"))
    assert (session.given("a"), session.given("b"), session.left()) == (100_000, 1_000_000, None)


def test_a_share_is_warned_of_and_then_stops_its_subagent_only() -> None:
    """At 90 % it is told, at 100 % it is stopped at each of its facts; events come once; the parent goes on."""
    session = Session().tell(spawned(0, "a", "research"), answer(1, 89_999, thread="a"))
    assert (session.order, session.events) == (Order(), ())
    session.tell(answer(2, 1, thread="a"))
    assert (session.order.act, session.order.findings[0].outcome) == (Act.PROCEED, Outcome.WARN)
    assert session.order.sentence == (
        "The subagent a (research) has used 90k of its 100k tokens, cache reads not counted. "
        "It is stopped when they are gone: report what is found so far."
    )
    assert [(event.kind, event.thread) for event in session.events] == [(EventKind.ALERT, "a")]
    assert session.tell(started(3, thread="a")).events == ()
    assert session.order.act is Act.PROCEED
    session.tell(answer(4, 10_500, thread="a"))
    assert [(event.kind, event.thread) for event in session.events] == [(EventKind.ALERT, "a")]  # the session goes on
    for fact in (started(5, thread="a"), answer(6, 1, thread="a")):
        session.tell(fact)
        assert (session.order.act, session.order.thread, session.order.ends_as) == (Act.HALT, "a", None)
        assert session.events == ()
    finding = session.order.findings[0]
    assert (
        finding.sentence
        == "The subagent a (research) used up its share: 100.5k of 100k tokens, cache reads not counted."
    )
    assert (finding.signal, finding.cap, finding.spent) == (Signal.SUBTASK, 100_000, 100_501)
    assert "The rest of the session goes on" in finding.remedy
    assert session.tell(answer(7), started(8)).order == Order()


def test_with_the_parents_share_gone_its_subagents_stop_too() -> None:
    """Nobody spends what its parent does not have."""
    session = Session().tell(spawned(0, "a", "research"), spawned(1, "b", thread="a"), answer(2, 100_000, thread="a"))
    session.tell(started(3, thread="b"))
    assert session.order.act is Act.HALT
    assert session.order.sentence.startswith("The subagent a (research) used up")


REFUSED: list[tuple[str, Settings, list[Fact], SubagentSpawned, str]] = [
    (
        "fan-out",
        rules(fan_out=2),
        [spawned(0, "a"), spawned(1, "b")],
        spawned(2, "c"),
        "this thread has 2 subagents at work, and the policy allows 2 at once",
    ),
    (
        "depth",
        rules(depth=1),
        [spawned(0, "a")],
        spawned(1, "b", thread="a"),
        "it would be at depth 2, and the policy allows 1",
    ),
    (
        "total",
        rules(total=1),
        [spawned(0, "a"), ended(1, "a")],
        spawned(2, "b"),
        "this session has started 1 subagent, and the policy allows 1 in all",
    ),
    (
        "tokens",
        replace(MILLION, limits=Limits(tokens=3)),
        [],
        spawned(0, "a"),
        "no tokens are left to share",
    ),
]


@pytest.mark.parametrize(("scope", "settings", "before", "one_more", "why"), REFUSED, ids=[row[0] for row in REFUSED])
def test_one_too_many_is_refused(
    scope: str, settings: Settings, before: list[Fact], one_more: SubagentSpawned, why: str
) -> None:
    """Refused with its reason; should it run all the same, it is stopped and its starter pays."""
    session = Session(settings).tell(*before, one_more)
    assert (session.order.act, session.order.findings[0].scope) == (Act.DENY, scope)
    assert session.order.sentence == f"No new subagent: {why}. Do the work in this thread."
    assert one_more.child not in session.part.at_work
    spent = session.totals.tokens
    session.tell(answer(9, 7, thread=one_more.child))
    assert session.order.act is Act.HALT
    assert session.order.sentence.startswith("This subagent was refused: ")
    assert session.totals.tokens == spent + 7
    assert all(child.used == (7 if name == one_more.thread else 0) for name, child in session.part.at_work.items())


def test_what_ended_or_was_stopped_makes_room() -> None:
    """The fan-out counts subagents at work: a stopped one, whose end nobody may tell, is not."""
    session = Session(rules(fan_out=1)).tell(spawned(0, "a", "research"))
    assert session.tell(spawned(1, "b")).order.act is Act.DENY
    assert session.tell(answer(2, 100_000, thread="a"), spawned(3, "c")).order.act is Act.PROCEED
    assert session.tell(ended(4, "c"), spawned(5, "b")).order.act is Act.PROCEED


def test_a_refused_one_refuses_its_own() -> None:
    """What a refused subagent starts is as little wanted."""
    session = Session(rules(total=1)).tell(spawned(0, "a"), spawned(1, "b"), spawned(2, "c", thread="b"))
    assert (session.order.act, session.order.thread) == (Act.HALT, "b")
    assert session.tell(started(3, thread="c")).order.act is Act.HALT
    assert session.part.started == 1


def test_only_asking_opens_nothing() -> None:
    """Before a subagent has an id its starter may ask whether it may be started."""
    session = Session(rules(fan_out=1)).tell(spawned(0, ""))
    assert (session.order.act, session.part) == (Act.PROCEED, Subagents())
    assert session.tell(spawned(1, "a"), spawned(2, "")).order.act is Act.DENY
    assert session.part.gone == {}


def test_near_a_limit_a_subagent_is_not_opened() -> None:
    """Degradation denies it; here it gets no share, and is stopped should it run."""
    session = Session().tell(answer(0, 800_000), spawned(1, "a"))
    assert (session.order, session.part.at_work) == (Order(), {})
    assert session.tell(started(2, thread="a")).order.act is Act.HALT


def test_told_twice_is_one() -> None:
    """The agent says that it is about to start one, and again that it has; ends may be told twice, too."""
    session = Session().tell(spawned(0, "a", "research"), spawned(1, "a", "refactor"))
    assert (session.given("a"), session.part.started) == (100_000, 1)
    session.tell(ended(2, "a"), ended(3, "a"), ended(4, "never seen"), spawned(5, "b", thread="b"))
    assert session.left() == 1_000_000


def test_a_thread_nobody_announced_is_a_subagent_of_the_main_one() -> None:
    """Its share is of what was left before its first answer."""
    session = Session().tell(answer(0, 200_000, thread="x"))
    assert (session.given("x"), session.part.at_work["x"].used, session.part.started) == (250_000, 200_000, 1)
    assert session.tell(answer(1, 50_000, thread="x")).order.sentence.startswith("The subagent x used up its share")
    session.tell(spawned(2, "z", thread="y"))
    assert line(session.part, "z") == ["z", "y"]


def test_what_is_told_after_the_end_is_its_parents() -> None:
    """A transcript is read a call late: that call belongs to the parent, and opens nothing."""
    session = Session().tell(
        spawned(0, "a"), spawned(1, "b", thread="a"), ended(2, "b"), answer(3, 500, thread="b", more=True)
    )
    assert (session.order, session.part.at_work["a"].used, session.part.started) == (Order(), 500, 2)
    session.tell(ended(4, "a"), answer(5, 500, thread="b"), answer(6, 500, thread="a"), spawned(7, "c", thread="b"))
    assert session.part.at_work["c"].parent == ""
    assert session.left() == 1_000_000 - 1_500 - session.given("c")


def test_the_children_of_one_that_ended_are_its_parents() -> None:
    """A background subagent outlives the one that started it."""
    session = Session().tell(spawned(0, "a"), spawned(1, "b", thread="a"), ended(2, "a"))
    assert line(session.part, "b") == ["b"]
    assert session.left() == 1_000_000 - session.given("b")


def test_a_subagent_may_come_again() -> None:
    """One that ended may be taken up again under its id: with a share of its own."""
    session = Session().tell(spawned(0, "a", "research"), ended(1, "a"), spawned(2, "a", "research"))
    assert (session.given("a"), session.part.gone, session.part.started) == (100_000, {}, 2)


def test_while_the_process_is_paused_nothing_is_set_aside() -> None:
    """Its subagents may be gone; they count neither as at work nor against what there is to give."""
    session = Session(rules(fan_out=1)).tell(spawned(0, "a"), spawned(1, "b", thread="a"), Paused(at(2)))
    assert session.left() == 1_000_000
    assert session.tell(spawned(3, "c")).order.act is Act.PROCEED


def test_after_a_pause_a_subagent_goes_on_with_what_it_had_left() -> None:
    """A process that was only held: neither a fresh share nor none, and never more than its parent still has."""
    session = Session().tell(spawned(0, "a", "research"), answer(1, 60_000, thread="a"), Paused(at(2)), Resumed(at(3)))
    session.tell(started(4, thread="a"))
    assert (session.part.at_work["a"].unspent, session.left()) == (40_000, 900_000)
    session.tell(Paused(at(5)), answer(6, 920_000), started(7, thread="a"))
    assert (session.part.at_work["a"].unspent, session.left()) == (20_000, 0)
    free = Session(replace(MILLION, limits=Limits(cost=1))).tell(spawned(0, "a"), Paused(at(1)), started(2, thread="a"))
    assert free.given("a") == 1_000_000


def test_cache_reads_are_not_counted() -> None:
    """A long context that is read again with each answer uses up no share; what is new does."""
    session = Session().tell(spawned(0, "a", "research"))
    for n in range(10):
        session.tell(replace(answer(n), tokens=Tokens(input=500, cache_read=60_000, output=500), thread="a"))
    assert session.part.at_work["a"].used == 10_000
    assert session.left() == 1_000_000 - 610_000 - 90_000
    unannounced = replace(answer(20), tokens=Tokens(input=100, cache_read=200_000), thread="x")
    assert session.tell(unannounced).given("x") == 300_000 // 4


def test_a_silent_one_gives_its_share_back() -> None:
    """Not every end is told. One that speaks again is new; one that was stopped stays so; one that waits for its own is at work."""
    session = Session().tell(spawned(0, "a", "research"), spawned(0, "b", "research"), spawned(1, "c", thread="b"))
    session.tell(spawned(2, "d", "research"), answer(3, 100_000, thread="d"), answer(500, 10, thread="c"))
    session.tell(spawned(700, "e"))
    assert set(session.part.at_work) == {"b", "c", "d", "e"}
    assert session.tell(Tick(at(701)), answer(702, 5, thread="a")).part.at_work["a"].used == 5
    assert session.tell(started(2_000, thread="d")).order.act is Act.HALT


def test_time_told_late_makes_nobody_silent() -> None:
    """A fact from before the last one changes nothing."""
    session = Session().tell(spawned(10, "a"), answer(100, thread="a"), answer(5, thread="a"))
    assert session.part.at_work["a"].heard_at == at(100)


def test_memory_is_bounded() -> None:
    """An agent that starts subagents for ever and ends none keeps so many; the one not heard of for longest goes first."""
    session = Session(rules(fan_out=10**6, total=10**6, sharing=Sharing.STATIC, other=1))
    session.tell(*(spawned(n, f"s{n}") for n in range(KEPT)), answer(100, 0, thread="s0"), spawned(101, "one more"))
    assert len(session.part.at_work) == KEPT
    assert "s0" in session.part.at_work
    assert "s1" not in session.part.at_work
    session.tell(*(ended(200 + n, f"s{n}") for n in range(KEPT)), *(spawned(300 + n, f"t{n}") for n in range(3 * KEPT)))
    assert max(len(session.part.at_work), len(session.part.gone)) == KEPT


def test_a_line_that_is_too_deep_to_fold_is_kept() -> None:
    """Where every subagent leads to the newest none is folded."""
    session = Session(rules(depth=10**6, total=10**6, sharing=Sharing.STATIC, other=1_000))
    session.tell(*(spawned(n, f"s{n}", thread=f"s{n - 1}" if n else "") for n in range(KEPT + 1)))
    assert len(session.part.at_work) == KEPT + 1


def test_a_negative_correction_gives_nothing_back() -> None:
    """Counts never fall below zero."""
    session = Session().tell(spawned(0, "a"), answer(1, -500, thread="a"))
    assert session.part.at_work["a"].used == 0
