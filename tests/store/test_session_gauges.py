"""What moved while a session ran, and what is estimated where nobody reports: in every kind of store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from app.ledger.gauges import MOST_SHARES, estimate_gauges, take_gauges
from app.registry import Store
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.gauge_estimate import Spent
from tabstop.governor.settings import PlanAllowance, Windows
from tabstop.usage import Billing, Tokens
from tabstop.window_share import WindowShare
from tests.ledger.builders import (
    ENGINEER,
    NOW,
    a_policy,
    a_report,
    a_start,
    a_usage,
    an_organization,
    at,
    begun,
    report,
)

READ = GaugeReading("anthropic", "org-1", "5h", 1_000, at(1), GaugeSource.HEADER, at(120), 300, "max", "allowed")
PLAN = Windows(anthropic=PlanAllowance(five_hours=1_000, week=100_000))


def read(used: int, minute: float, **more: object) -> GaugeReading:
    return replace(READ, used=used, observed_at=at(minute), **more)  # type: ignore[arg-type]


def test_shares_come_back_as_stored(store: Store) -> None:
    """Of the sessions asked for; a later one takes the place of an earlier one."""
    week = WindowShare(replace(READ, window="weekly", resets_at=None), 3)
    bare = replace(READ, plan="", status="")
    with store.open(an_organization(store).id) as books:
        assert books.window_shares([]) == []
        books.keep_window_shares("a", [WindowShare(READ, 5), week])
        books.keep_window_shares("b", [])
        books.keep_window_shares("b", [WindowShare(READ, 1)])
        books.keep_window_shares("b", [WindowShare(READ, 7)])
        kept_week = replace(week, last=replace(week.last, plan="", status=""))
        assert books.window_shares(["b", "a", "c"]) == [
            ("a", WindowShare(bare, 5)),
            ("a", kept_week),
            ("b", WindowShare(bare, 7)),
        ]


@pytest.mark.parametrize("one_by_one", [False, True])
def test_what_moved_while_it_ran(store: Store, *, one_by_one: bool) -> None:
    """From its first reading on, over a window's end; what was lower by a percent meanwhile is no movement back up. Told twice and late, it is the same. An estimate is no reading."""
    told = (
        *(read(1_000, 1), read(1_400, 2), read(1_300, 3), read(1_500, 4)),
        read(200, 130, resets_at=at(430)),
        read(9_000, 140, source=GaugeSource.ESTIMATED, resets_at=at(430)),
        read(1, -9),
    )
    with store.open(an_organization(store).id) as books:
        session = begun(books, a_start())
        for batch in [[one] for one in told] if one_by_one else [told, told]:
            take_gauges(books, session, batch, at(141))
        ((_, share),) = books.window_shares([session.id])
    assert (share.moved, share.last.observed_at) == (400 + 100 + 200, at(130))


def test_what_was_read_before_it_began_counts(store: Store) -> None:
    """So a session that tells only once has a share; the first one of all has none that is known."""
    with store.open(an_organization(store).id) as books:
        first = begun(books, a_start("first"))
        take_gauges(books, first, [read(1_000, 1)], at(1))
        assert books.window_shares([first.id])[0][1].moved is None
        take_gauges(books, first, [read(1_500, 20)], at(20))
        second = begun(books, a_start("second"), at(21))
        take_gauges(books, second, [read(2_300, 40)], at(40))
        other = begun(books, a_start("other", engineer_id=ENGINEER + 1), at(21))
        take_gauges(books, other, [read(2_300, 40)], at(40))
        nobody = begun(books, a_start("nobody", engineer_id=None, person=None), at(21))
        take_gauges(books, nobody, [read(2_300, 40)], at(40))
        moved = dict(books.window_shares([one.id for one in (first, second, other, nobody)]))
        assert [moved[one.id].moved for one in (first, second, other, nobody)] == [500, 800, None, None]


def test_several_windows_in_any_order_of_one_report(store: Store) -> None:
    """A batch is sorted by time before it counts."""
    for number, order in enumerate(permutations((read(1_000, 1), read(1_200, 2), read(1_700, 3)))):
        with store.open(an_organization(store, f"org-{number}").id) as books:
            session = begun(books, a_start())
            take_gauges(books, session, order, at(9))
            assert [share.moved for _, share in books.window_shares([session.id])] == [700]


def test_nobody_floods_a_session(store: Store) -> None:
    """Beyond the first windows new ones are dropped; those known go on."""
    with store.open(an_organization(store).id) as books:
        session = begun(books, a_start())
        take_gauges(
            books, session, [read(1, 1, account=f"org-{number:02}") for number in range(MOST_SHARES + 3)], at(1)
        )
        take_gauges(books, session, [read(9, 2, account="org-00"), read(9, 2, account="zoe")], at(2))
        shares = [share for _, share in books.window_shares([session.id])]
        assert len(shares) == MOST_SHARES
        assert (shares[0].last.used, shares[0].moved) == (9, 8)


