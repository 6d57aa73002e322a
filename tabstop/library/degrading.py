"""Degrading inside a program: each step is told once, and a cheaper model is named while it pays."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from tabstop.beside.pricing import Pricer
from tabstop.governor.limits import Totals
from tabstop.governor.model_ladder import Ahead, Switch, cheaper_model
from tabstop.governor.orders import Order, Step
from tabstop.price_card import PriceCard
from tabstop.verdict import Signal

OnDegrade = Callable[[Step, str], None]
"""Told of each step when it begins: the step, and what it asks for in a sentence that a model can read too."""

_log = logging.getLogger("tabstop")


class Steps:
    """The steps that were told. Thread-safe."""

    def __init__(self, on_degrade: OnDegrade | None) -> None:
        """on_degrade: without it they are logged."""
        self._on_degrade = on_degrade
        self._told: set[str] = set()
        self._lock = threading.Lock()

    def tell(self, order: Order) -> None:
        """Tell the steps of this order that are new. In the log, how it would go on with less is no news where it stops."""
        sentences = {one.scope: one.sentence for one in order.findings if one.signal is Signal.DEGRADATION}
        for step in order.steps:
            with self._lock:
                if step in self._told:
                    continue
                self._told.add(step)
            sentence = sentences.get(step, f"The session goes on with less: {step}.")
            if self._on_degrade is not None:
                self._on_degrade(step, sentence)
            elif order.ends_as is None:
                _log.warning("%s", sentence)

    def forget(self) -> None:
        """After a raise they may begin again."""
        with self._lock:
            self._told.clear()


class CheaperModel:
    """Names a cheaper model from the ladders. What it once named it keeps: going back would pay for the cache twice."""

    def __init__(self, pricer: Pricer, ladders: Sequence[Sequence[str]]) -> None:
        """ladders: dearest first, as in the policy."""
        self._pricer = pricer
        self._ladders = ladders
        self._named: dict[str, str] = {}

    def instead_of(self, current: str, totals: Totals, output: int) -> str:
        """The model to use now; `current` where no cheaper one pays. output: tokens answered so far, in all.

        As many answers are expected as there were. What of the prompt is cached counts as all of it, against a change.
        """
        if current in self._named:
            return self._named[current]
        answers = max(1, totals.iterations)
        ahead = Ahead(totals.last_prompt, totals.last_prompt, answers, output // answers)
        models = {current, *(model for ladder in self._ladders for model in ladder)}
        found = {name: price for name in models if (price := self._pricer.price_of(name)) is not None}
        switch = cheaper_model(current, self._ladders, PriceCard(self._pricer.card.at, found), ahead)
        if not isinstance(switch, Switch):
            return current
        _log.info("%s", switch.sentence)
        self._named[current] = switch.model
        return switch.model

    def forget(self) -> None:
        """The step is over."""
        self._named.clear()
