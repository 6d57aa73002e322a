"""Sending: what waits in the queue goes to the server, one client's session in one repository after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from tabstop.beside.delivery import CALLS_A_BATCH
from tabstop.beside.hook_records import name_of
from tabstop.beside.server import NotAcceptedError, Server, UnreachableError
from tabstop.beside.session_folder import NoSessionError, Record, SessionFolder
from tabstop.beside.sync.queue import Part, Queue
from tabstop.evidence import CommitMade, PullRequestLink
from tabstop.gauge import GaugeReading, vendor_of
from tabstop.session import SessionOutcome
from tabstop.session_key import session_key
from tabstop.usage import Billing
from tabstop.wire import Call, EndRequest, Problem, StartRequest, UsageBatch

QUIET = timedelta(minutes=30)
"""After which a client's session counts as over. One that goes on is not harmed: what it uses still counts."""

TOLD_A_BATCH = 50
"""Links and commits in one batch."""

_GONE = frozenset({401, 403, 404, 409, 410})
"""What the server answers where the session that was admitted is refused, or forgotten, by now."""
_TOO_BAD = frozenset({400, 413, 422})
_HOOKS = {"gemini-cli": "gemini"}
"""What an agent is called where its hooks are installed."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How an organization's repositories are told: the server, an engineer's own token there, and how their tokens are paid.

    sessions: the folder of this machine's sessions: what was reported while it ran is the same session there.
    gauges: how full the vendors' windows are, as this machine's agents heard.
    """

    server: Server
    organization: str
    token: str = field(repr=False)
    sessions: Path
    billing: Billing = Billing.UNKNOWN
    gauges: tuple[GaugeReading, ...] = ()


@dataclass(slots=True)
class Sent:
    """What came of it. new: calls that the server did not know. refused: those that it will never take.

    not_covered: repositories, failed: sessions that the server did not take, with its reason; their calls wait.
    doubted: why, in the server's words, it does not count calls as they were told, and how many.
    """

    sessions: int = 0
    calls: int = 0
    new: int = 0
    not_covered: dict[str, str] = field(default_factory=dict)
    failed: dict[Part, str] = field(default_factory=dict)
    refused: int = 0
    doubted: Counter[str] = field(default_factory=Counter)


class _NotCovered(Exception):  # noqa: N818 - a refusal is no mistake of ours
    """The server does not take sessions of this repository."""


def send(queue: Queue, parts: Sequence[Part], ways: Ways, now: datetime, sent: Sent) -> None:
    """Send these parts, oldest first. One that the server will not take does not stand in the way of the others.

    Raises `UnreachableError`, or `NotAcceptedError` for a token that is good no more. What was sent until then is remembered.
    """
    newest: dict[str, _Sending] = {}
    deferred = queue.deferred()
    for part in sorted(parts, key=deferred.__contains__):
        if part.repository in sent.not_covered:
            continue
        sending = _Sending(queue, part, ways, sent)
        try:
            told = sending.run(now)
        except _NotCovered as error:
            sent.not_covered[part.repository] = str(error)
        except NotAcceptedError as error:
            if error.status == 401:
                raise
            sent.failed[part] = said_by(error)
        except UnreachableError:
            queue.defer(part, yes=True)  # should it be this one's fault, the next pass tells the others first
            raise
        else:
            if told:
                newest[vendor_of(part.agent)] = sending
            if part in deferred:
                queue.defer(part, yes=False)
    for vendor, sending in newest.items():
        sending.tell_gauges(vendor)


def said_by(error: NotAcceptedError) -> str:
    """The server's own explanation."""
    problem = error.problem
    return " ".join(one for one in (problem.title, problem.detail, problem.remedy) if one)


