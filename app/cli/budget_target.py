"""Which budget a command means, by the words people use, and what a stored budget is called."""

from __future__ import annotations

from datetime import datetime

from app.cli.opening import OperatorError, pull_request_numbered, repository_named
from app.registry import Organization, Repository, Transaction
from tabstop.budget import Budget, BudgetKey, Scope
from tabstop.policy.model import Cap, Policy
from tabstop.window import window_at


def tab_budget(books: Transaction, organization: Organization, target: str, now: datetime) -> Budget:
    """The budget of `REPO#7` or `REPO@BRANCH`. Raises `OperatorError`."""
    name, mark, rest = target.partition("#") if "#" in target.partition("@")[0] else target.partition("@")
    repository = repository_named(books, organization, name)
    if mark == "#":
        tab_id = pull_request_numbered(books, repository, rest).tab_id
    elif mark == "@" and rest:
        tab = books.tab_of_branch(repository.id, rest)
        if tab is None:
            raise OperatorError(
                f"No tab is open for the branch {rest} of {repository.full_name}: no session ran on it since its last "
                "pull request ended."
            )
        tab_id = tab.id
    else:
        raise OperatorError(f"--tab is {target!r}; write REPO#NUMBER of a pull request, or REPO@BRANCH.")
    cap = _policy(books, repository).tab
    return _budget(books, Scope.TAB, tab_id, cap, now)


def repository_budget(books: Transaction, organization: Organization, name: str, now: datetime) -> Budget:
    """A repository's own budget. Raises `OperatorError`."""
    repository = repository_named(books, organization, name)
    return _budget(books, Scope.REPOSITORY, repository.id, _policy(books, repository).repository, now)


def guest_budget(books: Transaction, organization: Organization, name: str, now: datetime) -> Budget:
    """The budget of a repository's bots and outsiders. Raises `OperatorError`."""
    repository = repository_named(books, organization, name)
    return _budget(books, Scope.GUEST, repository.id, _policy(books, repository).guest, now)


def engineer_budget(books: Transaction, login: str, now: datetime) -> Budget:
    """An engineer's budget. Raises `OperatorError`."""
    engineer = books.engineer_by_login(login)
    if engineer is None:
        raise OperatorError(f"Tabstop has not met {login}: no session of theirs was started or charged here.")
    return _budget(books, Scope.ENGINEER, engineer.id, _policy(books).engineer_cap(engineer.login), now)


def organization_budget(books: Transaction, organization: Organization, now: datetime) -> Budget:
    """The organization's budget."""
    return _budget(books, Scope.ORGANIZATION, organization.id, _policy(books).organization, now)


def called(books: Transaction, key: BudgetKey) -> str:
    """What people call a budget: `tab acme/widget#7`, `engineer alice (November 2026)`."""
    window = "" if key.window.end is None else f" ({key.window.name})"
    match key.scope:
        case Scope.TAB:
            return _tab(books, key.subject_id) + window
        case Scope.REPOSITORY | Scope.GUEST:
            repository = books.repository(key.subject_id)
            whose = "guests of" if key.scope is Scope.GUEST else "repository"
            return f"{whose} {repository.full_name if repository else key.subject_id}{window}"
        case Scope.ENGINEER | Scope.DOWNGRADE:
            engineer = books.engineer(key.subject_id)
            beside = " on cheaper models" if key.scope is Scope.DOWNGRADE else ""
            return f"engineer {engineer.login if engineer else key.subject_id}{beside}{window}"
        case Scope.ORGANIZATION:
            return f"organization {books.organization().login}{window}"


def _tab(books: Transaction, tab_id: int) -> str:
    tab = books.tab(tab_id)
    if tab is None:
        return f"tab {tab_id}"
    repository = books.repository(tab.repository_id)
    name = repository.full_name if repository else str(tab.repository_id)
    pull_requests = books.pull_requests_of_tab(tab_id)
    return f"tab {name}#{pull_requests[0].number}" if pull_requests else f"tab {name}@{tab.branch}"


def _policy(books: Transaction, repository: Repository | None = None) -> Policy:
    """The policy in force: the repository's, or what any repository has from the organization's file."""
    if repository is None:
        active = [r for r in books.repositories() if r.active]
        # The organization's own repository says least of its own, so it comes closest to the organization's file.
        repository = min(active, key=lambda r: not r.full_name.endswith("/.github"), default=None)
    return books.policy_in_force(repository.id).policy if repository else Policy()


def _budget(books: Transaction, scope: Scope, subject_id: int, cap: Cap, now: datetime) -> Budget:
    """The budget as it stands, with the cap it was last touched with; opened by the policy when nothing touched it yet."""
    found = books.budget_in_window(scope, subject_id, now)
    if found is not None:
        return found
    window = window_at(cap.window, books.timezone, now)
    return books.budgets([(BudgetKey(scope, subject_id, window), cap)], now)[0]
