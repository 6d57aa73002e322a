"""Starts: admitted while there is room, refused with the reason, answered alike when asked again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.ledger.admit import TokenReusedError, ask
from app.ledger.books import AuditRow
from app.registry import Store
from app.store.memory import MemoryStore
from tabstop.budget import Amount, Scope
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.governor.settings import OnFull, Rules, Throttle, UnknownPrice, Windows
from tabstop.money import dollars
from tabstop.policy.model import Downgrade, OnEmpty
from tabstop.usage import Billing
from tabstop.wire import StartAnswer
from tabstop.wire_json import from_json
from tests.ledger.builders import (
    ENGINEER,
    NOW,
    a_policy,
    a_report,
    a_start,
    a_usage,
    an_answer,
    an_organization,
    at,
    begin,
    begun,
    report,
)


@pytest.fixture
def store() -> Store:
    """Memory: what these tests are about is above the store."""
    return MemoryStore()


def audit_of(store: Store, organization_id: int) -> list[AuditRow]:
    store.seal_audit(organization_id, b"key")
    with store.look(organization_id) as books:
        return [found.row for found in books.audit_rows()]


def test_a_hold_is_set_against_every_budget(store: Store) -> None:
    """Tab, engineer, repository and organization each set the same aside."""
    with store.open(an_organization(store).id) as books:
        session = begun(books, a_start(policy=a_policy(hold="2")))
        budgets = books.all_budgets(NOW)
        assert {budget.key.scope for budget in budgets} == {
            Scope.TAB,
            Scope.ENGINEER,
            Scope.REPOSITORY,
            Scope.ORGANIZATION,
        }
        assert {budget.held.nano for budget in budgets} == {dollars(2)}
        assert session.held.nano == dollars(2)
        assert session.lease_until == at(130)


def test_the_same_key_gives_the_same_answer(store: Store) -> None:
    """Even after everything changed, and even where it was refused; the token alone opens nothing more."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        first = begin(books, a_start())
        refused = begin(books, a_start("two", policy=a_policy(tab="0")))
        assert (first.status, refused.status) == (201, 403)
        assert begin(books, a_start(policy=a_policy(tab="0")), at(60)) == first
        assert begin(books, a_start("two"), at(60)) == refused
        assert begin(books, a_start(token_id="another-of-the-same-job"), at(60)) == first
        with pytest.raises(TokenReusedError):
            begin(books, a_start("three", token_id="token-one"))
        assert len(books.live_sessions()) == 1


def test_a_refusal_says_which_budget_and_holds_nothing(store: Store) -> None:
    """The answer has the arithmetic; the audit row has no login; people are told."""
    organization = an_organization(store).id
    policy = a_policy(hold="2", engineer="3")
    with store.open(organization) as books:
        begun(books, a_start("one", policy=policy))
        refused = begin(books, a_start("two", policy=policy))
        (stop,) = [f for f in refused.answer["verdict"]["findings"] if f["outcome"] == "stop"]
        assert (stop["scope"], stop["cause"], stop["held"], stop["asked"], stop["cap"]) == (
            "engineer",
            "held",
            dollars(2),
            dollars(2),
            dollars(3),
        )
        assert stop["retry_at"] is not None
        assert {budget.held.nano for budget in books.all_budgets(NOW)} == {dollars(2)}
    rows = audit_of(store, organization)
    assert [row.kind for row in rows] == ["start.admitted", "start.refused"]
    assert "alice" not in str(rows[1].body)
    jobs = [job for _ in range(4) if (job := store.take_job("w", NOW)) is not None]
    assert sorted((job.kind, job.payload.get("notice")) for job in jobs) == [
        ("notice", "refused"),
        ("refresh_tab", None),
    ]


def test_a_limit_a_session_goes_without_is_in_the_audit_log(store: Store) -> None:
    """`unlimited` is a decision somebody wrote down; what a budget's room bounds after all is none."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        policy = a_policy(hold="2")
        begun(books, a_start("one", policy=policy))
        loose = replace(policy.session, tool_calls=None, wall_clock_seconds=None, cost=None)
        begun(books, a_start("two", policy=replace(policy, session=loose)))
    bodies = [row.body for row in audit_of(store, organization) if row.kind == "start.admitted"]
    assert [body["unlimited"] for body in bodies] == [[], ["tool_calls", "wall_clock_seconds"]]


def test_a_session_is_sent_the_rules_of_its_policy(store: Store) -> None:
    """What its governor goes by is what was in force when it was admitted, its word on unknown prices included."""
    policy = replace(a_policy(), throttle=Throttle(calls_per_minute=60), unknown_price=UnknownPrice.BLOCK)
    with store.open(an_organization(store).id) as books:
        sent = from_json(StartAnswer, begin(books, a_start(policy=policy)).answer).allowance
    assert sent is not None
    assert sent.governor == Rules(throttle=Throttle(calls_per_minute=60), unpriced=UnknownPrice.BLOCK)


def test_an_empty_engineer_may_be_downgraded(store: Store) -> None:
    """Cheaper models, on a budget of their own: the empty one is not charged (policy `downgrade`)."""
    policy = a_policy(
        engineer="1", on_empty=OnEmpty.DOWNGRADE, downgrade=Downgrade(("claude-haiku-4-5",), dollars("0.5"), dollars(2))
    )
    with store.open(an_organization(store).id) as books:
        first = begun(books, a_start("one", policy=policy))
        report(books, first.id, a_report([a_usage("a", tokens=1_000_000)], policy=policy))
        second = begin(books, a_start("two", policy=policy))
        assert second.answer["allowance"]["models"] == ["claude-haiku-4-5"]
        assert second.answer["allowance"]["limits"]["cost"] == dollars("0.5")
        report(books, second.session_id, a_report([a_usage("b", tokens=100_000)], policy=policy))
        spent = {budget.key.scope: budget.spent.nano for budget in books.all_budgets(NOW)}
        assert (spent[Scope.ENGINEER], spent[Scope.DOWNGRADE]) == (dollars(1), dollars("0.1"))


def test_a_guest_draws_on_the_repositorys_guest_budget(store: Store) -> None:
    """Bots and people outside never get a fresh engineer's budget."""
    with store.open(an_organization(store).id) as books:
        begun(books, a_start("bot", engineer_id=1, person=Scope.GUEST))
        begun(books, a_start("stranger", engineer_id=2, person=Scope.GUEST))
        guests = [budget for budget in books.all_budgets(NOW) if budget.key.scope is Scope.GUEST]
        assert len(guests) == 1
        assert not [budget for budget in books.all_budgets(NOW) if budget.key.scope is Scope.ENGINEER]


