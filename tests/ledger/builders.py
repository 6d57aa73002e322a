"""Builders for ledger tests: each test names only the detail it is about. Money as people write it: `"1.20"`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from app.ledger.admit import Start, admit, allowance
from app.ledger.books import Books, SessionRow, StartAttempt
from app.ledger.record_usage import Pricer, Recorded, Report, record_usage
from app.registry import Organization, PullRequest, Repository, Store, Transaction
from tabstop.admission import Admission
from tabstop.budget import Scope
from tabstop.cost import Cost, CostState
from tabstop.money import dollars
from tabstop.policy.model import Cap, Policy, SessionLimits
from tabstop.usage import Billing, Tokens, ToolCall, Usage
from tabstop.window import WindowKind
from tabstop.wire import ClientTotal, StartAnswer

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
"""A Friday noon, ten days before the month ends."""

REPOSITORY = 101
ENGINEER = 201
NANO_PER_TOKEN = 1_000
"""What every token costs by `a_price`: a dollar per million."""


def at(minutes: float) -> datetime:
    """A moment after `NOW`."""
    return NOW + timedelta(minutes=minutes)


def a_cap(
    amount: str | None = None, *, tokens: int | None = None, window: WindowKind = WindowKind.MONTH, why: str = ""
) -> Cap:
    """A cap in dollars, tokens or both; of nothing, unlimited."""
    return Cap(None if amount is None else dollars(amount), tokens, window, why)


def a_policy(
    *,
    hold: str | None = None,
    session: str | None = "10",
    session_tokens: int | None = 10_000_000,
    tab: Cap | str | None = "50",
    engineer: Cap | str | None = "1000",
    repository: Cap | str | None = "10000",
    organization: Cap | str | None = None,
    guest: Cap | str | None = "100",
    **more: Any,
) -> Policy:
    """A policy; caps as dollars a month (the tab's for its lifetime), as `Cap`, or None for unlimited."""
    return Policy(
        session=SessionLimits(cost=None if session is None else dollars(session), tokens=session_tokens),
        tab=_cap(tab, WindowKind.LIFETIME),
        engineer=_cap(engineer),
        guest=_cap(guest),
        repository=_cap(repository),
        organization=_cap(organization),
        hold=None if hold is None else dollars(hold),
        **more,
    )


def _cap(cap: Cap | str | None, window: WindowKind = WindowKind.MONTH) -> Cap:
    return cap if isinstance(cap, Cap) else a_cap(cap, window=window)


def a_start(
    name: str = "one",
    *,
    policy: Policy | None = None,
    branch: str = "claude/x",
    engineer_id: int | None = ENGINEER,
    person: Scope | None = Scope.ENGINEER,
    repository_id: int = REPOSITORY,
    billing: Billing = Billing.API,
    **more: Any,
) -> Start:
    """A start of session `name`, with a key and a token of its own."""
    return Start(
        key=more.pop("key", f"key-{name}"),
        token_id=more.pop("token_id", f"token-{name}"),
        session_id=f"session-{name}",
        repository_id=repository_id,
        branch=branch,
        engineer_id=engineer_id,
        person=person,
        policy=policy or a_policy(),
        policy_commit="c0ffee",
        agent=more.pop("agent", "claude-code"),
        login=more.pop("login", "alice"),
        billing=billing,
        repository_name="acme/web",
        **more,
    )


def an_answer(start: Start) -> Any:
    """What `admit` is given to word its answer with."""

    def answer_of(admission: Admission, session: SessionRow | None) -> StartAnswer:
        if session is None:
            return StartAnswer(admission.verdict)
        return StartAnswer(
            admission.verdict,
            session.id,
            f"token of {session.id}",
            allowance(admission, start, {}),
            session.lease_until,
        )

    return answer_of


def begin(books: Books, start: Start, now: datetime = NOW) -> StartAttempt:
    """Ask for a session."""
    return admit(books, start, now, an_answer(start))


def begun(books: Books, start: Start, now: datetime = NOW) -> SessionRow:
    """A session that was admitted."""
    attempt = begin(books, start, now)
    session = books.session(attempt.session_id)
    assert session is not None, attempt.answer
    return session


def a_price(usage: Usage) -> Cost:
    """A dollar per million tokens of any kind; a model called `mystery` has no price, a web search costs a cent."""
    if usage.model == "mystery":
        return Cost(CostState.UNKNOWN, None, why="no price")
    nano = usage.tokens.total * NANO_PER_TOKEN + usage.web_searches * dollars("0.01")
    return Cost(CostState.KNOWN, nano, usage.model)


def a_usage(
    *keys: str,
    tokens: int | Tokens = 100_000,
    model: str = "claude-sonnet-4-5",
    occurred_at: datetime = NOW,
    tools: int = 0,
    **more: Any,
) -> Usage:
    """A usage of this many output tokens; 100,000 of them cost ten cents."""
    return Usage(
        keys=tuple(keys) or ("anthropic:req:1",),
        model=model,
        tokens=tokens if isinstance(tokens, Tokens) else Tokens(output=tokens),
        occurred_at=occurred_at,
        agent="claude-code",
        thread=more.pop("thread", "thread"),
        tool_calls=tuple(ToolCall("Bash") for _ in range(tools)),
        **more,
    )


def a_report(
    usages: Iterable[Usage] = (),
    *,
    totals: Iterable[ClientTotal] = (),
    policy: Policy | None = None,
    price: Pricer = a_price,
) -> Report:
    """A batch."""
    return Report(list(usages), list(totals), policy or a_policy(), price, "alice")


def report(books: Transaction, session_id: str, batch: Report, now: datetime = NOW) -> Recorded:
    """Send a batch for a session."""
    session = books.session(session_id)
    assert session is not None
    return record_usage(books, session, batch, now)


def an_organization(store: Store, login: str = "acme", *, timezone: str = "UTC") -> Organization:
    """An installed organization with the repository `acme/web`."""
    organization = store.register(github_id=hash_of(login), login=login, installation_id=hash_of(login) + 1)
    with store.open(organization.id) as books:
        books.save_organization(replace(organization, timezone=timezone))
        books.save_repository(Repository(REPOSITORY, 9_001, f"{login}/web"))
        return books.organization()


def a_pull_request(number: int, branch: str, tab_id: int, now: datetime = NOW) -> PullRequest:
    """An open pull request of `acme/web`, as the registry has it."""
    return PullRequest(
        0, REPOSITORY, number, tab_id, f"{number:040x}", branch, "main", None, "A change", "open", False, now
    )


def hash_of(login: str) -> int:
    """A number for a login, the same in every run."""
    return sum(ord(letter) * 31**n for n, letter in enumerate(login))
