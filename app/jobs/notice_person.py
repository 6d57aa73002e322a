"""Telling one engineer directly: who they are in Slack is looked up and remembered, as is that they cannot be told.

What is remembered holds for what the policy said when it was found out; another entry under `slack.people` is tried at once.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from app.jobs.digest import digest_of
from app.jobs.notice_sending import Latch, failed, post, reach
from app.jobs.notice_subject import About
from app.registry import SlackMember
from app.render.notices import Notice
from app.slack_api.protocol import Chat, ChatError
from app.world import World

MEMBER_HOLDS = timedelta(days=1)
"""An address may be given to somebody else; then Slack is asked again."""

PROBLEM_HOLDS = timedelta(hours=1)
"""Who cannot be told is not tried again sooner, however much there is to tell. `doctor` shows them meanwhile."""

log = structlog.get_logger()


def tell(world: World, chat: Chat, organization_id: int, about: About, notice: Notice, latch: Latch) -> None:
    """Tell the engineer `about.person` stands for. One who cannot be told is remembered; the channel has been told anyway.

    Raises `RetryLaterError`, and `GiveUpError` when the token itself is at fault.
    """
    now = world.now()
    known = _known(world, organization_id, about)
    if known is not None and known.problem and now < known.checked_at + PROBLEM_HOLDS:
        log.info("an engineer is not told directly", engineer=about.engineer, reason=known.problem)
        return
    reach(chat)
    try:
        member = _found(world, chat, organization_id, about, known)
        post(world, chat, organization_id, member, notice, latch)
    except ChatError as error:
        if error.retry_after is not None:
            raise failed(error) from error
        log.warning("an engineer cannot be told directly", engineer=about.engineer, reason=str(error))
        _keep(world, organization_id, SlackMember(about.engineer, digest_of(about.person), "", str(error), now))


def _known(world: World, organization_id: int, about: About) -> SlackMember | None:
    with world.store.look(organization_id) as books:
        known = books.slack_member(about.engineer)
    return known if known is not None and known.digest == digest_of(about.person) else None


def _found(world: World, chat: Chat, organization_id: int, about: About, known: SlackMember | None) -> str:
    now = world.now()
    if known is not None and known.member and now < known.checked_at + MEMBER_HOLDS:
        return known.member
    member = chat.member_of(about.person) if "@" in about.person else about.person
    _keep(world, organization_id, SlackMember(about.engineer, digest_of(about.person), member, "", now))
    return member


def _keep(world: World, organization_id: int, member: SlackMember) -> None:
    with world.store.open(organization_id) as books:
        books.keep_slack_member(member)