class _Sending:
    """One part."""

    def __init__(self, queue: Queue, part: Part, ways: Ways, sent: Sent) -> None:
        self._queue = queue
        self._part = part
        self._ways = ways
        self._sent = sent
        self._session = self._token = ""
        self._live: Record | None = None

    def run(self, now: datetime) -> bool:
        """Whether the server has the session now. Raises `ServerError`, `_NotCovered`."""
        span = self._queue.span(self._part)
        if span is None:
            return False  # a link alone: its calls were made elsewhere, or long ago
        self._live = self._admitted()
        if self._live is not None and not self._was_told(self._live, now):
            self._live = None
        if self._live is None:
            self._open(span[0])
            self._tell()
        self._sent.sessions += 1
        if now - span[1] >= QUIET:
            self._end(span)
        return True

    def tell_gauges(self, vendor: str) -> None:
        """Tell what is new of this vendor's windows: they are the engineer's, whichever session tells of them."""
        organization = self._ways.organization
        new = self._queue.new_gauges(organization, (one for one in self._ways.gauges if one.vendor == vendor))
        if not new:
            return
        try:
            self._server_usage(UsageBatch(gauges=tuple(new)))
        except NotAcceptedError as error:
            if error.status not in _TOO_BAD:
                return  # a later pass may do better
        self._queue.gauges_told(organization, new)

    def _was_told(self, record: Record, now: datetime) -> bool:
        """Whether the session that was admitted while it ran took the rest; not where its question was refused, or is forgotten."""
        late = replace(record.start, unadmitted_since=min(record.began_at, now))
        try:
            if not self._opened(late, record.key):
                return False
            self._tell()
        except NotAcceptedError as error:
            if error.status not in _GONE:
                raise
            return False
        return True

    def _tell(self) -> None:
        calls, told = self._queue.calls(self._part), self._queue.told(self._part)
        while calls or told:
            self._batch(calls[:CALLS_A_BATCH], told[:TOLD_A_BATCH])
            calls, told = calls[CALLS_A_BATCH:], told[TOLD_A_BATCH:]
        totals = self._queue.totals(self._part)
        if totals:
            self._server_usage(UsageBatch(client_totals=totals))
            self._queue.totals_told(self._part, totals)

    def _open(self, since: datetime) -> None:
        """Open it after the fact, or find it again, under its own key."""
        part = self._part
        calls = [call for _, call in self._queue.calls(part)]
        # A fork's branch is not this repository's, whatever its name: its calls themselves say where they were made.
        here = [call for call in calls if call.repository.lower() == part.repository.lower()]
        first = next((call for call in here if call.branch), here[0] if here else None)
        known = self._ways.billing is not Billing.UNKNOWN
        start = StartRequest(
            part.agent,
            part.repository,
            first.branch if first else "",
            first.commit if first else "",
            model=calls[0].model if calls else "",
            billing=self._ways.billing,
            billing_evidence="said by the engineer" if known else "",
            unadmitted_since=since,
            thread=part.session,
        )
        try:
            taken = self._opened(start, session_key(part.agent, part.session, part.repository))
        except NotAcceptedError as error:
            if error.status == 403:
                raise _NotCovered(said_by(error)) from error
            raise
        if not taken:
            raise NotAcceptedError(409, Problem("The server did not take the session."))

    def _opened(self, start: StartRequest, key: str) -> bool:
        answer = self._ways.server.start(start, token=self._ways.token, key=key)
        self._session, self._token = answer.session, answer.token
        return bool(answer.session)

    def _admitted(self) -> Record | None:
        """The session that its hooks or its wrapper asked this server for, on this machine and in this repository."""
        agent = _HOOKS.get(self._part.agent, self._part.agent)
        try:
            record = SessionFolder(self._ways.sessions / name_of(agent, self._part.session)).record()
        except NoSessionError:
            return None
        same = record.start.repository.lower() == self._part.repository.lower()
        return record if same and record.key and record.server == self._ways.server.address else None

    def _batch(
        self, calls: Sequence[tuple[str, Call]], told: Sequence[tuple[str, PullRequestLink | CommitMade]]
    ) -> None:
        """Send it; one that the server will not take is cut in two, down to the call that is to blame."""
        batch = UsageBatch(
            calls=tuple(call for _, call in calls),
            pull_requests=tuple(one for _, one in told if isinstance(one, PullRequestLink)),
            commits=tuple(one for _, one in told if isinstance(one, CommitMade)),
        )
        names = [key for key, _ in calls], [name for name, _ in told]
        try:
            new = self._server_usage(batch)
        except NotAcceptedError as error:
            if error.status not in _TOO_BAD:
                raise
            if len(calls) + len(told) > 1:
                half, told_half = (len(calls) + 1) // 2, 0 if calls else (len(told) + 1) // 2
                self._batch(calls[:half], told[:told_half])
                self._batch(calls[half:], told[told_half:])
                return
            self._sent.refused += len(calls)
            self._queue.sent(*names)
            return
        self._sent.calls += len(calls)
        self._sent.new += new
        self._queue.sent(*names)

    def _server_usage(self, batch: UsageBatch) -> int:
        answer = self._ways.server.usage(self._session, batch, token=self._token)
        self._sent.doubted.update(one.why for one in answer.doubted)
        return answer.new

    def _end(self, span: tuple[datetime, datetime]) -> None:
        """Say that it is over. Of one that was admitted, whoever watched it says so."""
        if self._live is not None or self._queue.ended(self._part) == span[1]:
            self._queue.end(self._part, span[1])
            return
        seconds = int((span[1] - span[0]).total_seconds())
        request = EndRequest(SessionOutcome.FINISHED.value, "read from the agent's own logs", seconds)
        self._ways.server.end(self._session, request, token=self._token)
        self._queue.end(self._part, span[1])
