"""The wrapper's governed session: beside what every one does, it keeps back what one last answer would take at most."""

from __future__ import annotations

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.proxy.permits import dearest
from tabstop.governor.orders import Order
from tabstop.governor.reservation import Demand
from tabstop.money import Nano
from tabstop.usage import Usage

SAID_ANEW = 1_000
"""Tokens that a resumed agent says in front of its conversation beside what it said before, at most."""

PROMPT_TOKENS = SAID_ANEW + 3_000
"""Tokens that resuming adds to the conversation at most, by its bytes: the request for a summary and the agent's own words around
it. Codex tells its permissions and its surroundings anew, 1,200 bytes.
"""

BYTES_OF_A_TOKEN = 4
"""The proxy counts what is new since the model's last word by its bytes; so many make a token of usual text."""


_WRITES = ("cache_write_5m", "cache_write_1h")


class SummingUpSession(GovernedSession):
    """See `GovernedSession`. Where the last answer cannot be made (`can_summarize`), nothing is kept back; what the proxy reckons stands."""

    _latest: Usage | None = None
    _dearest: Nano = 0
    _largest: int = 0
    _longest_step: int = 0

    def answered(
        self,
        usage: Usage,
        *,
        thread: str = "",
        likeness: int | None = None,
        reserve: Nano = 0,
        reserve_tokens: int = 0,
        next_call: Nano = 0,
        next_call_tokens: int = 0,
        assumed: bool = False,
        told: Usage | None = None,
        unread: bool = False,
    ) -> Order:
        """See `GovernedSession.answered`. The reserve is reckoned from the main thread's last answer, and from the dearest of all."""
        if unread:
            return super().answered(usage, thread=thread, unread=True)
        if not thread:
            if self._latest is not None and usage.keys != self._latest.keys:
                self._longest_step = max(self._longest_step, usage.tokens.prompt - self._latest.tokens.prompt)
            self._latest = usage
        self._dearest = max(self._dearest, self.pricer.cost(usage)[0] or 0)
        self._largest = max(self._largest, usage.tokens.total)
        if self.settings.can_summarize and not reserve:
            reserve, reserve_tokens = self._kept_back()
        return super().answered(
            usage,
            thread=thread,
            likeness=likeness,
            reserve=reserve,
            reserve_tokens=reserve_tokens,
            next_call=next_call,
            next_call_tokens=next_call_tokens,
            assumed=assumed,
            told=told,
        )

    @property
    def conversation(self) -> int:
        """Most tokens of the main thread's conversation up to the model's last word, as a resumed agent tells it; 0 for not known."""
        last = self._latest
        return 0 if last is None else last.tokens.prompt + last.tokens.output + SAID_ANEW

    def _kept_back(self) -> tuple[Nano, int]:
        """What the last answer takes when nothing of the conversation is cached any more, and one call before it: a limit is seen
        to be reached only behind the answer that reaches it, and what that one takes must not be taken from the last.
        """
        last, longest = self._latest, self.settings.exhaustion.summary_tokens
        if last is None:
            return 0, 0
        prompt = last.tokens.prompt + last.tokens.output + self._longest_step * BYTES_OF_A_TOKEN + PROMPT_TOKENS
        cost = dearest(last.model, ("priority",), self.pricer)
        worst = max(Demand(prompt, longest, longest, cost, kind).worst().cost or 0 for kind in _WRITES)
        return worst + self._dearest, prompt + longest + self._largest
