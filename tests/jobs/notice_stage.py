"""A stage for notices: an organization, its books, and a chat that keeps its messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app.github_api.fake import FakeGitHub
from app.jobs import notice
from app.jobs.runner import Runner
from app.ledger.books import BudgetChange, Job, Tab
from app.registry import Engineer, PolicyFile, Repository, Store
from app.settings import Settings
from app.slack_api.fake import FakeChat
from app.slack_api.protocol import ChatError
from app.world import World
from tabstop.budget import Amount, Budget, BudgetKey, Scope
from tabstop.cost import Cost, CostState
from tabstop.money import dollars
from tabstop.policy.model import Cap
from tabstop.verdict import Finding, Outcome, Signal
from tabstop.window import WindowKind, window_at
from tabstop.wire_json import to_json

NOW = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)


ORGANIZATIONS_FILE = "slack:\n  channel: '#ai-spend'\n  allowed: ['#payments']\n"


OUTAGE = ChatError("Slack is not well (HTTP 503).", retry_after=0)


@dataclass
class Stage:
    """An organization with one repository, alice, a branch with a pull request, and a chat that keeps its messages."""

    store: Store
    organization_id: int
    repository: Repository
    alice: Engineer
    tab: Tab
    chat: FakeChat = field(default_factory=FakeChat)
    now: datetime = NOW

    def world(self, *, chat: bool = True) -> World:
        """The world a job gets."""
        return World(
            settings=Settings.from_environ({"TABSTOP_SECRET_KEY": "k" * 32}),
            store=self.store,
            github=FakeGitHub(),
            chat=self.chat if chat else None,
            now=lambda: self.now,
            new_session_id=lambda: "ses_1",
            price=lambda _usage, _overrides: Cost(CostState.UNKNOWN, None),
            price_card=lambda _models, _at, _overrides: {},
        )

    def runner(self) -> Runner:
        """What does the outbox's notices."""
        return Runner(self.world(), {"notice": notice.run})

    def budget(self, scope: Scope, spent: str, cap: str = "50", held: str = "0") -> Budget:
        """A budget with this much spent."""
        subject = {
            Scope.TAB: self.tab.id,
            Scope.REPOSITORY: self.repository.id,
            Scope.ENGINEER: self.alice.id,
            Scope.ORGANIZATION: self.organization_id,
        }[scope]
        kind = WindowKind.LIFETIME if scope is Scope.TAB else WindowKind.MONTH
        key = BudgetKey(scope, subject, window_at(kind, "UTC", self.now))
        with self.store.open(self.organization_id) as books:
            budget = books.budgets([(key, Cap(dollars(cap), None, kind))], self.now)[0]
            change = Amount(dollars(spent)) - budget.spent
            books.change_budgets({budget.id: BudgetChange(change, Amount(dollars(held)))})
            return books.budgets_by_id([budget.id], self.now)[budget.id]

    def policy(self, text: str, *, organization: bool = False) -> None:
        """Put a policy file in force."""
        whose = None if organization else self.repository.id
        with self.store.open(self.organization_id) as books:
            books.add_policy_file(PolicyFile(whose, "c" * 40, text, "valid", (), self.now))

    def crossed(self, budget: Budget, step: int) -> Mapping[str, Any]:
        """The payload the ledger leaves."""
        return {"notice": "crossed", "budget": budget.id, "step": step}

    def refused(self, *findings: Finding, key: str = "k1", tab: bool = True) -> Mapping[str, Any]:
        """The payload admission leaves."""
        return {
            "notice": "refused",
            "repository": self.repository.id,
            "tab": self.tab.id if tab else None,
            "engineer": self.alice.id,
            "agent": "claude-code",
            "pull_request": 7 if tab else None,
            "run": "99",
            "findings": to_json(list(findings)),
        }

    def enqueue(self, key: str, payload: Mapping[str, Any]) -> None:
        """As the ledger does."""
        with self.store.open(self.organization_id) as books:
            books.enqueue(Job("notice", key, payload))

    def told(self) -> list[str]:
        """What was posted, as notifications show it."""
        return [f"{m.channel} {m.text}" for m in self.chat.messages]


def spent_finding(scope: Scope = Scope.TAB, cause: str = "spent") -> Finding:
    """Why a start was refused."""
    return Finding(
        Signal.BUDGET, Outcome.STOP, scope.value, subject="alice" if scope is Scope.ENGINEER else "claude/fix-login",
        unit="usd", cap=dollars(50), spent=dollars("50.13"), asked=dollars(2), cause=cause,
    )  # fmt: skip
