"""Model ladder: whether a cheaper model of the same vendor really costs less from here, its cold cache counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tabstop.model_id import same_model
from tabstop.money import Nano, show
from tabstop.price_card import ModelPrice, PriceCard, price
from tabstop.quantity import plural
from tabstop.usage import Tokens, Usage

AT_MOST = 200
"""Answers ahead that are counted. Fewer make a switch pay less, so counting less never switches wrongly."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is still to come. context: tokens of the next prompt. cached: how many of them the current model has cached.

    answers: how many answers are expected; output: tokens of each, which the next prompt contains.
    """

    context: int
    cached: int
    answers: int
    output: int

    @property
    def counted(self) -> int:
        """The answers that are counted."""
        return min(self.answers, AT_MOST)


@dataclass(frozen=True, slots=True)
class Switch:
    """A change of model that pays. cost, cost_of_staying: of all answers ahead, nano-dollars."""

    model: str
    cost: Nano
    cost_of_staying: Nano

    @property
    def sentence(self) -> str:
        """Why, for people."""
        saved = show(self.cost_of_staying - self.cost)
        return f"{self.model} answers from here on: what is ahead costs about {show(self.cost)}, {saved} less."


@dataclass(frozen=True, slots=True)
class Stay:
    """No change of model, and why not, one sentence for each model that was considered."""

    sentence: str


def cheaper_model(current: str, ladders: Sequence[Sequence[str]], card: PriceCard, ahead: Ahead) -> Switch | Stay:
    """The first model below `current` on its ladder that costs less for the answers ahead and holds their context.

    A switch loses the cache: the new model has the whole context written to its cache once, then reads it from there.
    Nothing is switched on a guess: an unknown price or context window rules a model out.
    """
    below = _below(current, ladders)
    if not below:
        return Stay(f"{current or 'The model'} has no cheaper model below it on any ladder of the policy.")
    staying = _cost(current, card, ahead, ahead.cached)
    if staying is None:
        return Stay(f"The price of {current} is not known, so nothing can be said to cost less.")
    reasons = []
    for model in below:
        switched = _against(model, card, ahead, staying)
        if isinstance(switched, Switch):
            return switched
        reasons.append(switched)
    return Stay(" ".join(reasons))


def _below(current: str, ladders: Sequence[Sequence[str]]) -> Sequence[str]:
    for ladder in ladders:
        for place, model in enumerate(ladder):
            if same_model(current, model):
                return ladder[place + 1 :]
    return ()


def _against(model: str, card: PriceCard, ahead: Ahead, staying: Nano) -> Switch | str:
    known: ModelPrice | None = card.prices.get(model)
    cost = _cost(model, card, ahead, cached=0)
    if known is None or cost is None:
        return f"The price of {model} is not known."
    if known.context_window is None:
        return f"The context window of {model} is not known."
    longest = ahead.context + ahead.counted * ahead.output
    if longest > known.context_window:
        return f"{model} holds {known.context_window:,} tokens, and up to {longest:,} are needed."
    if cost >= staying:
        answers = plural(ahead.counted, "answer")
        return f"{model} has nothing cached: {answers} ahead would cost {show(cost)} there and {show(staying)} here."
    return Switch(model, cost, staying)


def _cost(model: str, card: PriceCard, ahead: Ahead, cached: int) -> Nano | None:
    """Nano-dollars of all answers ahead, each rounded as it will be when it is charged; None without a price."""
    total = 0
    read = min(cached, ahead.context)
    prompt = ahead.context
    for _ in range(ahead.counted):
        tokens = Tokens(cache_read=read, cache_write_5m=prompt - read, output=ahead.output)
        one = price(Usage((), model, tokens, card.at), card).nano
        if one is None:
            return None
        total += one
        read, prompt = prompt, prompt + ahead.output
    return total
