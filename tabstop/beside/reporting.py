"""Reporting: a governed session's live conversation with its server. Usage, events and gauges go up, orders and limits come back.

    reporter = reporter_for(record, session, folder, os.environ)  # None without a server
    if reporter: verdict = reporter.begin()  # STOP: it was taken up again and may not go on; do not start the agent
    …
    if reporter: reporter.close(SessionOutcome.SUSPENDED, "…")

Nothing of the session waits for it. While the server is away everything is kept, at the end in the spool; sending a thing
twice changes nothing there, so a settle step may tell the same calls again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from tabstop.agents.gemini.hooks import AGENT as GEMINI
from tabstop.beside.checked_out import CheckedOutNow, CheckedOutThen
from tabstop.beside.delivery import call_of
from tabstop.beside.gauge_file import read_gauges
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.journal import Entry, read_entry
from tabstop.beside.report_queue import ReportQueue, calls_of
from tabstop.beside.server import NotAcceptedError, Server, ServerError, UnreachableError
from tabstop.beside.session_folder import NoSessionError, Record, SessionFolder
from tabstop.beside.spool import Undelivered, put, spool_root, take_back
from tabstop.beside.transport import Transport, UrllibTransport
from tabstop.explain import explain
from tabstop.gauge import Gauge, GaugeReading, newest
from tabstop.governor.facts import Released, ServerSaid
from tabstop.governor.orders import Event
from tabstop.session import Limits, SessionOutcome
from tabstop.usage import Usage
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tabstop.wire import EndRequest, UsageBatch

CLOSE_SECONDS = 10.0
"""How long the end of a session waits for its last report."""

_GONE = frozenset({401, 403, 404, 410})
_TOO_BAD = frozenset({400, 413, 422})

Log = Callable[[str], None]


class Reporter:
    """Of one session. Any thread may call it; `report` is called by a thread of its own, or by a test."""

    def __init__(
        self,
        session: GovernedSession,
        folder: SessionFolder,
        record: Record,
        server: Server,
        spool: Path,
        *,
        closing: threading.Event | None = None,
        log: Log = lambda _text: None,
    ) -> None:
        """closing: set at the end, so that a `Server` which sleeps on it gives up waiting. log: takes lines for people."""
        self._session = session
        self._folder = folder
        self._record = record
        self._server = server
        self._spool = spool
        self._log = log
        self._token = record.token
        self._closing = closing or threading.Event()
        self._wake = threading.Event()
        self._queue = ReportQueue(f"tabstop-beside:{record.id}")
        self._then, self._checked_out = CheckedOutThen(), CheckedOutNow(record.cwd, record.fork)
        self._gauges: dict[Gauge, GaugeReading] = {}
        self._released_at: datetime | None = None
        self._thread: threading.Thread | None = None
        self._delivered = False
        self._gone = not (record.server_session and record.token)
        self._away = False
        session.listen(lambda event, _order: self.on_event(event), self._on_usage)

    def begin(self, *, wait: bool = True) -> Verdict:
        """Start reporting. A session taken up again is resumed at the server first: STOP means that it may not go on.

        Where the server is away it goes on within the limits it has. wait: False where nobody may wait for a network, such as a
        hook: the server's word then comes as an order, like any other.
        """
        again = self._session.state.totals.last_at is not None
        left = take_back(self._spool, self._record.began_at, self._record.server_session)
        if left is not None:
            self._queue.put_back(left.batches)
        since = self._untold_since()
        if again and since is not None:
            for call in calls_of(self._journal()):
                if call.occurred_at >= since:
                    self._queue.add_call(call)
        with suppress(OSError):
            self._folder.note_unreported(since)
        if self._gone:
            return Verdict()
        if again:  # `tabstop release` of a session that nobody watches is in its journal only
            released = (entry.fact.at for entry in self._journal() if isinstance(entry.fact, Released))
            self._released_at = max(released, default=None)
        verdict = self.resume() if again and wait else Verdict()
        first = self.resume if again and not wait else None
        self._thread = threading.Thread(target=self._run, args=(first,), name="tabstop-reporter", daemon=True)
        self._thread.start()
        return verdict

    def resume(self) -> Verdict:
        """Ask to go on; an empty verdict where nobody can be asked."""
        try:
            answer = self._server.resume(self._record.server_session, token=self._token, released_at=self._released_at)
        except ServerError as error:
            self._failed(error)
            return Verdict()
        if answer.limits is None:
            self._tell(answer.verdict, ("wind down",), None)
            return answer.verdict
        self._token = answer.token or self._token
        with suppress(OSError, NoSessionError):
            kept = self._folder.record()
            if kept.server_session == self._record.server_session:  # it may have begun anew meanwhile
                self._folder.write_record(replace(kept, token=self._token))
        self._tell(answer.verdict, ("proceed",), answer.limits)
        return answer.verdict

    def report(self) -> bool:
        """Tell all that waits, or only that the session is alive; obey the answers. False when the server has not all of it."""
        self._look_at_gauges()
        while not self._gone:
            batch = self._queue.next_batch()
            try:
                answer = self._server.usage(self._record.server_session, batch, token=self._token)
            except NotAcceptedError as error:
                if error.status not in _TOO_BAD or batch == UsageBatch():
                    self._failed(error)
                    return False
                self._log(f"the server does not take a part of the report: {error.problem.detail or error}")
                self._queue.refused(batch)
                continue
            except ServerError as error:
                self._failed(error)
                return False
            self._away = False
            self._queue.arrived(batch)
            if not self._closing.is_set():
                self._tell(answer.verdict, answer.orders, answer.limits)
                if answer.silent:
                    self.resume()
            if self._queue.is_empty:
                return True
        return False

    def on_event(self, event: Event) -> None:
        """Take in an event that an attach point has to tell; the session's own are heard anyway."""
        self._queue.add_event(event)
        self._hurry()

    def close(self, outcome: SessionOutcome | None, detail: str = "", seconds: float = CLOSE_SECONDS) -> bool:
        """Tell the rest and end the session. False when the server has not all of it; then it waits in the spool.

        outcome: None leaves the session open: a settle step tells its end, or it may go on at once. Returns within about so
        many seconds, whatever the server does.
        """
        end = None
        if outcome is not None:
            end = EndRequest(outcome.value, detail[:500], self._session.state.totals.wall_clock_seconds)
        self._closing.set()
        self._wake.set()
        last = threading.Thread(target=self._finish, args=(end,), name="tabstop-last-report", daemon=True)
        try:
            last.start()
            last.join(seconds)
        except RuntimeError:  # the interpreter is ending: no thread begins any more
            self._finish(end)
        delivered = self._delivered
        if delivered or (end is not None and self._keep(end)):
            self._folder.unreported.unlink(missing_ok=True)
        return delivered

    def _untold_since(self) -> datetime | None:
        """Since when the journal's calls are this server's and it may lack them; None where it has them all."""
        try:
            # Whoever watched it before could not say its last, or had no server yet.
            left = self._folder.unreported.read_text(encoding="ascii")
            return datetime.fromisoformat(left) if left else self._record.began_at
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return self._record.began_at

    def _journal(self) -> Iterator[Entry]:
        with suppress(OSError), self._folder.journal.open("rb") as lines:
            for line in lines:
                if (entry := read_entry(line)) is not None:
                    yield entry

    def _on_usage(self, usage: Usage) -> None:
        if usage.agent == GEMINI and not usage.thread:  # its requests name none, so the proxy cannot tell
            usage = replace(usage, thread=self._record.agent_session)
        where = self._checked_out.completed(self._then.completed(usage))
        usage = replace(usage, evidence=where)
        self._queue.add_call(call_of(usage))
        self._hurry()

    def _look_at_gauges(self) -> None:
        """Queue the readings that are new, in the session's folder or in its agent's log, whoever wrote them."""
        known = newest((*read_gauges(self._folder), *self._session.state.gauged.readings))
        for reading in known.values():
            if self._gauges.get(reading.gauge) != reading:
                self._gauges[reading.gauge] = reading
                self._queue.add_gauge(reading)

    def _hurry(self) -> None:
        """A server that is away is asked again at the next interval, no sooner."""
        if self._queue.is_pressing and not self._away:
            self._wake.set()

    def _run(self, first: Callable[[], Verdict] | None) -> None:
        if first is not None:
            first()
        while not self._closing.is_set():
            self._wake.wait(self._session.settings.heartbeats.interval)
            self._wake.clear()
            if self._closing.is_set():
                return
            try:
                self.report()
            except (
                OSError
            ) as error:  # the journal's disk is full, say: the report arrived, its answer is not written down
                self._log(f"the server's answer cannot be kept: {error}")

    def _finish(self, end: EndRequest | None) -> None:
        if self._thread is not None:
            self._thread.join()
        if not self.report():
            return
        try:
            if end is not None:
                skipped = {"call that the server does not take": self._queue.left_out} if self._queue.left_out else {}
                self._server.end(self._record.server_session, replace(end, skipped=skipped), token=self._token)
            self._delivered = True
        except ServerError as error:
            self._failed(error)

    def _keep(self, end: EndRequest) -> bool:
        left = Undelivered(
            server=self._record.server,
            start=self._record.start,
            begun_at=self._record.began_at,
            end=end,
            batches=self._queue.everything(),
            session=self._record.server_session,
            token=self._token,
            key=self._record.key,
            why="the session ended while the server was away",
        )
        try:
            put(self._spool, left)
        except OSError as error:
            self._log(f"what the server has not heard cannot be kept either: {error}")
            return False
        return True

    def _tell(self, verdict: Verdict, orders: tuple[str, ...], limits: Limits | None) -> None:
        now = self._session.now()
        name = self._session.settings.session
        found = tuple(_worded(one, name, now) if one.outcome is Outcome.STOP else one for one in verdict.findings)
        self._session.tell(ServerSaid(now, Verdict(found), orders, limits and self._record.binding(limits)))

    def _failed(self, error: ServerError) -> None:
        if isinstance(error, NotAcceptedError) and error.status in _GONE:
            self._gone = True
            self._log(f"the server knows this session no more ({error}); the rest is kept for a later report")
        elif not self._away:
            self._away = isinstance(error, UnreachableError)
            self._log(f"the server cannot be told: {error}. What is not told is kept.")


def _worded(finding: Finding, session: str, now: datetime) -> Finding:
    """A reason to stop as an order says it: the server sends numbers where its reader can find the words."""
    remedy = finding.remedy
    if finding.signal is Signal.LIMIT and not remedy:
        remedy = f"To go on, let it have more with `tabstop overdrive {session}`, then resume the agent: its totals are carried over."
    return replace(finding, sentence=finding.sentence or explain(replace(finding, remedy=""), now), remedy=remedy)


def reporter_for(
    record: Record,
    session: GovernedSession,
    folder: SessionFolder,
    environ: Mapping[str, str],
    *,
    transport: Transport | None = None,
    log: Log = lambda _text: None,
) -> Reporter | None:
    """The reporter of a session that a server knows or shall know, not begun; None where none is configured."""
    if not record.server:
        return None
    closing = threading.Event()  # the pauses between tries end with the session

    def pause(seconds: float) -> None:
        closing.wait(seconds)

    server = Server(record.server, transport or UrllibTransport(), pause)
    return Reporter(session, folder, record, server, spool_root(environ), closing=closing, log=log)
