"""What a pull request's surfaces are given: promise 12 holds before a word is written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.jobs.gather_tab import Outside, gather
from app.jobs.tab_facts import SHOWN_SESSIONS, TabFacts
from app.ledger.books import Job
from app.ledger.end_session import end_session
from tabstop.breaker_memory import BreakerMetric, RememberedBreaker, Trip
from tabstop.budget import Scope
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.money import dollars
from tabstop.session import SessionOutcome
from tabstop.usage import Billing
from tabstop.verdict import Outcome
from tabstop.window_share import WindowShare, in_words
from tests.jobs.town import Town


def facts(town: Town, *, private: bool = True) -> TabFacts:
    """Those of pull request 1."""
    with town.store.look(town.org) as db:
        repository = replace(town.repository(), private=private)
        pull_request = town.seen(1)
        tab = db.tab(pull_request.tab_id)
        assert tab
        return gather(db, repository, pull_request, tab, Outside(town.at, "https://github.com"))


def test_before_any_session(town: Town) -> None:
    """There is always a cap to show, though nothing has been stored for it yet."""
    town.opened()
    found = facts(town)
    (budget,) = found.budgets
    assert (budget.cap_nano, budget.spent.nano, found.session_count, found.standings) == (dollars(50), 0, 0, ())
    assert found.links.pull_request == "https://github.com/acme/widget/pull/1"
    assert found.links.policy == "https://github.com/acme/widget/new/main?filename=.github/tabstop.yml"


@pytest.mark.parametrize("private", [True, False])
def test_other_budgets_are_a_state_only(town: Town, *, private: bool) -> None:
    """Engineers' and the organization's figures are not even handed over; a public repository's own neither."""
    text = "engineer:\n  cap: $40\norganization:\n  cap: $10000\n"
    town.github.write_file("acme/.github", ".github/tabstop.yml", text, "o1")
    town.deliver(
        "installation", {"action": "created", "installation": {"id": 777, "account": {"id": 4, "login": "acme"}}}
    )
    town.opened()
    town.spend(town.start(), "40")
    town.settle()
    found = {s.scope: s for s in facts(town, private=private).standings}
    assert set(found) == {Scope.ENGINEER, Scope.REPOSITORY, Scope.ORGANIZATION}
    engineer = found[Scope.ENGINEER]
    assert (engineer.outcome, engineer.finding) == (Outcome.STOP, None)
    assert engineer.subject == ("alice" if private else "")
    assert found[Scope.ORGANIZATION].finding is None
    assert (found[Scope.REPOSITORY].finding is not None) == private
    assert facts(town).conclusion == "neutral", "a spent engineer's budget is a line of text"


def test_the_cap_in_force_now_counts(town: Town) -> None:
    """Not the one that was in force when something last touched the budget."""
    town.opened()
    town.spend(town.start(), "6")
    town.github.write_file("acme/widget", ".github/tabstop.yml", "tab:\n  cap: $5\n", "c1")
    with town.books() as db:
        db.enqueue(Job("read_policy", "x", {"repository": town.repository().id}))
    town.work()
    found = facts(town)
    assert (found.budgets[0].cap_nano, found.verdict.outcome) == (dollars(5), Outcome.STOP)
    assert found.links.policy == "https://github.com/acme/widget/blob/main/.github/tabstop.yml"


def test_breakers_that_are_not_closed_are_shown(town: Town) -> None:
    """Unless the policy does not remember them."""
    town.opened()
    trip = Trip("ses_1", BreakerMetric.RUNAWAY, "token_spike", 800, 500, town.at)
    with town.books() as db:
        db.keep_breaker(town.repository().id, "codex", RememberedBreaker(trip, town.at))
        db.keep_breaker(town.repository().id, "claude-code", RememberedBreaker(closed_at=town.at))
    assert [agent for agent, _ in facts(town).breakers] == ["codex"]
    town.github.write_file("acme/widget", ".github/tabstop.yml", "breaker:\n  remember: false\n", "c1")
    with town.books() as db:
        db.enqueue(Job("read_policy", "x", {"repository": town.repository().id}))
    town.work()
    assert facts(town).breakers == ()


def test_windows_are_those_of_every_session(town: Town) -> None:
    """Also of sessions that are too many to be listed; what two sources told of one session counts once."""
    town.opened()
    header = GaugeReading("anthropic", "org-1", "5h", 2_000, town.at, GaugeSource.HEADER)
    line = replace(header, account="", source=GaugeSource.STATUS_LINE)
    for _ in range(SHOWN_SESSIONS + 1):
        session = town.start()
        with town.books() as db:
            db.keep_window_shares(session.id, [WindowShare(header, 100), WindowShare(line, 90)])
            end_session(db, session, SessionOutcome.FINISHED, "", town.at)
    found = facts(town)
    assert len(found.sessions) == SHOWN_SESSIONS
    assert [share.moved for _, share in found.window_shares] == [100] * (SHOWN_SESSIONS + 1)
    assert in_words(found.window_shares).startswith("At most 51 % of Anthropic's 5-hour window went into")


def test_everybody_without_a_name_is_counted(town: Town) -> None:
    """Not only among the sessions that are listed."""
    town.opened()
    for number in range(SHOWN_SESSIONS + 2):
        session = town.start(engineer_id=None, person=None) if number < 3 else town.start()
        with town.books() as db:
            end_session(db, session, SessionOutcome.FINISHED, "", town.at)
    assert facts(town).unattributed == 3


def test_what_no_reading_tells_is_estimated(town: Town) -> None:
    """Where the policy says what a plan allows: from what each session used on it that lies on this tab."""
    town.opened()
    told, silent = (town.start(billing=Billing.SUBSCRIPTION) for _ in range(2))
    header = GaugeReading("anthropic", "org-1", "5h", 2_000, town.at, GaugeSource.HEADER)
    for session in (told, silent):
        town.spend(session, "5")
    with town.books() as db:
        db.keep_window_shares(told.id, [WindowShare(header, 100)])
        db.keep_window_shares(silent.id, [WindowShare(header)])
        used = db.plan_tokens_on(silent.tab_id or 0, [silent.id])[silent.id, "anthropic"]
    assert [share.moved for _, share in facts(town).window_shares] in ([None, 100], [100, None])
    policy = f"windows:\n  anthropic:\n    five_hours: {used * 20}\n"
    town.github.write_file("acme/widget", ".github/tabstop.yml", policy, "c1")
    with town.books() as db:
        db.enqueue(Job("read_policy", "x", {"repository": town.repository().id}))
    town.work()
    found = facts(town).window_shares
    assert {(share.estimated, share.moved) for _, share in found} == {(False, 100), (True, 500)}