def test_estimates_go_by_the_model_called(store: Store) -> None:
    """An agent may call several vendors' models in one session: each counts into its own vendor's windows."""
    usages = [
        replace(
            a_usage(f"opencode:msg:{count}", model=model, tokens=Tokens(input=count), occurred_at=at(1)),
            agent="opencode",
        )
        for model, count in (("claude-sonnet-5-5", 100), ("gpt-6-luna", 400), ("llama-9", 9))
    ]
    claude = a_usage("anthropic:req:1", model="claude-opus-5-5", tokens=Tokens(output=50), occurred_at=at(1))
    both = replace(PLAN, openai=PlanAllowance(five_hours=1_000))
    with store.open(an_organization(store).id) as books:
        mixed = begun(books, a_start("mixed", agent="opencode", billing=Billing.SUBSCRIPTION))
        begun(books, a_start("own", billing=Billing.SUBSCRIPTION))
        report(books, mixed.id, a_report(usages), at(3))
        report(books, "session-own", a_report([claude]), at(3))
        spent = books.plan_usage(ENGINEER, at(-1))
        assert {vendor: sum(one.tokens for one in few) for vendor, few in spent.items()} == {
            "anthropic": 150,
            "openai": 400,
        }
        assert len(spent["anthropic"]) == 2
        tab = mixed.tab_id or 0
        assert books.plan_tokens_on(tab, [mixed.id]) == {(mixed.id, "anthropic"): 100, (mixed.id, "openai"): 400}
        assert books.plan_tokens_on(tab, ["session-own", "?"]) == {("session-own", "anthropic"): 50}
        assert books.plan_tokens_on(tab + 1, [mixed.id]) == books.plan_tokens_on(tab, []) == {}
        estimate_gauges(books, mixed, ["llama-9"], both, at(4))
        assert books.gauges_of(ENGINEER) == []
        estimate_gauges(books, mixed, ["gpt-6-luna", "claude-sonnet-5-5"], both, at(4))
        told = {(one.vendor, one.window): one.used for one in books.gauges_of(ENGINEER)}
        assert told == {("anthropic", "5h"): 1_500, ("anthropic", "weekly"): 15, ("openai", "5h"): 4_000}
        estimate_gauges(books, replace(mixed, engineer_id=ENGINEER + 1), ["gpt-6-luna"], both, at(4))
        assert books.gauges_of(ENGINEER + 1) == []  # nothing used is nothing to estimate from


def test_usage_on_a_plan_is_estimated_where_nobody_reports(store: Store) -> None:
    """As the policy says what the plan allows; the vendor's own word, once there is one, stands."""
    usages = [
        a_usage("anthropic:req:1", tokens=Tokens(input=100, cache_read=10**6), occurred_at=at(1)),
        a_usage("anthropic:req:2", tokens=Tokens(output=150), occurred_at=at(2)),
        a_usage("anthropic:req:3", tokens=Tokens(output=50), occurred_at=at(60)),
    ]
    organization = an_organization(store).id
    with store.open(organization) as books:
        begun(books, a_start(billing=Billing.SUBSCRIPTION))
        paid = begun(books, a_start("two", policy=a_policy()))
        report(books, paid.id, a_report([a_usage("anthropic:req:9", occurred_at=at(3))]), at(90))
        report(books, "session-one", a_report(usages), at(90))
        session = books.session("session-one")
        assert session is not None
        found = books.plan_usage(ENGINEER, at(-5))
        assert list(found) == ["anthropic"]
        assert sorted(found["anthropic"], key=lambda one: one.at) == [Spent(at(1), 250), Spent(at(60), 50)]
        assert books.plan_usage(ENGINEER, at(61)) == books.plan_usage(ENGINEER + 1, at(-5)) == {}
        estimate_gauges(books, session, [], Windows(), at(91))
        estimate_gauges(books, paid, [], PLAN, at(91))
        assert books.gauges_of(ENGINEER) == []
        estimate_gauges(books, session, [], PLAN, at(91))
        five, week = books.gauges_of(ENGINEER)
        assert (five.used, five.source, five.resets_at) == (3_000, GaugeSource.ESTIMATED, at(301))
        assert (week.window, week.used, week.resets_at) == ("weekly", 30, None)
        estimate_gauges(books, session, [], replace(PLAN, anthropic=PlanAllowance(week=1)), at(95))
        assert books.gauges_of(ENGINEER) == [five, week]  # made a moment ago
        take_gauges(books, session, [read(9, 96)], at(97))
        estimate_gauges(books, session, [], PLAN, NOW + timedelta(minutes=99))
        assert {one.source for one in books.gauges_of(ENGINEER)} == {GaugeSource.HEADER, GaugeSource.ESTIMATED}
        assert [one.observed_at for one in books.gauges_of(ENGINEER) if one.account == ""] == [at(91), at(91)]
