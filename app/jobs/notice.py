"""notice: tell a channel about a budget, a refused start, a breaker that tripped, a running session. payload: notice, …

`crossed` (budget, step), `refused` (repository, tab, engineer, agent, pull_request, run, findings) and `tripped` (the
same with id, trip, open_until and again in place of findings) come from the ledger's transactions, as do `session` (likewise
with id, session, event, at) and `raised` (with id, session, by_how_much, limits, approver, at, expires_at). A refusal is told
once per hour for each (budget, window, cause): `refused` sets a latch and, if it was the first, asks for `refusal` in the same
transaction, so neither a flood nor a loss is possible.

Before a message goes out another latch says that it was tried. A warning that was tried is not sent again; all else is,
marked as a possible repeat. Asking the chat who we are comes before that latch, so an outage costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from app.jobs.notice_subject import About, about_budget, about_start, anchor
from app.ledger.books import Job
from app.registry import Transaction
from app.render.notices import RED, Notice, crossed_notice, refused_notice, tripped_notice
from app.render.session_notices import Which, raised_notice, session_notice
from app.render.slack import slack_message
from app.slack_api.protocol import Chat, ChatError
from app.world import GiveUpError, RetryLaterError, World
from tabstop.breaker_memory import Trip
from tabstop.budget import standing
from tabstop.session import Limits
from tabstop.verdict import Finding, Outcome, Signal
from tabstop.wire import SessionEvent
from tabstop.wire_json import from_json, to_json

# Latches share one number per budget with the steps, which are percents: refusals and attempts lie far above them.
_REFUSED = 1_000_000
_TRIED = 100_000_000
# A trip, a session's event and a raise are told under an id of their own, which no budget has.
_OWN_ID = 0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Latch:
    """What is set, once and for ever, when something was done: a budget's window and a number."""

    budget_id: int
    number: int

    @property
    def tried(self) -> Latch:
        """The latch that says a message about this was tried."""
        return Latch(self.budget_id, self.number + _TRIED)


def run(world: World, organization_id: int | None, payload: Mapping[str, Any]) -> None:
    """Tell the channel that the policy in force names; nothing to do without a channel or without a chat."""
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

    _send(world, chat, organization_id, about.channel, notice, Latch(budget.id, step))


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
    _send(world, chat, organization_id, about.channel, notice, latch)


def _tripped(world: World, chat: Chat, organization_id: int, payload: Mapping[str, Any]) -> None:
    with world.store.look(organization_id) as books:
        about = about_start(books, payload, world.settings.github_url)
    if about is None or not about.channel:
        return

    trip = from_json(Trip, payload["trip"])
    notice = tripped_notice(
        trip,
        from_json(datetime, payload["open_until"]) if payload["open_until"] else None,
        reader=about.reader,
        agent=str(payload["agent"]),
        where=about.where,
        branch=about.branch,
        again=bool(payload["again"]),
        at=trip.at,
        links=about.links,
    )

    _send(world, chat, organization_id, about.channel, notice, Latch(int(payload["id"]), _OWN_ID))


def _session(world: World, chat: Chat, organization_id: int, payload: Mapping[str, Any]) -> None:
    with world.store.look(organization_id) as books:
        about = about_start(books, payload, world.settings.github_url)
    if about is None or not about.channel:
        return

    event, at = from_json(SessionEvent, payload["event"]), from_json(datetime, payload["at"])
    notice = session_notice(event, _which(about, payload), reader=about.reader, at=at)

    _send(world, chat, organization_id, about.channel, notice, Latch(int(payload["id"]), _OWN_ID))


def _raised(world: World, chat: Chat, organization_id: int, payload: Mapping[str, Any]) -> None:
    with world.store.look(organization_id) as books:
        about = about_start(books, payload, world.settings.github_url)
        approver = books.engineer(int(payload["approver"])) if payload["approver"] else None
    if about is None or not about.channel:
        return

    notice = raised_notice(
        from_json(Limits, payload["by_how_much"]),
        from_json(Limits, payload["limits"]),
        _which(about, payload),
        approver=approver.login if approver else "",
        expires_at=from_json(datetime, payload["expires_at"]),
        reader=about.reader,
        at=from_json(datetime, payload["at"]),
    )

    _send(world, chat, organization_id, about.channel, notice, Latch(int(payload["id"]), _OWN_ID))


def _which(about: About, payload: Mapping[str, Any]) -> Which:
    agent, session = str(payload["agent"]), str(payload["session"])
    return Which(session, agent, about.where, about.branch, about.login, about.links)


_TELL = {
    "crossed": _crossed,
    "refused": _refused,
    "refusal": _refusal,
    "tripped": _tripped,
    "session": _session,
    "raised": _raised,
}


def _send(world: World, chat: Chat, organization_id: int, channel: str, notice: Notice, latch: Latch) -> None:
    """Post it. Raises `RetryLaterError` when it surely did not arrive, or when it is worth a repeat."""
    try:
        chat.who()
    except ChatError as error:
        raise _failed(error) from error
    with world.store.open(organization_id) as books:
        first = books.latch(latch.tried.budget_id, latch.tried.number)
    if not first and not notice.occasion.survives:
        return
    try:
        chat.post(slack_message(channel, replace(notice, may_be_repeat=not first)))
    except ChatError as error:
        if error.retry_after is not None and not notice.occasion.survives:
            log.warning("a warning may not have arrived and is not repeated", channel=channel, reason=str(error))
            return
        raise _failed(error) from error


def _failed(error: ChatError) -> RetryLaterError | GiveUpError:
    if error.retry_after is None:
        return GiveUpError(str(error))
    return RetryLaterError(str(error), error.retry_after or None)


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
