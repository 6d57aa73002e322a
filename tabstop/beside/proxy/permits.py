"""Permits: a call that may be sent, with its worst case, and what it used at most where nobody tells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tabstop.beside.pricing import Pricer
from tabstop.beside.proxy.call import Call, Change, Heard
from tabstop.beside.proxy.callers import Caller
from tabstop.beside.proxy.longest_answers import longest_answer_of
from tabstop.governor.reservation import Cost, Demand, Held
from tabstop.model_id import with_variant
from tabstop.money import Nano
from tabstop.usage import Tokens, Usage

FASTEST = 2_000
"""Tokens a second that no model writes faster; with `ON_ITS_WAY`, what an answer that broke off can have used at most."""

ON_ITS_WAY = 4_096

KEPT_OF_LAST = 1024 * 1024
"""Characters of a last answer that are kept, for whoever asked for it."""


@dataclass(slots=True)
class Permit:
    """A call that may go, as `change` says. output: its longest answer, all copies together. began: on the monotonic clock.

    last: it is the session's last answer.
    """

    call: Call
    caller: Caller
    provider: str
    change: Change
    model: str
    demand: Demand
    output: int
    held: Held
    began: float
    last: bool = False
    settled: bool = False

    @property
    def asked(self) -> Call:
        """The call as it is sent."""
        return self.call.by(self.model)

    def at_worst(self, heard: Heard, now: float) -> Tokens:
        """What an answer whose usage was not told has used at most; what of it was told is taken.

        A streamed one that broke off has not been written faster than models write.
        """
        most = self.output
        if self.call.stream:
            most = min(most, int((now - self.began) * FASTEST) + ON_ITS_WAY)
        if heard.began is not None:
            return replace(heard.began, output=max(most, heard.began.output))
        return Tokens(output=most) + Tokens(**{self.demand.write: self.demand.prompt})

    def priced_as(self, heard: Heard, pricer: Pricer) -> str:
        """The model that answered; the one that was asked where its answer's name has no price."""
        model = heard.model if heard.model and pricer.price_of(heard.model) else self.model
        return with_variant(model, heard.variant) if heard.variant else model

    def last_answer(self, tokens: Tokens, longest_step: int, longest: int) -> Held:
        """What one last answer of so many tokens after this one takes at most."""
        return self._after(tokens, longest_step, longest)

    def next_call(self, tokens: Tokens, longest_step: int) -> Held:
        """What a next call of this conversation takes at least."""
        return self._after(tokens, longest_step, self.demand.least)

    def _after(self, tokens: Tokens, longest_step: int, output: int) -> Held:
        prompt = tokens.prompt + tokens.output + longest_step
        return replace(self.demand, prompt=prompt, output=output).worst()


def demand_of(call: Call, model: str, output: int | None, prompt: int | None, pricer: Pricer) -> Demand:
    """What a call may use at most. output: a bound on its answer besides its own; prompt: on its prompt besides its bytes."""
    bounds = [one for one in (call.output, output) if one is not None]
    if not bounds:
        known = pricer.price_of(model)
        bounds = [longest_answer_of(model, known.context_window if known else None)]
    most = min(bounds) * call.copies
    least = call.least if call.can_be_shortened else most
    size = sum(one.size for one in call.parts) if prompt is None else prompt
    return Demand(size, most, least, dearest(model, call.variants, pricer), call.write)


def dearest(model: str, served: Iterable[str], pricer: Pricer) -> Cost:
    """By the dearest way a call may be served, of those that have a price of their own. served: as `Call.variants`."""
    usual = pricer.price_of(model)
    variants = [with_variant(model, one) for one in served]
    names = [
        model,
        *(one for one in variants if (price := pricer.price_of(one)) and price.tiers != getattr(usual, "tiers", ())),
    ]

    def cost(tokens: Tokens) -> Nano | None:
        costs = [pricer.cost(Usage(("worst",), name, tokens, pricer.card.at))[0] for name in names]
        return max((one for one in costs if one is not None), default=None)

    return cost
