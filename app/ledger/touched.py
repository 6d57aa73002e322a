"""Which budgets work at a place touches, in the windows of an instant, with their caps by the policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tabstop.budget import BudgetKey, Scope
from tabstop.policy.model import Cap, Policy
from tabstop.window import window_at


@dataclass(frozen=True, slots=True)
class Where:
    """A place before its windows are known. person: whose budget is drawn on (engineer, guest, downgrade); None: nobody's."""

    organization_id: int
    repository_id: int | None
    tab_id: int | None
    engineer_id: int | None
    person: Scope | None
    login: str = ""


def touched_budgets(where: Where, policy: Policy, timezone: str, at: datetime) -> list[tuple[BudgetKey, Cap]]:
    """Every budget that work there and then touches, with its cap by the policy: tab, person, repository, organization."""
    person_cap = policy.engineer_cap(where.login)
    wanted: list[tuple[Scope, int | None, Cap]] = [(Scope.TAB, where.tab_id, policy.tab)]
    match where.person:
        case Scope.GUEST:
            wanted.append((Scope.GUEST, where.repository_id, policy.guest))
        case Scope.DOWNGRADE:
            wanted.append((Scope.DOWNGRADE, where.engineer_id, downgrade_cap(policy, person_cap)))
        case Scope.ENGINEER:
            wanted.append((Scope.ENGINEER, where.engineer_id, person_cap))
    wanted.append((Scope.REPOSITORY, where.repository_id, policy.repository))
    wanted.append((Scope.ORGANIZATION, where.organization_id, policy.organization))
    return [
        (BudgetKey(scope, subject, window_at(cap.window, timezone, at)), cap)
        for scope, subject, cap in wanted
        if subject is not None
    ]


def downgrade_cap(policy: Policy, engineer: Cap) -> Cap:
    """The cap of the budget that sessions on cheaper models draw on: in the window of the engineer's own."""
    return Cap(nano=policy.downgrade.cap, window=engineer.window, why="cheaper models after the budget is empty")
