"""The governor inside a program: `with Governor(limits(cost=0.50)) as g:`, told of every answer, obeyed by exceptions."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar, overload

from tabstop.beside.admission import NotAdmittedError
from tabstop.beside.governed_session import GovernedSession, OnEvent, OnUsage
from tabstop.beside.transport import Transport
from tabstop.beside.working_tree import TreeWatch
from tabstop.governor.facts import (
    Answer,
    Fact,
    Paused,
    Raised,
    Released,
    Replied,
    Resumed,
    SubagentEnded,
    SubagentSpawned,
    ToolStarted,
)
from tabstop.governor.limits import Totals, limits_in_force
from tabstop.governor.orders import Act, Event, EventKind, Order, Step
from tabstop.governor.settings import Response, Rules, settings_of
from tabstop.library.amounts import Dollars, nano_of
from tabstop.library.answers import read_answer
from tabstop.library.degrading import CheaperModel, OnDegrade, Steps
from tabstop.library.kept_session import KeptSession, asks_a_server
from tabstop.library.prices import pricer_for
from tabstop.library.stops import CallDenied, SessionStopped, stop_of
from tabstop.library.tools import Failed, governed
from tabstop.policy.model import PriceOverride
from tabstop.session import Limits, SessionOutcome
from tabstop.usage import Tokens, Usage
from tabstop.verdict import Outcome

P = ParamSpec("P")
R = TypeVar("R")

OnAsk = Callable[[str], bool]
"""Answers the question whether the session may have more; it is a sentence."""

REFUSED = "x-tabstop-refused"
"""The header of a refusal that a transport gives in place of an answer; its value is the session's id."""

_log = logging.getLogger("tabstop")

_THREAD: ContextVar[tuple[int, str]] = ContextVar("tabstop_thread", default=(0, ""))
"""The subagent that this task or thread works for, and whose governor's it is."""


