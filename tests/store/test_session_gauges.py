"""What moved while a session ran, and what is estimated where nobody reports: in every kind of store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from app.ledger.gauges import estimate_gauges, take_gauges
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


def test_several_windows_in_any_order_of_one_report(store: Store) -> None:
    """A batch is sorted by time before it counts."""
    for number, order in enumerate(permutations((read(1_000, 1), read(1_200, 2), read(1_700, 3)))):
        with store.open(an_organization(store, f"org-{number}").id) as books:
            session = begun(books, a_start())
            take_gauges(books, session, order, at(9))
            assert [share.moved for _, share in books.window_shares([session.id])] == [700]


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
        found = sorted(books.plan_usage(ENGINEER, "claude-code", at(-5)), key=lambda one: one.at)
        assert found == [Spent(at(1), 250), Spent(at(60), 50)]
        assert books.plan_usage(ENGINEER, "codex", at(-5)) == []
        assert books.plan_usage(ENGINEER + 1, "claude-code", at(-5)) == []
        estimate_gauges(books, session, Windows(), at(91))
        estimate_gauges(books, paid, PLAN, at(91))
        assert books.gauges_of(ENGINEER) == []
        estimate_gauges(books, session, PLAN, at(91))
        five, week = books.gauges_of(ENGINEER)
        assert (five.used, five.source, five.resets_at) == (3_000, GaugeSource.ESTIMATED, at(301))
        assert (week.window, week.used, week.resets_at) == ("weekly", 30, None)
        estimate_gauges(books, session, replace(PLAN, anthropic=PlanAllowance(week=1)), at(95))
        assert books.gauges_of(ENGINEER) == [five, week]  # made a moment ago
        take_gauges(books, session, [read(9, 96)], at(97))
        estimate_gauges(books, session, PLAN, NOW + timedelta(minutes=99))
        assert {one.source for one in books.gauges_of(ENGINEER)} == {GaugeSource.HEADER, GaugeSource.ESTIMATED}
        assert [one.observed_at for one in books.gauges_of(ENGINEER) if one.account == ""] == [at(91), at(91)]
