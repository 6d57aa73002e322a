"""Degrading: what an order to go on with less changes in the next request of a thread."""

from __future__ import annotations

from dataclasses import dataclass

from tabstop.agents.dialect import advice_text, stop_text
from tabstop.beside.pricing import Pricer
from tabstop.beside.proxy.call import Call, Change
from tabstop.governor.model_ladder import Ahead, Switch, cheaper_model
from tabstop.governor.orders import Act, Order, Step
from tabstop.governor.settings import Settings
from tabstop.model_id import same_model
from tabstop.price_card import PriceCard
from tabstop.usage import Tokens
from tabstop.verdict import Outcome, Signal

CAN = frozenset({Step.CHEAPER_MODEL, Step.NO_SUBAGENTS, Step.NO_TOOLS, Step.FINISH_SUBTASK})
"""The steps a proxy can take: it refuses a new subagent's first request. It cannot make an agent compact its context."""

_FOR_THE_MODEL = frozenset({Signal.DEGRADATION, Signal.RUNAWAY, Signal.SUBTASK})
_NOT_FOR_THE_MODEL = frozenset({str(Step.CHEAPER_MODEL), str(Step.COMPACT)})

_LAST = "This is the last answer. Call no tool. Say what is done, what is left and how to resume, in a few sentences."


@dataclass(slots=True)
class Thread:
    """What is remembered of one thread, for what lies ahead of it. switched: to which model; `no_switch`: it was refused there.

    longest_step: the most tokens by which its prompt grew beyond the answer before. keeps_thinking: less of it was refused.
    """

    answers: int = 0
    output: int = 0
    prompt: int = 0
    cached: int = 0
    longest_step: int = 0
    switched_from: str = ""
    switched: str = ""
    no_switch: bool = False
    keeps_thinking: bool = False

    def answered(self, tokens: Tokens) -> None:
        """Count one more."""
        if self.prompt:
            self.longest_step = max(self.longest_step, tokens.prompt - self.prompt)
        self.answers += 1
        self.output += tokens.output
        self.prompt = tokens.prompt
        self.cached = tokens.cache_read + tokens.cache_write_5m + tokens.cache_write_1h

    def ahead(self) -> Ahead:
        """As many answers again as there were."""
        answers = max(1, self.answers)
        return Ahead(self.prompt, min(self.cached, self.prompt), answers, self.output // answers)


def degraded(call: Call, order: Order, thread: Thread, settings: Settings, pricer: Pricer) -> Change:
    """What changes in this request. A request without tools is a side question of the agent: no line is put into it."""
    if order.act is Act.WIND_DOWN and order.summary_tokens:
        said = f"{stop_text(order)} {_LAST}"
        # It is what was kept back for the model that answers now, and there the conversation is cached.
        model = _switched(call, thread)
        less = not thread.keeps_thinking
        return Change(
            thought(call, thread) + order.summary_tokens,
            model=model,
            no_tools=True,
            little_thinking=less,
            say=said if call.has_tools else "",
        )
    model = ""
    if Step.CHEAPER_MODEL in order.steps:
        model = _cheaper(call, thread, settings, pricer)
    else:
        thread.switched = ""
    lines = []
    if order.act is Act.WIND_DOWN:
        lines.append(stop_text(order))
    lines.append(
        advice_text(
            one
            for one in order.findings
            if one.signal in _FOR_THE_MODEL and one.outcome is Outcome.WARN and one.scope not in _NOT_FOR_THE_MODEL
        )
    )
    said = " ".join(line for line in lines if line)
    return Change(model=model, no_tools=Step.NO_TOOLS in order.steps, say=said if call.has_tools else "")


def thought(call: Call, thread: Thread) -> int:
    """Tokens of thinking that a last answer takes with it."""
    return call.thinking if thread.keeps_thinking else call.least_thinking


def _cheaper(call: Call, thread: Thread, settings: Settings, pricer: Pricer) -> str:
    """The model that answers instead; empty to stay. Once switched it stays so: its cache is warm there."""
    if thread.no_switch or not thread.answers:
        return ""
    if switched := _switched(call, thread):
        return switched
    ladders = settings.degradation.models
    names = {call.model, *(name for ladder in ladders for name in ladder)}
    known = {name: price for name in names if (price := pricer.price_of(name)) is not None}
    found = cheaper_model(call.model, ladders, PriceCard(pricer.card.at, known), thread.ahead())
    if not isinstance(found, Switch):
        return ""
    thread.switched_from, thread.switched = call.model, found.model
    return found.model


def _switched(call: Call, thread: Thread) -> str:
    """The model this thread was switched to and is still answered by; empty for none."""
    stays = thread.switched and not thread.no_switch and same_model(call.model, thread.switched_from)
    return thread.switched if stays else ""
