"""What a notice is about: which repository, whose budget, which channel, who reads it, and where to read on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from app.ledger.rows import NO_REPOSITORY
from app.registry import EngineerKind, InForce, Repository, Transaction
from app.render.notices import Link
from tabstop.budget import Budget, Scope
from tabstop.policy.model import Policy
from tabstop.verdict import Finding, Signal
from tabstop.visibility import Reader, Surface


@dataclass(frozen=True, slots=True)
class About:
    """channel: empty for nowhere. subject: what people call the budget's subject. where: the repository; empty for none.

    branch, login: of a start; empty where there is none or nobody is known. engineer: their id; 0 likewise.
    person: whom the policy says they are in Slack, a member id or an e-mail address; empty when it does not, and for bots.
    """

    channel: str
    policy: Policy
    reader: Reader
    subject: str = ""
    where: str = ""
    branch: str = ""
    login: str = ""
    links: tuple[Link, ...] = ()
    engineer: int = 0
    person: str = ""


def about_budget(books: Transaction, budget: Budget, github_url: str) -> About | None:
    """A budget that crossed a step. None when what it bounds is gone."""
    scope, subject_id = budget.key.scope, budget.key.subject_id
    match scope:
        case Scope.TAB:
            tab = books.tab(subject_id)
            if tab is None:
                return None
            return _in_repository(books, tab.repository_id, tab.branch, github_url, tab_id=tab.id)
        case Scope.REPOSITORY | Scope.GUEST:
            return _in_repository(books, subject_id, "", github_url)
    in_force = books.policy_in_force(NO_REPOSITORY)
    subject = _login(books, subject_id) if scope in {Scope.ENGINEER, Scope.DOWNGRADE} else ""
    return _about(in_force, None, subject=subject)


def about_start(books: Transaction, payload: Mapping[str, Any], github_url: str) -> About | None:
    """A start that was refused, or a session, which may be in no repository. None when its repository is gone."""
    tab = books.tab(int(payload["tab"])) if payload.get("tab") else None
    engineer = books.engineer(int(payload["engineer"])) if payload.get("engineer") else None
    login = engineer.login if engineer else ""
    about: About | None
    if payload["repository"] == NO_REPOSITORY:
        about = _about(books.policy_in_force(NO_REPOSITORY), None, subject=login, login=login)
    else:
        about = _in_repository(
            books,
            int(payload["repository"]),
            tab.branch if tab else "",
            github_url,
            tab_id=tab.id if tab else None,
            number=payload.get("pull_request"),
            run=str(payload.get("run") or ""),
            login=login,
        )
    if about is None or engineer is None or engineer.kind is EngineerKind.BOT:
        return about
    return replace(about, engineer=engineer.id, person=about.policy.slack.person(engineer.login))


def anchor(books: Transaction, payload: Mapping[str, Any], finding: Finding, now: datetime) -> Budget | None:
    """The budget a refusal is remembered under: the one that stopped it, else its repository's or the organization's."""
    subjects: dict[str, int | None] = {
        Scope.TAB: payload.get("tab"),
        Scope.ENGINEER: payload.get("engineer"),
        Scope.DOWNGRADE: payload.get("engineer"),
        Scope.GUEST: payload.get("repository"),
        Scope.REPOSITORY: payload.get("repository"),
        Scope.ORGANIZATION: books.organization_id,
    }
    first = [finding.scope] if finding.signal is Signal.BUDGET else []
    # A window may have ended between the refusal and this job, and nothing been asked for in the next one yet.
    for at in (now, now - timedelta(hours=1)):
        for scope in (*first, Scope.REPOSITORY, Scope.ORGANIZATION):
            subject_id = subjects.get(scope)
            budget = books.budget_in_window(Scope(scope), subject_id, at) if subject_id is not None else None
            if budget is not None:
                return budget
    return None


def _in_repository(
    books: Transaction,
    repository_id: int,
    branch: str,
    github_url: str,
    *,
    tab_id: int | None = None,
    number: int | None = None,
    run: str = "",
    login: str = "",
) -> About | None:
    repository = books.repository(repository_id)
    if repository is None:
        return None
    home = f"{github_url.rstrip('/')}/{repository.full_name}"
    if number is None and tab_id is not None:
        number = next((p.number for p in books.pull_requests_of_tab(tab_id)), None)
    links = [Link(f"{repository.full_name}#{number}", f"{home}/pull/{number}")] if number is not None else []
    links += [Link("workflow run", f"{home}/actions/runs/{run}")] if run.isdigit() else []
    links = links or [Link(repository.full_name, home)]
    return _about(
        books.policy_in_force(repository_id),
        repository,
        subject=branch or repository.full_name,
        branch=branch,
        login=login,
        links=tuple(links),
    )


def _about(
    in_force: InForce,
    repository: Repository | None,
    *,
    subject: str,
    branch: str = "",
    login: str = "",
    links: tuple[Link, ...] = (),
) -> About:
    slack = in_force.policy.slack
    public = repository is not None and not repository.private
    reader = Reader(Surface.CHANNEL, public=public, names=slack.names)
    where = repository.full_name if repository else ""
    return About(slack.channel, in_force.policy, reader, subject, where, branch, login, links)


def _login(books: Transaction, engineer_id: int) -> str:
    engineer = books.engineer(engineer_id)
    return engineer.login if engineer else ""
