"""Meter: lets calls through one by one. Sets the worst case of each aside before it is sent, and settles it by what it used."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import replace

from tabstop.agents.dialect import LONGEST_WAIT, digest, stop_text, waits
from tabstop.agents.opencode.messages import AGENT as OPENCODE
from tabstop.agents.opencode.tool_ids import tool_key
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.proxy.call import Call, Heard
from tabstop.beside.proxy.callers import Caller
from tabstop.beside.proxy.conversations import Conversations
from tabstop.beside.proxy.degrading import Thread, degraded, thought
from tabstop.beside.proxy.permits import Permit, demand_of
from tabstop.beside.proxy.sayings import RefusedError, Sayings
from tabstop.governor.degradation import eases
from tabstop.governor.facts import CallFailed, SubagentEnded, SubagentSpawned, ToolFinished, Unaffordable
from tabstop.governor.likeness import likeness_of
from tabstop.governor.limit_reached import does_not_fit
from tabstop.governor.limits import kept_back, limits_in_force
from tabstop.governor.orders import Act, Event, Order
from tabstop.governor.reservation import Granted, Held, Refused, Wait, decide, room
from tabstop.governor.settings import UnknownPrice
from tabstop.usage import Usage

LOOK_AGAIN = 1.0
"""Seconds after which a call that waits looks again, also for what no call of ours changed: an overdrive, a reply."""

THREADS = 256
RESULTS = 4_096

_NOTHING_ELSE = "Tabstop: Nothing but the session's last answer is made here."


class Meter:
    """Meters one session. Everything but `admit` returns at once; all of it belongs to one event loop."""

    def __init__(
        self,
        governed: GovernedSession,
        key: bytes,
        on_event: Callable[[Event], None],
        monotonic: Callable[[], float] = time.monotonic,
        *,
        taken_up: int | None = None,
    ) -> None:
        """key: for tools' arguments. on_event: called for what is worth logging beside the governor's own events.

        taken_up: nothing but the last answer of a conversation is made here, of which another process knows that it has at
        most so many tokens up to the model's last word (0 where that is not known). Whoever asks for it says what it shall be.
        """
        self.governed = governed
        self.sayings = Sayings(governed, on_event)
        self._key = key
        self._monotonic = monotonic
        self._held = Held()
        self._waiting: list[asyncio.Future[None]] = []
        self._last: Permit | None = None
        self._only_last = taken_up is not None
        self._conversations = Conversations(taken_up or 0)
        self.last_words = ""
        """What the session's last answer said, as far as it came."""
        self.last_came = False
        self._threads: dict[str, Thread] = {}
        self._results: dict[str, None] = {}
        self._numbers = itertools.count(1)
        self._run = f"{time.time_ns():x}"
        self._busy_at = monotonic()

    @property
    def held(self) -> Held:
        """What is set aside for calls under way."""
        return self._held

    @property
    def idle(self) -> float:
        """Seconds since a call was last under way."""
        return 0.0 if self._held.iterations else self._monotonic() - self._busy_at

    async def admit(self, call: Call, caller: Caller, provider: str) -> Permit:
        """Wait until this call may go, and set its worst case aside. Raises `RefusedError`."""
        self._busy_at = self._monotonic()
        self.sayings.check(call, seen=self._seen(call))
        pause = 0.0 if self._only_last else self._note(call, caller)
        if pause:
            await asyncio.sleep(min(pause, LONGEST_WAIT))
        while True:
            with self.governed.lock:
                found = self._try(call, caller, provider)
            if found is not None:
                self.sayings.granted(call, seen=self._seen(call))
                return found
            await self._something_changes()

    def uncounted(self, path: str) -> None:
        """A request that costs money and is not counted may go only while the session may. Raises `RefusedError`."""
        order = self.governed.order()
        if order.act in (Act.HALT, Act.SUSPEND):
            raise RefusedError(stop_text(order))
        if self._only_last:
            raise RefusedError(_NOTHING_ELSE)
        self.sayings.uncounted(path)

    def settle(self, permit: Permit, heard: Heard, request: str = "") -> None:
        """An answer has ended, whole or not. request: the vendor's id of it, for keys. Settling twice is settling once."""
        if permit.settled:
            return
        told, pricer = heard.tokens is not None, self.governed.pricer
        tokens = heard.tokens if heard.tokens is not None else permit.at_worst(heard, self._monotonic())
        thread_name = permit.caller.thread
        usage = Usage(
            self._keys(permit, heard, request),
            permit.priced_as(heard, pricer),
            tokens,
            self.governed.now(),
            permit.caller.agent,
            thread_name or permit.caller.session,
            web_searches=heard.web_searches,
            cache_split_known=heard.cache_split_known,
        )
        with self.governed.lock:
            self._release(permit)
            if permit.last:
                self.last_came, self.last_words = True, "".join(heard.said)
            self.sayings.used(usage, permit.held, told=told, bounded=not permit.call.unbounded)
            thread = self._thread(thread_name)
            if told:
                thread.answered(tokens)
            # With less thinking than was asked for, a prompt counts less than those that follow.
            if told and not permit.change.little_thinking:
                ids = tuple(key.rpartition(":")[2] for key in heard.keys)
                prompt = tokens.prompt + heard.cleared
                self._conversations.answered(thread_name, permit.asked, prompt, tokens.output, ids)
            settings = self.governed.settings
            coming, last = permit.next_call(tokens, thread.longest_step), Held()
            if settings.can_summarize:
                longest = thought(permit.call, thread) + settings.exhaustion.summary_tokens
                last = permit.last_answer(tokens, thread.longest_step, longest)
            self.governed.answered(
                usage,
                thread=thread_name,
                likeness=likeness_of(" ".join(heard.said)) if heard.said else None,
                reserve=last.cost or 0,
                reserve_tokens=last.tokens,
                next_call=coming.cost or 0,
                next_call_tokens=coming.tokens,
                assumed=not told,
                told=replace(usage, tokens=heard.began) if heard.began is not None else None,
            )
            if thread_name and told and not heard.wants_tools:
                self.governed.tell(SubagentEnded(self.governed.now(), thread_name))

    def failed(self, permit: Permit, status: int, retry_after: int = 0) -> None:
        """The vendor refused the call, or never got it (status 0): nothing was used."""
        with self.governed.lock:
            self._release(permit)
            if status in {0, 429} or status >= 500:
                self.governed.tell(CallFailed(self.governed.now(), status, retry_after, permit.caller.thread))

    def not_taken(self, permit: Permit) -> None:
        """The vendor would not have less thinking, or the cheaper model: this thread keeps its own."""
        if permit.change.little_thinking:
            self._thread(permit.caller.thread).keeps_thinking = True
            return
        self._thread(permit.caller.thread).no_switch = True
        self.sayings.not_taken(permit.model, permit.call.model)

    def _try(self, call: Call, caller: Caller, provider: str) -> Permit | None:
        """One look. None: not now. Raises `RefusedError`."""
        order = self.governed.order(caller.thread)
        while True:
            if order.act in (Act.HALT, Act.SUSPEND, Act.DENY):
                raise RefusedError(stop_text(order))
            if order.act is Act.ASK:
                return None
            self.sayings.unapplied(order)
            last = order.act is Act.WIND_DOWN and order.summary_tokens > 0
            if self._only_last and not (last and call.has_tools):
                raise RefusedError(_NOTHING_ELSE)
            if last and self._last is not None and not self._last.settled:
                return None  # only one is made; this call may go should that one come to nothing
            found = self._reserve(call, caller, provider, order, last=last)
            if isinstance(found, Permit):
                return found
            if isinstance(found, Wait):
                return None
            # It goes on with less, and this is tried again; or, with nothing left to lessen, what is due at a limit happens.
            before = self.governed.state.degraded
            fact = Unaffordable(self.governed.now(), found.limit, found.needed, caller.thread, last)
            order = self.governed.tell(fact)
            if eases(before, self.governed.state.degraded):
                continue
            if not order.act.ends_turn and (last or not order.summary_tokens):
                raise RefusedError(self._does_not_fit(fact))

    def _does_not_fit(self, fact: Unaffordable) -> str:
        """Of a call without a price that is too large for the default token limit; what has a price that one does not bind."""
        totals, settings = replace(self.governed.state.totals, unpriced=1), self.governed.settings
        limits, why = limits_in_force(totals, settings)
        kept = kept_back(fact.limit, totals, settings)
        return f"Tabstop: {does_not_fit(fact, totals, limits, kept)}. {why}"

    def _reserve(
        self, call: Call, caller: Caller, provider: str, order: Order, *, last: bool
    ) -> Permit | Wait | Refused:
        settings, totals, pricer = self.governed.settings, self.governed.state.totals, self.governed.pricer
        change = degraded(call, order, self._thread(caller.thread), settings, pricer)
        model = change.model or call.model
        bound = self._conversations.bound(caller.thread, call.by(model))
        asked = replace(call, thinking=call.least_thinking) if change.little_thinking else call
        demand = demand_of(asked, model, change.output if call.can_be_shortened else None, bound, pricer)
        priced = demand.worst().cost is not None
        limits, _ = limits_in_force(totals, settings)
        listed = pricer.price_of(model) is not None
        if not (priced and listed) and settings.unpriced is UnknownPrice.BLOCK and limits.cost is not None:
            raise RefusedError(
                f"Tabstop: The price of {model or 'a model without a name'} is not known, and the policy stops what cannot be "
                "priced (unknown_price: block)."
            )
        left = room(totals, settings, self._held, last=last, priced=priced)
        after = room(totals, settings, Held(), last=last, priced=priced)
        found = decide(demand, left, after)
        if not isinstance(found, Granted):
            return found
        output: int | None = found.output // call.copies
        if output == call.output or (found.output == demand.output and change.output is None):
            output = None  # as the request has it
        if not call.can_be_shortened:
            output = None
        say = "" if self._only_last else change.say
        change = replace(change, output=output, say=say, ask_usage=not call.tells_usage)
        self._held += found.held
        permit = Permit(
            call, caller, provider, change, model, demand, found.output, found.held, self._monotonic(), last
        )
        if last:
            self._last = permit
        return permit

    def _keys(self, permit: Permit, heard: Heard, request: str) -> tuple[str, ...]:
        keys = heard.keys
        if request and permit.provider == "anthropic":
            keys = (*keys, f"anthropic:req:{request}")
        keys = keys or (f"tabstop:call:{self._run}-{next(self._numbers)}",)
        if permit.caller.agent == OPENCODE:
            # Its database has none of the vendor's ids but those of tool calls. The last key says that it has others.
            tools = filter(None, (tool_key(permit.caller.session, tool) for tool in heard.tools))
            keys = (*keys, *tools, f"opencode:asked:{keys[0]}")
        return keys

    def _release(self, permit: Permit) -> None:
        permit.settled = True
        self._busy_at = self._monotonic()
        self._held -= permit.held
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.set_result(None)

    async def _something_changes(self) -> None:
        change = asyncio.get_running_loop().create_future()
        self._waiting.append(change)
        await asyncio.wait([change], timeout=LOOK_AGAIN)

    def _note(self, call: Call, caller: Caller) -> float:
        """Tell what this request shows of tools and subagents; the seconds to wait for it."""
        pause = 0.0
        if caller.thread:
            self.governed.tell(SubagentSpawned(self.governed.now(), caller.thread))
        for result in call.results:
            key = f"{caller.thread}/{result.call}"
            if key in self._results or self.governed.heard_of(result.call):
                continue  # a request that is tried again, or a hook has told it
            self._results[key] = None
            if len(self._results) > RESULTS:
                del self._results[next(iter(self._results))]
            arguments = digest(self._key, result.arguments)
            fact = ToolFinished(
                self.governed.now(),
                result.name,
                arguments,
                result.failed,
                caller.thread,
                result.call,
                unseen=True,
                waits=waits(result.arguments),
            )
            pause = max(pause, self.governed.tell(fact).seconds)
        return pause

    def _seen(self, call: Call) -> bool:
        """Whether the answer it goes on from was seen, if it does."""
        return not call.after or self._conversations.bound("", call) is not None

    def _thread(self, name: str) -> Thread:
        thread = self._threads.pop(name, None) or Thread()
        self._threads[name] = thread
        if len(self._threads) > THREADS:
            del self._threads[next(iter(self._threads))]
        return thread
