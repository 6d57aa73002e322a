"""A server for tests of what runs beside an agent: keeps the wire's promises, decides as it is told, remembers what it got."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tabstop.beside.transport import NoAnswerError, Request, Response
from tabstop.session import Limits
from tabstop.usage import Tokens
from tabstop.verdict import Finding, Outcome, Signal, Verdict, verdict_of
from tabstop.wire import (
    Allowance,
    Call,
    ClientTotal,
    Doubted,
    EndAnswer,
    EndRequest,
    Placement,
    Problem,
    ResumeAnswer,
    StartAnswer,
    StartRequest,
    UsageAnswer,
    UsageBatch,
)
from tabstop.wire_json import WireError, from_json, to_json

CENT = 10_000_000
DOLLAR = 100 * CENT
NANO_PER_TOKEN = 1_000
PAGE = "https://github.com/acme/widget/pull/42"

LIMITS = Limits(tokens=10_000_000, tool_calls=500, iterations=200, wall_clock_seconds=7_200, cost=10 * DOLLAR)


def a_finding(**about: Any) -> Finding:
    """A tab's budget with room, unless told otherwise."""
    usual: dict[str, Any] = {
        "signal": Signal.BUDGET,
        "outcome": Outcome.ALLOW,
        "scope": "tab",
        "subject": "claude/fix",
        "unit": "usd",
        "cap": 50 * DOLLAR,
        "spent": 10 * DOLLAR,
        "held": 2 * DOLLAR,
        "window": "in all",
    }
    return Finding(**{**usual, **about})


def spent_tab() -> Verdict:
    """A tab whose budget is used up."""
    return verdict_of(
        a_finding(
            outcome=Outcome.STOP,
            spent=50 * DOLLAR,
            held=0,
            asked=2 * DOLLAR,
            cause="spent",
            remedy="Ask an approver (`carol`) for a raise of this budget (an overdrive).",
        ),
        a_finding(scope="repository", subject="acme/widget", cap=10_000 * DOLLAR, window="November 2026"),
    )


def held_tab(retry_at: datetime) -> Verdict:
    """A tab of which other sessions hold what is left."""
    return verdict_of(
        a_finding(
            outcome=Outcome.STOP, spent=40 * DOLLAR, held=9 * DOLLAR, asked=2 * DOLLAR, cause="held", retry_at=retry_at
        )
    )


@dataclass
class Known:
    """A session the server admitted, and all it was told of it."""

    start: StartRequest
    token: str
    calls: dict[tuple[str, ...], Call] = field(default_factory=dict)
    totals: dict[tuple[str, str], ClientTotal] = field(default_factory=dict)
    batches: list[UsageBatch] = field(default_factory=list)
    end: EndRequest | None = None

    @property
    def tokens(self) -> Tokens:
        """Of the calls, each once."""
        return sum((call.tokens for call in self.calls.values()), Tokens())


@dataclass(frozen=True)
class Asked:
    """One start as it came in."""

    token: str
    key: str
    request: StartRequest


Decide = Callable[[StartRequest], Verdict]
Fault = Callable[[str], Response | None]


