"""The wrapper's governed session: beside what every one does, it keeps back what one last answer would take at most."""

from __future__ import annotations

from tabstop.beside.governed_session import GovernedSession
from tabstop.governor.orders import Order
from tabstop.money import Nano
from tabstop.usage import Tokens, Usage

PROMPT_TOKENS = 1_000
"""Tokens that the request for a summary adds to the conversation at most, the client's own words around it included."""


class SummingUpSession(GovernedSession):
    """See `GovernedSession`. Where the last answer cannot be made (`can_summarize`), nothing is kept back; what the proxy reckons stands."""

    _latest: Usage | None = None

    def answered(
        self,
        usage: Usage,
        *,
        thread: str = "",
        likeness: int | None = None,
        reserve: Nano = 0,
        reserve_tokens: int = 0,
        assumed: bool = False,
    ) -> Order:
        """See `GovernedSession.answered`. The reserve is reckoned from the main thread's last answer."""
        if not thread:
            self._latest = usage
        if self.settings.can_summarize and not reserve:
            reserve, reserve_tokens = self._worst_case()
        return super().answered(
            usage,
            thread=thread,
            likeness=likeness,
            reserve=reserve,
            reserve_tokens=reserve_tokens,
            assumed=assumed,
        )

    def _worst_case(self) -> tuple[Nano, int]:
        """What the last answer costs when nothing of the conversation is cached any more, and the tokens it takes."""
        last, longest = self._latest, self.settings.exhaustion.summary_tokens
        if last is None:
            return 0, 0
        prompt = last.tokens.prompt + last.tokens.output + PROMPT_TOKENS
        cases = (
            Tokens(input=prompt, output=longest),
            Tokens(cache_write_5m=prompt, output=longest),
            Tokens(cache_write_1h=prompt, output=longest),
        )
        costs = [self.pricer.cost(Usage(last.keys, last.model, one, last.occurred_at))[0] for one in cases]
        return max((cost for cost in costs if cost is not None), default=0), prompt + longest