class Governor:
    """One session. Use it as a context manager, `with` or `async with`; any number of threads and tasks may tell it things.

    What it is told of is counted at once and judged at once. What is asked of a model before that is under way: a limit is
    passed by at most one call for each thread or task that asks at once (enforcement `one call`).
    """

    enforcement = "one call"

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        session: str = "",
        rules: Rules | None = None,
        prices: Sequence[PriceOverride] = (),
        on_degrade: OnDegrade | None = None,
        on_ask: OnAsk | None = None,
        on_event: OnEvent | None = None,
        on_usage: OnUsage = lambda _usage: None,
        folder: str | os.PathLike[str] = ".",
        server_unreachable: str = "allow",
        environ: Mapping[str, str] = os.environ,
        transport: Transport | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
        async_sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ) -> None:
        """limits: see `tabstop.library.limits`; None for the default ones, or those a named session was begun with.

        session: a name under which it is kept on this machine: the same name takes it up again with its totals, and
        `tabstop overdrive NAME` reaches it. Without one it lives in memory only. rules: everything else a policy can say.
        prices: your own, over the list's. on_degrade, on_ask: see their types; without on_ask a question suspends.
        on_event, on_usage: see `GovernedSession`; without on_event alerts are logged. async_sleep: `trio.sleep` under trio.
        folder: where it works; in a git work tree, a change there is progress. Empty for nowhere.

        With TABSTOP_SERVER and TABSTOP_TOKEN set it asks that server for a session of its own, and reports to it; what the server
        allows binds it, tightened by `limits`. server_unreachable: `allow` or `block` it where the server cannot be asked; a
        `block` in the folder's policy counts too. transport: to the server.
        Raises `SessionStopped` where the server does not let it begin (`BudgetExceeded` for a budget that is full), `ValueError`
        for a bad name or choice, `JournalBusyError` when another process watches this session, `OSError`.
        """
        if server_unreachable not in {"allow", "block"}:
            raise ValueError(f"server_unreachable: {server_unreachable!r} is neither 'allow' nor 'block'")
        self.now, self.async_sleep, self._sleep = now, async_sleep, sleep
        self.on_event: OnEvent = on_event or _log_alert
        self.key = secrets.token_bytes(32)
        ci = environ.get("CI", "").lower() in {"1", "true"} and on_ask is None
        settings = settings_of(
            rules or Rules(),
            limits or Limits(),
            session or f"program-{secrets.token_hex(4)}",
            ci=ci,
            can_summarize=False,
        )
        self._kept: KeptSession | None = None
        if session or asks_a_server(environ):
            given, cwd = limits is not None or rules is not None, str(Path(folder).absolute())
            block = server_unreachable == "block"
            try:
                self._kept = KeptSession(
                    settings, environ, now(), given=given, cwd=cwd, block=block, transport=transport
                )
            except NotAdmittedError as error:
                raise stop_of(Order(Act.HALT, error.verdict.reasons), settings.session, named=True) from error
            settings, self.key = self._kept.record.settings, bytes.fromhex(self._kept.record.hmac_key)
        self.session = settings.session
        self.governed = GovernedSession(
            settings,
            pricer_for(self._kept.record if self._kept else None, now(), prices, settings.degradation),
            now,
            journal=self._kept.journal if self._kept else None,
            on_event=self.on_event,
            on_usage=on_usage,
        )
        watches = str(folder) and settings.runaway.no_progress.response is not Response.OFF
        self._tree = TreeWatch(self.governed, str(Path(folder).absolute()), self.key) if watches else None
        self._on_ask, self._asking = on_ask, threading.Lock()
        self._steps = Steps(on_degrade)
        self._cheaper = CheaperModel(self.governed.pricer, settings.degradation.models)
        self._output = 0
        self._said: set[str] = set()
        self._refused: SessionStopped | None = None
        self._catch_up: list[Callable[[], None]] = []
        self.client_sessions: set[str] = set()  # whose hooks this program hears itself, by id
        if self._kept is not None:
            self._begin(self._kept)

    @property
    def totals(self) -> Totals:
        """What it has used so far, over all its runs; cost in nano-dollars."""
        return self.governed.state.totals

    @property
    def limits(self) -> Limits:
        """What binds it now, raises included."""
        return limits_in_force(self.totals, self.governed.settings)[0]

    @property
    def thread(self) -> str:
        """The subagent this task or thread works for; empty for the main one."""
        owner, thread = _THREAD.get()
        return thread if owner == id(self) else ""

    def answered(self, answer: object, *, model: str = "") -> Order:
        """Count one model answer: an SDK's response or its usage, see `tabstop.library.vendor_usage`.

        model: where the answer names none; without any the dearest model that is known is assumed, and said in the log.
        Raises `UnknownUsageError`; `SessionStopped` when the session has to stop now (the answer is counted).
        """
        read = read_answer(answer, model, self.now())
        return self.obey(self.count(read.usage, read.likeness, self.thread))

    def charged(self, cost: Dollars, *, tokens: Tokens | None = None, model: str = "") -> Order:
        """Count an answer whose cost you know, in dollars. Raises `ValueError`, `SessionStopped`."""
        return self.obey(self.tell(Answer(self.now(), model, tokens or Tokens(), nano_of(cost), self.thread)))

    def check(self) -> Order:
        """May it go on? Waits where it goes too fast. Raises `SessionStopped`.

        The order may still ask for less: steps of degradation, or to wind down, which is to finish what is begun and end.
        """
        order = self.obey(self._look())
        self.wait(order)
        return order

    async def acheck(self) -> Order:
        """`check` for a task: waits without holding up others."""
        order = self.obey(self._look())
        await self.await_(order)
        return order

    def model(self, current: str) -> str:
        """The model for the next call: a cheaper one once the session is told to degrade and it pays, else `current`."""
        if Step.CHEAPER_MODEL not in self.governed.state.degraded.steps:
            self._cheaper.forget()
            return current
        return self._cheaper.instead_of(current, self.totals, self._output)

    @overload
    def tool(self, function: Callable[P, R], /) -> Callable[P, R]: ...

    @overload
    def tool(
        self, function: None = None, /, *, name: str = "", failed: Failed | None = None
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...

    def tool(
        self, function: Callable[P, R] | None = None, /, *, name: str = "", failed: Failed | None = None
    ) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
        """Put a tool, sync or async, under the governor: `@g.tool`, or `@g.tool(failed=lambda result: result.is_error)`.

        A call that comes too fast waits. One that failed waits 1 s, then 5 s, before it is tried again with the same arguments;
        then the session suspends. Calling it raises `CallDenied` when this call is refused, `SessionStopped`, and its own errors.
        """
        if function is None:
            return lambda one: governed(self, one, name, failed)
        return governed(self, function, name, failed)

    @contextmanager
    def subagent(self, kind: str = "") -> Iterator[str]:
        """What is told inside belongs to a subagent with a share of its own. Gives its id. Raises `CallDenied`, `SessionStopped`.

        A thread started inside belongs to the main one, unless it is run in a copy of this context (`contextvars`).
        """
        child = f"{kind or 'subagent'}-{secrets.token_hex(4)}"
        self.permit(SubagentSpawned(self.now(), child, kind, self.thread))
        here = _THREAD.set((id(self), child))
        try:
            yield child
        finally:
            _THREAD.reset(here)
            self.tell(SubagentEnded(self.now(), child))

    def stop_behind(self, error: Exception) -> SessionStopped | None:
        """The stop that an SDK's error tells of, where a transport refused its call; else None."""
        headers = getattr(getattr(error, "response", None), "headers", None)
        refused = isinstance(headers, Mapping) and headers.get(REFUSED) == self.session
        return self._refused if refused else None

    def overdrive(self, more: Limits, *, by: str = "", why: str = "") -> Order:
        """Give it more: each limit that `more` names grows by so much, `g.overdrive(limits(cost=0.25))`."""
        self._steps.forget()
        return self.tell(Raised(self.now(), more, by, why))

    def release(self, *, by: str = "") -> Order:
        """Let it go on after a breaker, a failing tool or a pause; a limit is not lifted by this."""
        return self.tell(Released(self.now(), by))

    def close(self) -> None:
        """End it, resumably; one that is kept is let go of, and its server told. Closing twice is harmless."""
        self._close(SessionOutcome.FINISHED)

    def __enter__(self) -> Self:
        """Begin: its wall clock runs."""
        self.tell(Resumed(self.now()))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        """See `close`. An SDK's error that only tells what a transport refused comes out as that `SessionStopped`."""
        failed = SessionOutcome.FAILED if isinstance(error, Exception) else SessionOutcome.CANCELLED
        self._close(SessionOutcome.FINISHED if kind is None else failed)
        if isinstance(error, Exception) and (stop := self.stop_behind(error)) is not None:
            raise stop from error

    async def __aenter__(self) -> Self:
        """See `__enter__`."""
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """See `__exit__`."""
        self.__exit__(kind, error, trace)

    # What follows is for adapters: a transport, a framework's hooks, a loop of your own.

    def tell(self, fact: Fact) -> Order:
        """Take in a fact; nothing is obeyed."""
        return self.governed.tell(fact)

    def count(self, usage: Usage, likeness: int | None, thread: str, *, assumed: bool = False) -> Order:
        """Count a usage; nothing is obeyed. assumed: its tokens are not known exactly."""
        self._output += 0 if self.governed.knows(usage.keys) else usage.tokens.output
        return self.governed.answered(usage, thread=thread, likeness=likeness, assumed=assumed)

    def say_once(self, sentence: str) -> None:
        """Log what people should know, once."""
        if sentence not in self._said:
            self._said.add(sentence)
            _log.warning("%s", sentence)

    def permit(self, fact: ToolStarted | SubagentSpawned) -> Order:
        """May this call be made? Raises `CallDenied`, `SessionStopped`; else the order may say to wait first."""
        order = self.obey(self.tell(fact))
        if order.act is Act.DENY:
            raise CallDenied(order, self.session)
        return order

    def obey(self, order: Order) -> Order:
        """Tell its steps, ask its question, raise its stop; else it is given back. The working tree is looked at beside it."""
        if self._tree is not None:
            self._tree.nudge()
        self.announce(order)
        if order.act is Act.ASK and self._on_ask is not None:
            with self._asking:  # one question, however many tasks meet the limit
                order = self.governed.order(self.thread)
                if order.act is Act.ASK:
                    order = self.tell(Replied(self.now(), self._on_ask(order.sentence)))
        if order.act.ends_turn:
            raise self.stop_of(order)
        return order

    def before_check(self, catch_up: Callable[[], None]) -> None:
        """Call this before every check and at the end: for what hears of usage late."""
        self._catch_up.append(catch_up)

    def _begin(self, kept: KeptSession) -> None:
        """Raises `SessionStopped` where the server does not let it go on."""
        kept.attend(self.governed, self.client_sessions)
        verdict = kept.begin(self.governed)
        if verdict.outcome is Outcome.STOP:
            self.close()
            raise self.stop_of(Order(Act.HALT, verdict.reasons))

    def _close(self, outcome: SessionOutcome) -> None:
        if self.totals.running_since is not None:
            self._look()
            self.tell(Paused(self.now()))
        if self._kept is not None:
            self._kept.close(self.governed, outcome)

    def _look(self) -> Order:
        for one in self._catch_up:
            one()
        return self.governed.order(self.thread)

    def announce(self, order: Order) -> None:
        """Tell its steps of degradation, each once."""
        self._steps.tell(order)

    def stop_of(self, order: Order) -> SessionStopped:
        """The exception for an order that ends the turn."""
        self._refused = stop = stop_of(order, self.session, named=self._kept is not None)
        return stop

    def wait(self, order: Order) -> None:
        """Wait as long as the order says, and look again. Raises `SessionStopped`."""
        if order.seconds > 0:
            self._sleep(order.seconds)
            self.obey(self.governed.order(self.thread))

    async def await_(self, order: Order) -> None:
        """`wait` for a task."""
        if order.seconds > 0:
            await self.async_sleep(order.seconds)
            self.obey(self.governed.order(self.thread))


def _log_alert(event: Event, _order: Order) -> None:
    if event.kind is EventKind.ALERT and event.finding is not None:
        _log.warning("%s", event.finding.sentence)
