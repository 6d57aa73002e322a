"""Delivery: a finished session's usage and ending, brought to the server as far as it will go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tabstop.beside.server import NotAcceptedError, NoTokenError, Server, ServerError
from tabstop.beside.spool import Undelivered
from tabstop.evidence import MOST_COMMITS, MOST_LINKS
from tabstop.usage import Usage
from tabstop.verdict import Verdict
from tabstop.wire import Call, ClientTotal, Doubted, EndAnswer, UsageBatch

CALLS_A_BATCH = 200
"""Some 100 kB of JSON."""

_GONE = frozenset({401, 403, 404, 410})


class NotTakenError(ServerError):
    """The server was asked to record a session after the fact and refused to; `verdict` says why."""

    def __init__(self, verdict: Verdict) -> None:
        """Keep the verdict."""
        reasons = "; ".join(finding.sentence for finding in verdict.reasons if finding.sentence)
        super().__init__(f"the session was not taken: {reasons}" if reasons else "the session was not taken")
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Delivered:
    """How far it went. `answer` is the session's totals when all of it arrived; else `error`, and `rest` is what is left.

    doubted: what arrived, but does not count as it was told.
    """

    rest: Undelivered
    answer: EndAnswer | None = None
    error: Exception | None = None
    doubted: tuple[Doubted, ...] = ()


def call_of(usage: Usage) -> Call:
    """A usage as the wire has it; the folder it was made in stays here."""
    return Call(
        keys=usage.keys,
        model=usage.model,
        tokens=usage.tokens,
        occurred_at=usage.occurred_at,
        thread=usage.thread,
        web_searches=usage.web_searches,
        grain=usage.grain,
        cache_split_known=usage.cache_split_known,
        tool_calls=usage.tool_calls,
        repository=usage.evidence.repository,
        branch=usage.evidence.branch,
        commit=usage.evidence.commit,
    )


Identity = Callable[[], tuple[str, str]]
"""Gives a fresh token that may start sessions, and a fresh Idempotency-Key. Raises `NoTokenError`."""


def batches_of(
    calls: tuple[Call, ...], totals: tuple[ClientTotal, ...] = (), *, template: UsageBatch | None = None
) -> tuple[UsageBatch, ...]:
    """Cut calls into batches; the client's totals go with the last, so that they are compared with all calls.

    template: billing and its evidence, repeated in every batch, and pull requests, commits and gauges, which go with the last.
    Nothing to tell gives no batch.
    """
    whole = template or UsageBatch()
    base = replace(whole, pull_requests=(), commits=(), gauges=())
    parts = [calls[at : at + CALLS_A_BATCH] for at in range(0, len(calls), CALLS_A_BATCH)]
    if not parts and (totals or base.billing is not None or whole != base):
        parts = [()]
    batches = [replace(base, calls=part) for part in parts]
    if batches:
        links, commits = whole.pull_requests[-MOST_LINKS:], whole.commits[-MOST_COMMITS:]
        batches[-1] = replace(
            batches[-1], client_totals=totals, pull_requests=links, commits=commits, gauges=whole.gauges
        )
    return tuple(batches)


def deliver(left: Undelivered, server: Server, identity: Identity) -> Delivered:
    """Send what is left, in order, and end the session.

    A session the server does not know, or whose token it no longer takes, is started anew, after the fact.
    """
    delivery = _Delivery(server, identity)
    return replace(delivery.run(left), doubted=tuple(delivery.doubted))


class _Delivery:
    """doubted: of all that arrived, also where sending stopped afterwards."""

    def __init__(self, server: Server, identity: Identity) -> None:
        self.doubted: list[Doubted] = []
        self._server = server
        self._identity = identity

    def run(self, left: Undelivered) -> Delivered:
        """See `deliver`."""
        if left.token:
            try:
                return self._send(left)
            except _StoppedError as stopped:
                left = stopped.rest
                if not stopped.gone:
                    return Delivered(left, error=stopped.why)
        try:
            return self._start_and_send(left)
        except _StoppedError as stopped:
            return Delivered(stopped.rest, error=stopped.why)
        except (ServerError, NoTokenError) as error:
            return Delivered(left, error=error)

    def _start_and_send(self, left: Undelivered) -> Delivered:
        """Ask for the session after the fact, under the report's own key, so that copies of a report are one session.

        The gate's question may have arrived though its answer did not: then this key brings back that session. Where that
        answer was a refusal, or its token is no longer good, the session ran all the same and is opened under a second key.
        """
        asked = replace(left.start, unadmitted_since=left.begun_at)
        verdict = Verdict()
        for ending in ("", "-late") if left.key else ("",):
            token, fresh = self._identity()
            answer = self._server.start(asked, token=token, key=f"{left.key or fresh}{ending}")
            verdict = answer.verdict
            if not answer.session:
                continue
            left = replace(left, session=answer.session, token=answer.token)
            try:
                return self._send(left)
            except _StoppedError as stopped:
                left = stopped.rest
                if ending or not (left.key and stopped.gone):
                    raise
        return Delivered(left, error=NotTakenError(verdict))

    def _send(self, left: Undelivered) -> Delivered:
        try:
            while left.batches:
                self.doubted += self._server.usage(left.session, left.batches[0], token=left.token).doubted
                left = replace(left, batches=left.batches[1:])
            return Delivered(left, self._server.end(left.session, left.end, token=left.token))
        except ServerError as error:
            raise _StoppedError(left, error) from error


class _StoppedError(Exception):
    """Sending stopped half-way."""

    def __init__(self, rest: Undelivered, why: ServerError) -> None:
        super().__init__(str(why))
        self.rest = rest
        self.why = why

    @property
    def gone(self) -> bool:
        """Whether the server knows no such session, or takes its token no more."""
        return isinstance(self.why, NotAcceptedError) and self.why.status in _GONE
