"""Notices about one running session: what its governor did, and more that it was allowed. Any channel can render them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.render.notices import Link, Notice, Occasion, located
from tabstop.event_words import because, happened, limits_now, raised_by, to_go_on
from tabstop.explain import moment
from tabstop.markdown import plain
from tabstop.policy.problem import quoted
from tabstop.session import Limits
from tabstop.visibility import Reader, Surface
from tabstop.wire import SessionEvent


@dataclass(frozen=True, slots=True)
class Which:
    """The session. engineer: whose it is, shown only where the reader may see names."""

    id: str
    agent: str
    where: str
    branch: str = ""
    engineer: str = ""
    links: tuple[Link, ...] = ()


def session_notice(event: SessionEvent, which: Which, *, reader: Reader, at: datetime) -> Notice:
    """Its governor noticed something, or stopped it."""
    theirs = reader.surface is Surface.ENGINEER
    title = f"{'Your' if theirs else 'A'} session of {quoted(which.agent)} {happened(event)}"
    lines = (_what(which, happened(event), reader), because(event), to_go_on(event, which.id, yours=theirs))
    return Notice(Occasion.SESSION, reader, plain(title), tuple(filter(None, lines)), at, "", which.where, which.links)


def raised_notice(
    by_how_much: Limits,
    limits: Limits,
    which: Which,
    *,
    approver: str,
    expires_at: datetime,
    reader: Reader,
    at: datetime,
) -> Notice:
    """An overdrive of one session. approver: a login, empty for an operator; shown only where the reader may see names."""
    more = raised_by(by_how_much)
    by = (quoted(approver) if approver and reader.names else "an approver") if approver else "an operator"
    lines = (
        f"{_what(which, f'may use {more} more', reader).removesuffix('.')}, allowed by {by}.",
        limits_now(by_how_much, limits),
        f"What is left of it is taken back on {moment(expires_at, at)}.",
    )
    title = f"A session of {quoted(which.agent)} was given more (an overdrive)"
    return Notice(Occasion.RAISED, reader, plain(title), lines, at, f"{more} more", which.where, which.links)


def _what(which: Which, did: str, reader: Reader) -> str:
    on = f" on {quoted(which.branch)}" if which.branch else ""
    by = f", started by {quoted(which.engineer)}," if which.engineer and reader.names else ""
    name = "Your session" if reader.surface is Surface.ENGINEER else "Session"
    return f"{name} {quoted(which.id)} of {quoted(which.agent)}{on} {located(which.where)}{by} {did}."
