"""Notices about one session: to the channel, and what its engineer has to know also directly to them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.jobs.notice_person import tell
from app.jobs.notice_sending import Latch, send
from app.jobs.notice_subject import About, about_start
from app.ledger.books import Job
from app.render.notices import Notice, tripped_notice
from app.render.session_notices import Which, raised_notice, session_notice
from app.slack_api.protocol import Chat
from app.world import World
from tabstop.breaker_memory import Trip
from tabstop.governor.orders import EventKind
from tabstop.session import Limits
from tabstop.visibility import Reader, Surface
from tabstop.wire import SessionEvent
from tabstop.wire_json import from_json

# A trip, a session's event and a raise are told under an id of their own, which no budget has.
_IN_CHANNEL, _DIRECTLY = 0, 1

_NEEDS_ITS_ENGINEER = frozenset({EventKind.SUSPEND, EventKind.STOP, EventKind.ASK})
"""It does not go on, or not as far, without somebody; what merely looks wrong is for the channel."""


def tripped(world: World, chat: Chat, organization_id: int, payload: Mapping[str, Any]) -> None:
    """A breaker tripped in it."""
    about = _about(world, organization_id, payload)
    if about is None:
        return
    _ask_for_direct(world, organization_id, payload, about)
    if about.channel:
        notice = _of_trip(about, payload, about.reader)
        send(world, chat, organization_id, about.channel, notice, Latch(int(payload["id"]), _IN_CHANNEL))


def session(world: World, chat: Chat, organization_id: int, payload: Mapping[str, Any]) -> None:
    """Its governor noticed something, or stopped it."""
    about = _about(world, organization_id, payload)
    if about is None:
        return
    if from_json(SessionEvent, payload["event"]).kind in _NEEDS_ITS_ENGINEER:
        _ask_for_direct(world, organization_id, payload, about)
    if about.channel:
        notice = _of_event(about, payload, about.reader)
        send(world, chat, organization_id, about.channel, notice, Latch(int(payload["id"]), _IN_CHANNEL))


def raised(world: World, chat: Chat, organization_id: int, payload: Mapping[str, Any]) -> None:
    """It was allowed more. Only the channel hears of it: who asked knows."""
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

    send(world, chat, organization_id, about.channel, notice, Latch(int(payload["id"]), _IN_CHANNEL))


def direct(world: World, chat: Chat, organization_id: int, payload: Mapping[str, Any]) -> None:
    """The same, to the engineer alone, who reads their own figures. payload: theirs, with `of`, which of the two it is."""
    about = _about(world, organization_id, payload)
    if about is None or not about.person:
        return

    of = _of_trip if payload["of"] == "tripped" else _of_event
    notice = of(about, payload, Reader(Surface.ENGINEER, login=about.login))

    tell(world, chat, organization_id, about, notice, Latch(int(payload["id"]), _DIRECTLY))


def _about(world: World, organization_id: int, payload: Mapping[str, Any]) -> About | None:
    with world.store.look(organization_id) as books:
        return about_start(books, payload, world.settings.github_url)


def _ask_for_direct(world: World, organization_id: int, payload: Mapping[str, Any], about: About) -> None:
    if not about.person:
        return
    job = Job("notice", f"direct:{payload['id']}", {**payload, "notice": "direct", "of": payload["notice"]})
    with world.store.open(organization_id) as books:
        if books.latch(int(payload["id"]), _DIRECTLY):
            books.enqueue(job)


def _of_trip(about: About, payload: Mapping[str, Any], reader: Reader) -> Notice:
    trip = from_json(Trip, payload["trip"])
    return tripped_notice(
        trip,
        from_json(datetime, payload["open_until"]) if payload["open_until"] else None,
        reader=reader,
        agent=str(payload["agent"]),
        where=about.where,
        branch=about.branch,
        again=bool(payload["again"]),
        at=trip.at,
        links=about.links,
    )


def _of_event(about: About, payload: Mapping[str, Any], reader: Reader) -> Notice:
    event, at = from_json(SessionEvent, payload["event"]), from_json(datetime, payload["at"])
    return session_notice(event, _which(about, payload), reader=reader, at=at)


def _which(about: About, payload: Mapping[str, Any]) -> Which:
    agent, name = str(payload["agent"]), str(payload["session"])
    return Which(name, agent, about.where, about.branch, about.login, about.links)
