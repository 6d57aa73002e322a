"""Sending a notice: a latch says that it was tried, so that it goes out once, or says that it may be a repeat.

A warning that was tried is not sent again; all else is, marked as a possible repeat. Asking the chat who we are comes before that
latch, so an outage costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog

from app.render.notices import Notice
from app.render.slack import slack_message
from app.slack_api.protocol import Chat, ChatError
from app.world import GiveUpError, RetryLaterError, World

# Latches share one number per budget with the steps, which are percents: attempts lie far above them, and above refusals.
_TRIED = 100_000_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Latch:
    """What is set, once and for ever, when something was done: a budget's window, or an id of its own, and a number."""

    budget_id: int
    number: int

    @property
    def tried(self) -> Latch:
        """The latch that says a message about this was tried."""
        return Latch(self.budget_id, self.number + _TRIED)


def send(world: World, chat: Chat, organization_id: int, channel: str, notice: Notice, latch: Latch) -> None:
    """Post it. Raises `RetryLaterError` when it surely did not arrive or when it is worth a repeat, `GiveUpError` when neither."""
    reach(chat)
    try:
        post(world, chat, organization_id, channel, notice, latch)
    except ChatError as error:
        if error.retry_after is not None and not notice.occasion.survives:
            log.warning("a warning may not have arrived and is not repeated", channel=channel, reason=str(error))
            return
        raise failed(error) from error


def reach(chat: Chat) -> None:
    """Make sure that the chat is there and takes our token. Raises `RetryLaterError` or `GiveUpError`."""
    try:
        chat.who()
    except ChatError as error:
        raise failed(error) from error


def post(world: World, chat: Chat, organization_id: int, channel: str, notice: Notice, latch: Latch) -> None:
    """Post it, unless it was tried and is not worth a repeat. Raises `ChatError`."""
    with world.store.open(organization_id) as books:
        first = books.latch(latch.tried.budget_id, latch.tried.number)
    if first or notice.occasion.survives:
        chat.post(slack_message(channel, replace(notice, may_be_repeat=not first)))


def failed(error: ChatError) -> RetryLaterError | GiveUpError:
    """What a job says of it."""
    if error.retry_after is None:
        return GiveUpError(str(error))
    return RetryLaterError(str(error), error.retry_after or None)
