"""A simulated agent: plays the script of a scenario step by step, and does what the governor orders as an attach point would."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from tabstop.governor.degradation import eases
from tabstop.governor.exhaustion import SUMMARY_SECONDS
from tabstop.governor.facts import (
    Answer,
    CallFailed,
    Probed,
    SubagentEnded,
    SubagentSpawned,
    Tick,
    ToolFinished,
    ToolStarted,
)
from tabstop.governor.likeness import likeness_of
from tabstop.governor.model_ladder import Ahead, Switch, cheaper_model
from tabstop.governor.orders import PROCEED, Act, Order, Step
from tabstop.lab.script import MODEL, Script, digest_of
from tabstop.lab.session import LONGEST_ANSWER, TICK, LabSession, SessionOver
from tabstop.session import SessionOutcome

FULL = 170_000
"""Tokens of context at which the client compacts by itself."""

WORTH_COMPACTING = 30_000
"""Tokens of context below which compacting saves nothing: what it makes is 18,000."""

REFUSAL = 60
"""Tokens in which a refused call is explained to the model."""


class Agent(Script):
    """One thread of a simulated session, played as a script is written, but live.

    Subagents of a governed session take turns on its one clock; of one that nobody governs they run side by side. A thread
    whose end has come (`over`) does nothing any more; that of the main thread leaves the script by `SessionOver`.
    """

    def __init__(
        self, session: LabSession, random: Random, now: datetime, thread: str = "", model: str = MODEL
    ) -> None:
        """A thread that begins now."""
        super().__init__(random, now, thread)
        self.session, self.model = session, model
        self.over = self.refused = False
        self._order: Order = PROCEED
        self._lessened: set[Step] = set()
        self._at_last = False

    @property
    def iterations(self) -> int:
        """Model requests of the whole session so far."""
        return len(self.session.iterations)

    def wait(self, seconds: float) -> None:
        """Time passes; somebody looks at the clock now and then."""
        if self.over:
            return
        end = self._begin() + timedelta(seconds=seconds)
        while self.session.settings is not None and end - self.now > TICK and not self.over:
            self.now += TICK
            self._obey(self.session.tell(Tick(self.now, self.thread)), waits=False)
        self.now = max(self.now, end)

    def answer(self, text: str = "", *, output: int = 0, seconds: float = 0, uncached: bool = False) -> None:
        """Ask the model and obey what comes of it. Told in words to finish, an agent that heeds words makes this its last."""
        if self.over:
            return
        self._lessen()
        if self.context + self.unread > FULL:
            self.compact()
        last = self.session.heeds and bool({Step.NO_TOOLS, Step.FINISH_SUBTASK} & {*self._order.steps})
        wanted = output or self.random.randint(80, 900)
        self._request(text, wanted, seconds or self.random.uniform(3, 14), uncached=uncached)
        if last:
            self.finish()

    def together(
        self, calls: Sequence[tuple[str, str]], *, seconds: float = 0.6, result: int = 600, failed: bool = False
    ) -> None:
        """Tools run side by side, each when it may."""
        begun = []
        for name, arguments in calls:
            if self.over:
                return
            self._begin()
            self.calls += 1
            digest, call = digest_of(arguments), f"{self.thread}/{self.calls}"
            order = self.session.tell(ToolStarted(self.now, name, digest, self.thread, call))
            self._obey(order)
            if order.act is Act.DENY:
                self.unread += REFUSAL
                self.session.denied(order)
            elif not self.over:
                begun.append((name, digest, call))
                self.wait(0.01)
        self.session.ran(len(begun))
        if begun:
            self.wait(seconds)
        for name, digest, call in begun:
            if not self.over:
                self._obey(self.session.tell(ToolFinished(self.now, name, digest, failed, self.thread, call)))
        self.unread += result * len(begun)

    def probe(self, *, changed: bool) -> None:
        """Somebody looks at the working tree."""
        if not self.over:
            self.session.trees += changed
            self._obey(self.session.tell(Probed(self._begin(), f"tree {self.session.trees}")))

    def fail(self, status: int, *, retry_after: int = 0) -> None:
        """A model request comes to nothing."""
        if not self.over:
            self._obey(self.session.tell(CallFailed(self._begin(), status, retry_after, self.thread)))

    def tick(self, seconds: int, every: int = 15) -> None:  # noqa: ARG002 - the session looks at the clock itself
        """Only time passes."""
        self.wait(seconds)

    def compact(self) -> None:
        """Have the context summed up, and go on with the summary."""
        if not self.over and self._request("", 3_000, 25):
            self.context, self.unread = 12_000, 6_000
            self.session.note("compacted", "The context was summed up; 18,000 tokens of it are left.")

    def spawn(self, child: str, kind: str = "general-purpose") -> Agent:
        """A subagent; one that does nothing where it was refused."""
        agent = Agent(self.session, self.random, self.now, child, self.model)
        if self.over:
            agent.over = agent.refused = True
            return agent
        order = self.session.tell(SubagentSpawned(self._begin(), child, kind, self.thread))
        agent.now = self.now
        self._obey(order)
        if order.act is Act.DENY:
            agent.over = agent.refused = True
            self.unread += REFUSAL
            self.session.denied(order)
        return agent

    def join(self, *children: Script) -> None:
        """Subagents end, and their findings come back."""
        for child in children:
            if isinstance(child, Agent) and not child.refused:
                self.now = max(self.now, child.now)
                self.session.tell(SubagentEnded(self.now, child.thread))
                self.unread += 800

    def finish(self) -> None:
        """This thread's work is done."""
        if not self.thread:
            self.session.outcome = SessionOutcome.FINISHED
        self._end()

    def _begin(self) -> datetime:
        """The moment a step begins. Under a governor facts are told in the order of time: threads take turns."""
        if self.session.settings is not None:
            self.now = max(self.now, self.session.now)
        return self.now

    def _request(self, text: str, wanted: int, seconds: float, *, uncached: bool = False, last: bool = False) -> bool:
        """One model request: reserved, sent, told; whether it was. last: nothing comes after it, so it may use what was kept for it."""
        self._begin()
        allowed = self._reserve(wanted if last else LONGEST_ANSWER, uncached=uncached, last=last)
        if allowed is None:
            return False
        self.wait(seconds)
        if self.over:
            return False
        prompt = self.context + self.unread
        output = min(wanted, allowed)
        if output < wanted:
            self.session.expect(
                "shortened", f"Its answer was cut to {output:,} of {wanted:,} tokens: the limit buys no more."
            )
        tokens = self.used_by(output, uncached=uncached)
        self.context, self.unread = prompt + output, 0
        kept = self.session.worst_last(self.model, self.context, uncached=uncached)
        coming = self.session.next_call(self.model, self.context, uncached=uncached)
        self._obey(
            self.session.tell(
                Answer(
                    self.now,
                    self.model,
                    tokens,
                    self.session.cost(self.model, tokens),
                    self.thread,
                    likeness=None if self.session.settings is None else likeness_of(text),
                    reserve=kept.cost or 0,
                    reserve_tokens=kept.tokens,
                    next_call=coming.cost or 0,
                    next_call_tokens=coming.tokens,
                )
            )
        )
        return True

    def _reserve(self, longest: int, *, uncached: bool, last: bool) -> int | None:
        """How long the answer may be, after as many steps of degradation as it takes; None where it may not be asked for."""
        while not self.over:
            demand = self.session.demand(self.model, self.context + self.unread, longest, uncached=uncached)
            before = self.session.state.degraded
            allowed = self.session.reserve(demand, self.thread, last=last)
            if not isinstance(allowed, Order):
                return allowed
            self._obey(allowed)
            if not eases(before, self.session.state.degraded):
                break
            self._lessen()
        return None

    def _obey(self, order: Order, *, waits: bool = True) -> None:
        self._order = order
        if order.act is Act.HALT:  # this thread's own: the session's leaves by `SessionOver`
            self.session.held_back(order)
            self._end()
        elif order.summary_tokens:
            self._sum_up(order.summary_tokens)
        elif waits and order.seconds and order.act is not Act.DENY:
            self.session.waited(order.seconds)
            self.wait(order.seconds)

    def _sum_up(self, tokens: int) -> None:
        """The one last answer. Only the main thread is asked for it."""
        if not self._at_last:
            self._at_last = True
            self.session.expect("summary", "The last answer: what is done, what is left, how to resume.")
            self._request("", tokens, 20, last=True)
            self.wait(SUMMARY_SECONDS + TICK.seconds)  # where not even that was affordable

    def _lessen(self) -> None:
        """The steps of degradation that an attach point carries out itself, each once for as long as it is in force."""
        steps = {*self._order.steps}
        new, self._lessened = steps - self._lessened, steps
        if Step.CHEAPER_MODEL in new and self.session.settings is not None:
            made = max(1, self.session.totals.iterations)
            ahead = Ahead(self.context + self.unread, self.context, made, self.session.output // made)
            found = cheaper_model(self.model, self.session.settings.degradation.models, self.session.card, ahead)
            if isinstance(found, Switch):
                self.model = found.model
                self.context, self.unread = 0, self.context + self.unread  # nothing of it is in the new model's cache
                self.session.expect("switched", found.sentence)
        if Step.COMPACT in new and self.context + self.unread > WORTH_COMPACTING:
            self.compact()

    def _end(self) -> None:
        """This thread's turn is over; the session's, where it is the main one."""
        self.over = True
        if not self.thread:
            raise SessionOver
