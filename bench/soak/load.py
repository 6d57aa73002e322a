"""Load: sessions that start, report and end as a runner's do, and webhooks, all tried again until they are taken.

Everything sent is remembered, and so is everything the server said yes to: what `inspection` compares the books with.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from app.pricing import price_usage
from bench.stage import LoopbackStage
from tabstop.beside.server import NotAcceptedError, Server, UnreachableError
from tabstop.beside.transport import UrllibTransport
from tabstop.usage import Tokens, Usage
from tabstop.wire import Call, EndRequest, StartAnswer, StartRequest, UsageBatch

T = TypeVar("T")

MODEL = "claude-sonnet-4-5-20250929"
LONGEST_PAUSE = 0.3
"""Seconds between tries; a runner waits longer, and gives up later."""


@dataclass
class Reported:
    """One admitted session: what it reported and was acknowledged for, by its first key."""

    branch: str
    calls: dict[str, Call] = field(default_factory=dict)
    ended: bool = False

    @property
    def cost(self) -> int:
        """Nano-dollars, priced here once more."""
        return sum(cost_of(call) for call in self.calls.values())


def cost_of(call: Call) -> int:
    """What a call costs by the list price, in nano-dollars."""
    return price_usage(Usage(call.keys, call.model, call.tokens, call.occurred_at), ()).nano or 0


@dataclass
class Load:
    """All the threads. `begin`, let them work, `finish`: then nothing is under way and everything was acknowledged."""

    stage: LoopbackStage
    seed: int
    busy: int = 6
    """How many pull requests are worked on at a time: the newest ones."""
    runners: int = 4
    pulls: list[int] = field(default_factory=list)
    sessions: dict[str, Reported] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    """Answers that a client does not expect: each is a violation."""

    _unannounced: list[int] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open_pull_request(self) -> None:
        """Open one more on GitHub, whose webhook is sent when the server is there; sessions may come before it."""
        number = self.stage.github.open_pull_request(f"claude/soak-{len(self.pulls)}")["number"]
        self.pulls.append(number)
        self._unannounced.append(number)

    def begin(self) -> None:
        """Start the threads."""
        work: list[Callable[[random.Random], None]] = [*[self._session] * self.runners, self._push]
        self._threads = [
            threading.Thread(target=self._again_and_again, args=(one, random.Random(f"{self.seed}/{number}")))
            for number, one in enumerate(work)
        ]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """No new work; what is under way is brought to its end. The server has to run."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._announce()

    def deliver(self, event: str, payload: dict[str, Any]) -> None:
        """A webhook, sent until it is taken, by one delivery id."""
        guid = str(uuid.uuid4())
        while not self.stage.deliver(event, payload, guid):
            self.count("webhooks not taken")
            time.sleep(LONGEST_PAUSE)
        self.count("webhooks taken")

    def count(self, what: str) -> None:
        """One more."""
        with self._lock:
            self.counts[what] += 1

    def _again_and_again(self, work: Callable[[random.Random], None], drawn: random.Random) -> None:
        while not self._stop.is_set():
            try:
                work(drawn)
            except NotAcceptedError as error:
                self.refused.append(f"{error.status} {error.problem.title} {error.problem.detail}")
                return
            except Exception as error:  # noqa: BLE001 (a thread that dies unheard would make the run look fine)
                self.refused.append(f"{type(error).__name__}: {error}")
                return

    def _session(self, drawn: random.Random) -> None:
        """Start, report in batches, and mostly end; some just fall silent."""
        pull = self.stage.github.pulls[drawn.choice(self.pulls[-self.busy :])]
        answer = self._start(pull, drawn)
        if not answer.session:
            self.count("starts refused")
            self._stop.wait(0.2)
            return
        self.count("sessions admitted")
        session = Reported(pull["head"]["ref"])
        self.sessions[answer.session] = session
        sent: list[UsageBatch] = []
        for number in range(drawn.randint(1, 5)):
            sent.append(_batch(answer.session, number, drawn, costly=self.pulls.index(pull["number"]) % 3 == 0))
            self._report(answer, session, sent[-1])
            if drawn.random() < 0.3:  # a client that did not hear the answer sends again; one that resumes, everything
                self.count("batches sent again")
                self._report(answer, session, _joined(sent) if drawn.random() < 0.5 else drawn.choice(sent))
        if drawn.random() < 0.85:
            self._insist(lambda server: server.end(answer.session, EndRequest("finished"), token=answer.token))
            session.ended = True

    def _start(self, pull: dict[str, Any], drawn: random.Random) -> StartAnswer:
        run_id = drawn.randrange(10**6, 10**9)
        token, key = self.stage.token(pull, run_id), uuid.uuid4().hex
        asked = StartRequest("claude-code", pull_request=pull["number"], model=MODEL, purpose="soak")
        return self._insist(lambda server: server.start(asked, token=token, key=key))

    def _report(self, answer: StartAnswer, session: Reported, batch: UsageBatch) -> None:
        self._insist(lambda server: server.usage(answer.session, batch, token=answer.token))
        self.count("batches acknowledged")
        session.calls.update({call.keys[0]: call for call in batch.calls})

    def _push(self, drawn: random.Random) -> None:
        """A new commit on a pull request now and then; GitHub may tell of it twice."""
        self._announce()
        number = drawn.choice(self.pulls[-self.busy :])
        payload = self.stage.pull_request("synchronize", self.stage.github.push(number))
        self.deliver("pull_request", payload)
        if drawn.random() < 0.3:
            self.deliver("pull_request", payload)
        self._stop.wait(drawn.uniform(0.5, 1.5))

    def _announce(self) -> None:
        while self._unannounced:
            pull = self.stage.github.pulls[self._unannounced.pop()]
            self.deliver("pull_request", self.stage.pull_request("opened", pull))

    def _insist(self, ask: Callable[[Server], T]) -> T:
        """As a runner and its spool do: the same request again, until it is answered."""
        server = Server(
            self.stage.server.url, UrllibTransport(), lambda seconds: time.sleep(min(seconds, LONGEST_PAUSE))
        )
        while True:
            try:
                return ask(server)
            except UnreachableError:
                self.count("requests without an answer")


def _batch(session: str, number: int, drawn: random.Random, *, costly: bool) -> UsageBatch:
    """One to eight calls. Every third pull request is worked on with a context so large that its tab turns red."""
    now = datetime.now(UTC)
    context = 40_000 if costly else 600
    calls = [
        Call(
            keys=(f"anthropic:req:{session}-{number}-{n}", f"anthropic:msg:{session}-{number}-{n}"),
            model=MODEL,
            tokens=Tokens(
                drawn.randrange(100),
                drawn.randrange(context),
                drawn.randrange(context // 4),
                0,
                1 + drawn.randrange(90),
            ),
            occurred_at=now,
            thread=session,
        )
        for n in range(drawn.randint(1, 8))
    ]
    return UsageBatch(calls=tuple(calls))


def _joined(batches: list[UsageBatch]) -> UsageBatch:
    return UsageBatch(calls=tuple(call for batch in batches for call in batch.calls))