def test_nobody_is_offered_nobodys_downgrade(store: Store) -> None:
    """Without an engineer there is no engineer's budget to fall back from."""
    policy = a_policy(on_empty=OnEmpty.DOWNGRADE, downgrade=Downgrade(("claude-haiku-4-5",)))
    with store.open(an_organization(store).id) as books:
        begun(books, a_start(policy=policy, engineer_id=None))
        assert Scope.ORGANIZATION in {budget.key.scope for budget in books.all_budgets(NOW)}


@pytest.mark.parametrize(("counts", "held"), [(False, 0), (True, dollars(2))])
def test_a_subscription_holds_dollars_only_where_they_count(store: Store, counts: bool, held: int) -> None:
    """Notional dollars are no bill; tokens are held either way."""
    policy = a_policy(hold="2", subscription_counts=counts)
    with store.open(an_organization(store).id) as books:
        session = begun(books, a_start(policy=policy, billing=Billing.SUBSCRIPTION))
        assert session.held == Amount(held, 500_000)


def test_asking_is_not_starting(store: Store) -> None:
    """A dry question gets the decision and leaves nothing."""
    organization = an_organization(store).id
    with store.look(organization) as books:
        assert ask(books, a_start(), NOW).admitted
        assert an_answer(a_start())(ask(books, a_start(policy=a_policy(tab="0")), NOW), None).session == ""
    with store.look(organization) as books:
        assert books.live_sessions() == []


@pytest.mark.parametrize(
    ("billing", "windows", "status", "minutes"),
    [
        (Billing.SUBSCRIPTION, Windows(), 201, 120),
        (Billing.SUBSCRIPTION, Windows(OnFull.DEFER), 403, 0),
        (Billing.SUBSCRIPTION, Windows(OnFull.DEFER, threshold=99, fit_sessions=True), 201, 10),
        (Billing.UNKNOWN, Windows(OnFull.DEFER), 201, 120),
        (Billing.API, Windows(OnFull.DEFER), 201, 120),
    ],
)
def test_a_vendors_window_is_asked_about_where_it_matters(
    store: Store, billing: Billing, windows: Windows, status: int, minutes: int
) -> None:
    """Of this engineer's gauges only; a refusal says when to come back, and the audit row names nobody."""
    read = GaugeReading("anthropic", "org", "5h", 9_500, NOW, GaugeSource.HEADER, at(60), 300)
    organization = an_organization(store).id
    with store.open(organization) as books:
        books.keep_gauge(ENGINEER, read)
        books.keep_gauge(ENGINEER + 1, replace(read, used=0, observed_at=at(1)))
        policy = replace(a_policy(), windows=windows)
        attempt = begin(books, a_start(policy=policy, billing=billing))
        other = begin(books, a_start("two", policy=policy, billing=billing, engineer_id=ENGINEER + 1))
    assert (attempt.status, other.status) == (status, 201)
    answer = from_json(StartAnswer, attempt.answer)
    assert answer.verdict.retry_at == (at(60) if status == 403 else None)
    assert (answer.allowance.limits.wall_clock_seconds if answer.allowance else 0) == minutes * 60
    assert "alice" not in str([row.body for row in audit_of(store, organization)])


def test_a_start_meets_the_rate_of_the_recent_past(store: Store) -> None:
    """A window that nobody has used for half an hour is not full before this session ends, whatever its average."""
    read = GaugeReading("anthropic", "org", "5h", 8_000, NOW, GaugeSource.HEADER, at(60), 300)
    policy = replace(a_policy(), windows=Windows(OnFull.DEFER))
    with store.open(an_organization(store).id) as books:
        books.keep_gauge(ENGINEER, replace(read, used=8_500))
        assert begin(books, a_start("one", policy=policy, billing=Billing.SUBSCRIPTION)).status == 403
        idle = replace(read, used=8_500, observed_at=at(-30))
        books.change_earlier_gauges(ENGINEER, added=[idle], dropped=[])
        assert begin(books, a_start("two", policy=policy, billing=Billing.SUBSCRIPTION)).status == 201
