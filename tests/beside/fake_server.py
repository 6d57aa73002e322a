"""A Tabstop server in memory, behind the transport: it keeps what it is told and answers as a test says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.journal import Journal
from tabstop.beside.pricing import Pricer
from tabstop.beside.reporting import Reporter
from tabstop.beside.server import Server
from tabstop.beside.session_folder import Record, SessionFolder, create
from tabstop.beside.transport import NoAnswerError, Request, Response
from tabstop.governor.settings import Exhaustion, Heartbeats, OnLimit, Settings
from tabstop.price_card import ModelPrice, PriceCard, Rates, Tier
from tabstop.session import Limits
from tabstop.usage import Tokens, Usage
from tabstop.verdict import Verdict
from tabstop.wire import (
    Allowance,
    EndAnswer,
    EndRequest,
    Problem,
    ResumeAnswer,
    StartAnswer,
    StartRequest,
    UsageAnswer,
    UsageBatch,
)
from tabstop.wire_json import from_json, to_json
from tabstop.wire_login import WhoAmI
from tests.governor.builders import at

CARD = PriceCard(at(0), {"m": ModelPrice("m", "m", exact=True, tiers=(Tier(0, Rates(output=Decimal(10_000))),))})
"""Ten dollars a million output tokens: a thousand cost a cent."""


ALLOWED = Limits(cost=1_000_000_000, iterations=50)


def takes_all(_batch: UsageBatch) -> str:
    """Nothing is wrong with it."""
    return ""


@dataclass
class FakeServer:
    """away: nobody answers. refuse: says what is wrong with a batch, or nothing. The answers may be changed at any time."""

    away: bool = False
    status: int = 0
    no_ends: bool = False
    organization: str = "acme"
    refuse: Callable[[UsageBatch], str] = takes_all
    answer: UsageAnswer = field(default_factory=lambda: UsageAnswer(Verdict()))
    resumed: ResumeAnswer = field(default_factory=lambda: ResumeAnswer(Verdict(), Limits(cost=1_000_000_000), "fresh"))
    admits: StartAnswer = field(default_factory=lambda: StartAnswer(Verdict(), "ses_9", "t9", Allowance(ALLOWED)))
    starts: list[StartRequest] = field(default_factory=list)
    batches: list[UsageBatch] = field(default_factory=list)
    ends: list[EndRequest] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def send(self, request: Request, timeout: float) -> Response:
        """See `tabstop.beside.transport.Transport`."""
        if self.away:
            raise NoAnswerError("no route to host")
        what = request.url.rpartition("/")[2]
        self.asked.append(what)
        self.tokens.append(request.headers["Authorization"].removeprefix("Bearer "))
        if self.status:
            return _response(self.status, Problem("Not now."))
        body = json.loads(request.body or b"{}")
        if what == "whoami":
            return _response(200, WhoAmI("alice", self.organization, ("start",)))
        if what == "sessions":
            self.starts.append(from_json(StartRequest, body))
            return _response(201 if self.admits.session else 403, self.admits)
        if what == "usage":
            batch = from_json(UsageBatch, body)
            if fault := self.refuse(batch):
                return _response(400, Problem("The batch is not valid.", fault))
            self.batches.append(batch)
            return _response(200, self.answer)
        if what == "resume":
            return _response(200 if self.resumed.limits else 403, self.resumed)
        if self.no_ends:
            raise NoAnswerError("no answer in time")
        self.ends.append(from_json(EndRequest, body))
        return _response(200, EndAnswer(Verdict()))

    @property
    def keys(self) -> list[str]:
        """First keys of all calls it was told, in order."""
        return [call.keys[0] for batch in self.batches for call in batch.calls]


def _response(status: int, body: object) -> Response:
    return Response(status, json.dumps(to_json(body)).encode())


@dataclass
class Told:
    """A session whose reporter talks to a fake server."""

    server: FakeServer
    session: GovernedSession
    reporter: Reporter
    folder: SessionFolder
    journal: Journal
    spool: Path
    log: list[str]

    def answered(self, key: str, output: int = 1_000, **more: Any) -> None:
        """The agent had an answer; a thousand tokens cost a cent."""
        usage = Usage((key,) if key else (), "m", Tokens(output=output), at(1), **more)
        self.session.answered(usage)


def told(
    tmp_path: Path, server: FakeServer, *, limits: Limits | None = None, interval: int = 3_600, **record: Any
) -> Told:
    """A session taken up where its journal ends. Its clock moves a second with every look."""
    settings = Settings(
        session="s1",
        limits=limits or Limits(cost=1_000_000_000),
        exhaustion=Exhaustion(on_limit=OnLimit.SUSPEND),
        heartbeats=Heartbeats(interval=interval),
    )
    known = {"server": "https://tabstop.example", "server_session": "ses_1", "token": "t0", "key": "k" * 16, **record}
    folder = create(tmp_path / "sessions", Record("s1", at(0), StartRequest("claude-code"), settings, **known))
    journal = Journal(folder.journal)
    seconds = count()  # a reporter that never waits looks as often as the machine lets it
    session = GovernedSession(
        settings, Pricer(CARD), lambda: at(10) + timedelta(seconds=next(seconds)), journal=journal
    )
    log: list[str] = []
    spool = tmp_path / "spool"
    speaks = Server("https://tabstop.example", server, lambda _seconds: None)
    reporter = Reporter(session, folder, folder.record(), speaks, spool, log=log.append)
    return Told(server, session, reporter, folder, journal, spool, log)