class FakeTabstop:
    """The server's half of the contract in memory. `decide` gives verdicts; `fault` may answer before anything else does.

    ends: changes the totals a session ends with. fault: takes `start`, `usage` or `end`; a `Response` is what the caller gets; raising `NoAnswerError` is silence.
    identify: gives a token's `jti`, or raises `ValueError`; without it every token is its own.
    """

    def __init__(self) -> None:
        self.decide: Decide = lambda _request: verdict_of(a_finding())
        self.fault: Fault = lambda _route: None
        self.identify: Callable[[str], str] = lambda token: token
        self.allowance = Allowance(LIMITS, hold=2 * DOLLAR, policy_commit="c" * 40, price_card={"secret": "rates"})
        self.asked: list[Asked] = []
        self.sessions: dict[str, Known] = {}
        self.page = PAGE
        self.server_unreachable = "allow"  # as the policy in force has it
        self.ends: Callable[[EndAnswer], EndAnswer] = lambda answer: answer
        self.takes_late = True  # sessions that began unasked are recorded whatever the budgets say
        self.names = "s"
        self.doubts = ""  # why no call can have been made as it was told
        self._keys: dict[str, str] = {}
        self._answers: dict[str, Response] = {}

    def answer(self, request: Request) -> Response:
        """One request, as the real server answers it."""
        parts = request.url.partition("/api/v1/")[2].split("/")
        route = "start" if len(parts) == 1 else parts[2]
        fault = self.fault(route)
        if fault is not None:
            return fault
        headers = {name.lower(): value for name, value in request.headers.items()}
        token = headers.get("authorization", "").removeprefix("Bearer ")
        try:
            body = json.loads(request.body or b"")
            if route == "start":
                return self._start(token, headers.get("idempotency-key", ""), from_json(StartRequest, body))
            known = self.sessions.get(parts[1])
            if known is None or known.token != token:
                return problem(401, Problem("This session token is not known."))
            if route == "usage":
                return self._usage(known, from_json(UsageBatch, body))
            if route == "resume":
                return Response(200, encoded(ResumeAnswer(Verdict(), self.allowance.limits, known.token)))
            known.end = from_json(EndRequest, body)
            return self._end(known)
        except WireError as error:
            return problem(400, Problem("The body is not what the contract says.", "; ".join(error.problems)))

    def _start(self, token: str, key: str, request: StartRequest) -> Response:
        self.asked.append(Asked(token, key, request))
        try:
            jti = self.identify(token)
        except ValueError as error:
            return problem(401, Problem("This identity token is not accepted.", str(error)))
        if self._keys.setdefault(jti, key) != key:
            return problem(409, Problem("This identity token has already asked."))
        if key in self._answers:
            return self._answers[key]
        verdict = self.decide(request)
        if verdict.outcome is Outcome.STOP and not (self.takes_late and request.unadmitted_since):
            answer = Response(403, encoded(StartAnswer(verdict, page=self.page)))
        else:
            session = f"{self.names}{len(self.sessions) + 1}"
            self.sessions[session] = Known(request, f"session-token-{session}")
            answer = Response(
                201,
                encoded(
                    StartAnswer(
                        verdict,
                        session,
                        self.sessions[session].token,
                        self.allowance,
                        page=self.page,
                        server_unreachable=self.server_unreachable,
                    )
                ),
            )
        self._answers[key] = answer
        return answer

    def _usage(self, known: Known, batch: UsageBatch) -> Response:
        known.batches.append(batch)
        new = [call for call in batch.calls if call.keys not in known.calls]
        known.calls.update({call.keys: call for call in batch.calls})
        known.totals.update({(total.thread, total.model): total for total in batch.client_totals})
        doubted = tuple(Doubted(call.keys, self.doubts) for call in batch.calls if self.doubts)
        known_before = len(batch.calls) - len(new)
        return Response(200, encoded(UsageAnswer(Verdict(), new=len(new), known=known_before, doubted=doubted)))

    def _end(self, known: Known) -> Response:
        tokens = known.tokens.total
        cost = tokens * NANO_PER_TOKEN
        answer = EndAnswer(
            Verdict(),
            cost=cost,
            tokens=tokens,
            tab_cost=12 * DOLLAR + cost,
            page=self.page,
            placements=(_placement(known.start, cost, tokens),) if tokens else (),
        )
        return Response(200, encoded(self.ends(answer)))


def _placement(start: StartRequest, cost: int, tokens: int) -> Placement:
    """All of it where the start says."""
    number, repository = start.pull_request, start.repository
    if number is None:
        return Placement("repository only", "a run that names no pull request", repository, cost=cost, tokens=tokens)
    reason = f"pull request #{number}, proven by the run's identity token"
    return Placement("proven", reason, repository, start.branch, number, cost=cost, tokens=tokens)


def encoded(value: object) -> bytes:
    """As it goes over the wire."""
    return json.dumps(to_json(value)).encode()


def problem(status: int, said: Problem) -> Response:
    """An answer that is no verdict."""
    return Response(status, encoded(said))


class InProcess:
    """A transport that reaches fake servers by their addresses, without a socket. `sent` keeps every request."""

    def __init__(self, routes: Mapping[str, Callable[[Request], Response]]) -> None:
        self.routes = dict(routes)
        self.sent: list[Request] = []

    def send(self, request: Request, timeout: float) -> Response:
        """See `Transport.send`."""
        self.sent.append(request)
        for prefix, answer in self.routes.items():
            if request.url.startswith(prefix):
                return answer(request)
        raise NoAnswerError("Name or service not known")


class FakeClock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self, at: datetime = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)) -> None:
        self.at = at
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at = datetime.fromtimestamp(self.at.timestamp() + seconds, UTC)


class LoopbackTabstop:
    """The fake server behind a real socket."""

    def __init__(self, fake: FakeTabstop) -> None:
        self.fake = fake
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(fake: FakeTabstop) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            try:
                response = fake.answer(Request("POST", self.path, dict(self.headers.items()), body))
            except NoAnswerError:
                self.connection.close()
                return
            self.send_response(response.status)
            self.send_header("Content-Length", str(len(response.body)))
            if response.status in {301, 302, 307, 308}:
                self.send_header("Location", "/elsewhere")
            if response.retry_after is not None:
                self.send_header("Retry-After", str(response.retry_after))
            self.end_headers()
            self.wfile.write(response.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it so)
            """Says nothing: a test's output is its own."""

    return Handler


def times(count: int, response: Response | Exception) -> Fault:
    """A fault for the first `count` requests."""
    left = [count]

    def fault(_route: str) -> Response | None:
        if left[0] <= 0:
            return None
        left[0] -= 1
        if isinstance(response, Exception):
            raise response
        return response

    return fault


def with_models(allowance: Allowance, *models: str) -> Allowance:
    """The same allowance for these models only."""
    return replace(allowance, models=models)
