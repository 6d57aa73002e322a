"""notice: tell a channel about a budget, a refused start, a breaker that tripped, a running session. payload: notice, …

`crossed` (budget, step), `refused` (repository, tab, engineer, agent, pull_request, run, findings) and `tripped` (the
same with id, trip, open_until and again in place of findings) come from the ledger's transactions, as do `session` (likewise
with id, session, event, at) and `raised` (with id, session, by_how_much, limits, approver, at, expires_at). A refusal is told
once per hour for each (budget, window, cause): `refused` sets a latch and, if it was the first, asks for `refusal` in the same
transaction, so neither a flood nor a loss is possible. In the same way `session` and `tripped` ask for `direct`, which tells the
engineer whose session it is: a job of its own, so that neither message waits for the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog

from app.jobs.notice_sending import Latch, send
from app.jobs.notice_session import direct, raised, session, tripped
from app.jobs.notice_subject import about_budget, about_start, anchor
from app.ledger.books import Job
from app.registry import Transaction
from app.render.notices import RED, crossed_notice, refused_notice
from app.slack_api.protocol import Chat
from app.world import GiveUpError, World
from tabstop.budget import standing
from tabstop.verdict import Finding, Outcome, Signal
from tabstop.wire_json import from_json, to_json

# Latches share one number per budget with the steps, which are percents: refusals lie far above them.
_REFUSED = 1_000_000

log = structlog.get_logger()


def run(world: World, organization_id: int | None, payload: Mapping[str, Any]) -> None:
    """Tell the channel, or the person, that the policy in force names; nothing to do without either, or without a chat."""
    if organization_id is None:
        raise GiveUpError("a notice needs an organization")
    if world.chat is None:
        log.info("nobody told: no chat is configured", notice=payload["notice"], organization=organization_id)
        return
    tell = _TELL.get(str(payload["notice"]))
    if tell is None:
        raise GiveUpError(f"no notice is called {payload['notice']!r}; the server may be older than the job")
    tell(world, world.chat, organization_id, payload)


def _crossed(world: World, chat: Chat, organization_id: int, payload: Mapping[str, Any]) -> None:
    step, now = int(payload["step"]), world.now()
    with world.store.look(organization_id) as books:
        budget = books.budgets_by_id([int(payload["budget"])], now).get(int(payload["budget"]))
        about = about_budget(books, budget, world.settings.github_url) if budget else None
    if budget is None or about is None or not about.channel:
        return

    finding = standing(budget, about.policy.steps, about.subject)
    if budget.spent_percent < step:
        return  # raised or corrected meanwhile: what would be said is no longer so
    if any(step < higher <= budget.spent_percent for higher in (*about.policy.steps, RED)):
        return  # one jump over several steps is one message: the highest step's
    notice = crossed_notice(
        finding,
        step,
        reader=about.reader,
        where=about.where,
        approvers=about.policy.approvers,
        at=now,
        links=about.links,
    )

    send(world, chat, organization_id, about.channel, notice, Latch(budget.id, step))


def _refused(world: World, _chat: Chat, organization_id: int, payload: Mapping[str, Any]) -> None:
    now = world.now()
    findings = _findings(payload)
    with world.store.open(organization_id) as books:
        about = about_start(books, payload, world.settings.github_url)
        if about is None or not about.channel:
            return
        new = [latch for latch in _groups(books, payload, findings, now) if books.latch(latch.budget_id, latch.number)]
        if new:
            first = {"budget": new[0].budget_id, "number": new[0].number}
            again = {**payload, "notice": "refusal", "at": to_json(now), **first}
            books.enqueue(Job("notice", f"refusal:{new[0].budget_id}:{new[0].number}", again))


def _refusal(world: World, chat: Chat, organization_id: int, payload: Mapping[str, Any]) -> None:
    with world.store.look(organization_id) as books:
        about = about_start(books, payload, world.settings.github_url)
    if about is None or not about.channel:
        return

    notice = refused_notice(
        _findings(payload),
        reader=about.reader,
        agent=str(payload["agent"]),
        where=about.where,
        branch=about.branch,
        asked_by=about.login,
        at=from_json(datetime, payload["at"]),
        links=about.links,
    )

    latch = Latch(int(payload["budget"]), int(payload["number"]))
    send(world, chat, organization_id, about.channel, notice, latch)


_TELL = {
    "crossed": _crossed,
    "refused": _refused,
    "refusal": _refusal,
    "tripped": tripped,
    "session": session,
    "raised": raised,
    "direct": direct,
}


def _findings(payload: Mapping[str, Any]) -> list[Finding]:
    return [from_json(Finding, item) for item in payload["findings"]]


def _groups(books: Transaction, payload: Mapping[str, Any], findings: Sequence[Finding], now: datetime) -> list[Latch]:
    """One latch for each reason: the budget that stops (its window is part of it), why, and the hour."""
    hour = int(now.timestamp()) // 3_600
    found = []
    for finding in findings:
        budget = anchor(books, payload, finding, now) if finding.outcome is Outcome.STOP else None
        if budget is not None:
            found.append(Latch(budget.id, _REFUSED + hour * 16 + _kind(finding)))
    return found


def _kind(finding: Finding) -> int:
    """0 spent, 1 held, from 2 on what is no budget."""
    if finding.signal is Signal.BUDGET:
        return int(finding.cause == "held")
    return 2 + list(Signal).index(finding.signal)
