"""reprice: price what had no price, now that a policy or a newer price list may know one. payload: repository (None: all).

Only usage whose price is unknown is looked at: what a known price has charged stays, whatever the price is today.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.ledger.books import SessionRow
from app.ledger.record_usage import Pricer, priced
from app.ledger.reprice import reprice
from app.world import World
from tabstop.budget import Scope
from tabstop.cost import CostState

WHY = "A price became known."


def run(world: World, organization_id: int | None, payload: Mapping[str, Any]) -> None:
    """Of one organization, or of all; one short transaction for each session that gains by it."""
    wanted = [organization_id] if organization_id is not None else [o.id for o in world.store.organizations()]
    for each in wanted:
        for session in _unpriced(world, each, payload.get("repository")):
            _price_again(world, each, session)


def _unpriced(world: World, organization_id: int, repository_id: int | None) -> list[SessionRow]:
    """Sessions with unpriced usage. Budgets are asked first: they are few, and usually there is nothing to do."""
    with world.store.look(organization_id) as db:
        scopes = (budget.key.scope for budget in db.all_budgets(world.now()) if budget.unknown_usages)
        found = db.all_sessions() if Scope.ORGANIZATION in scopes else []
        return [s for s in found if s.unknown_usages and repository_id in {None, s.repository_id}]


def _price_again(world: World, organization_id: int, session: SessionRow) -> None:
    with world.store.look(organization_id) as db:
        policy = db.policy_in_force(session.repository_id).policy
        rows = [row for row in db.usages_of(session.id) if row.cost_state is CostState.UNKNOWN]
    price: Pricer = lambda usage: world.price(usage, policy.prices)  # noqa: E731 - a Pricer is a plain function

    known = [row.id for row in rows if priced(row, price).cost_state is not CostState.UNKNOWN]

    if known:
        with world.store.open(organization_id) as db:
            reprice(db, known, price, why=WHY, steps=policy.steps, now=world.now())
