"""Usage without a price: priced once a policy names one, and a blocked tab opens again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.jobs.runner import Runner
from app.jobs.table import HANDLERS
from app.ledger.books import Job
from app.ledger.recompute import recompute
from app.pricing import price_usage
from app.registry import Store
from tabstop.money import dollars
from tests.jobs.test_policy import push
from tests.jobs.town import RULES, Town, a_town, audit_rows

PRICED = 'prices: [{model: m, output: "$1,000"}]\n'


@pytest.fixture
def town(tmp_path: Path) -> Town:
    """A town with the real price book, which does not know the model `m`."""
    town = a_town(tmp_path)
    town.world = replace(town.world, price=price_usage)
    town.runner = Runner(town.world, HANDLERS)
    town.opened()
    return town


def cost_of_session(store: Store, organization_id: int, session_id: str) -> tuple[int, int]:
    """(nano-dollars, usages without a price), the ledger and its projections being equal."""
    with store.look(organization_id) as db:
        session = db.session(session_id)
        assert session
        assert recompute(db, session.admitted_at) == []
        return session.spent.nano, session.unknown_usages


@pytest.mark.parametrize("whose", ["repository", "organization"])
def test_a_price_in_the_policy_prices_what_had_none(town: Town, whose: str) -> None:
    """What the check and the refusal promise: add the model under `prices`, and past calls are priced; once."""
    session = town.start()
    town.spend(session, "2", calls=2)
    assert cost_of_session(town.store, town.org, session.id) == (0, 2)
    if whose == "repository":
        push(town, PRICED, "c1")
        push(town, PRICED + "comment: off\n", "c2")
    else:
        push(town, PRICED, "c1", RULES)
    assert cost_of_session(town.store, town.org, session.id) == (dollars(2), 0)
    assert [row.body["usages"] for row in audit_rows(town, "usage.repriced")] == [2]
    assert "without a price" not in town.check().check.summary
    assert town.dead() == []


def test_a_price_list_that_learned_a_model_does_too(town: Town) -> None:
    """Once a day everything unpriced is looked at again; what has a price keeps it, though it costs more today."""
    first, second = town.start(), town.start()
    town.spend(first, "1")
    town.world = replace(town.world, price=lambda usage, _: price_usage(replace(usage, model="gpt-5"), ()))
    town.runner = Runner(town.world, HANDLERS)
    town.spend(second, "1")
    before = cost_of_session(town.store, town.org, second.id)
    town.world = replace(town.world, price=lambda usage, _: price_usage(replace(usage, model="claude-opus-4-5"), ()))
    town.runner = Runner(town.world, HANDLERS)
    town.store.enqueue([Job("reprice", "all")])
    town.settle()
    assert cost_of_session(town.store, town.org, first.id) == (1_000 * 25_000, 0)
    assert cost_of_session(town.store, town.org, second.id) == before
