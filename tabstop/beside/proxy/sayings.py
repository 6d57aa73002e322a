"""Sayings: what the proxy itself finds worth telling people, most of it once, and what it refuses for what a request is."""

from __future__ import annotations

from collections.abc import Callable

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.proxy.call import Call
from tabstop.beside.proxy.degrading import CAN
from tabstop.governor.degradation import apply
from tabstop.governor.orders import Event, EventKind, Order
from tabstop.governor.reservation import Held
from tabstop.governor.settings import Unbounded
from tabstop.money import show_exact
from tabstop.usage import Usage
from tabstop.verdict import Finding, Outcome, Signal


class RefusedError(Exception):
    """The call may not be sent; the text says why and what to do, for people and for the model."""


class Sayings:
    """Those of one session."""

    def __init__(self, governed: GovernedSession, on_event: Callable[[Event], None]) -> None:
        """on_event: whom they are told."""
        self._governed = governed
        self._on_event = on_event
        self._said: set[str] = set()

    def check(self, call: Call, *, seen: bool) -> None:
        """Raises `RefusedError` for a request with parts that nobody can bound where the policy has it so.

        seen: whether the answer it goes on from was, if it does.
        """
        self._refuse(_unbounded(call, seen=seen))

    def granted(self, call: Call, *, seen: bool) -> None:
        """Such a request may go."""
        self._mark(_unbounded(call, seen=seen))

    def uncounted(self, path: str) -> None:
        """A request may cost money and is not counted here. Raises `RefusedError` where the policy has it so."""
        what = f"{path} may cost money and is not counted by the proxy"
        self._refuse(what)
        self._mark(what)

    def used(self, usage: Usage, held: Held, *, told: bool, bounded: bool) -> None:
        """An answer has ended. told: whether it said what it used; bounded: whether its request could be."""
        cost, _ = self._governed.pricer.cost(usage)
        tokens = usage.tokens.total
        if not told:
            # Said every time: each is money that may not have been spent.
            shown = show_exact(cost) if cost is not None else f"{tokens:,} tokens"
            sentence = f"What an answer of {usage.model} used was not told: it counts as its worst case, {shown}."
            self._say(Signal.PRICE, sentence, once=False)
            return
        dearer = cost is not None and held.cost is not None and cost > held.cost
        if bounded and (dearer or tokens > held.tokens):
            self._say(
                Signal.LIMIT,
                f"{usage.model} is said to have used {tokens:,} tokens, more than the {held.tokens:,} its request allows: "
                "the cap of this session is not exact.",
            )

    def not_taken(self, model: str, instead: str) -> None:
        """The vendor would not have the cheaper model."""
        self._say(Signal.DEGRADATION, f"{model} was refused by the vendor: the session keeps {instead}.")

    def unapplied(self, order: Order) -> None:
        """Steps of degradation that are due and that a proxy cannot take."""
        _, cannot = apply(order.steps, CAN)
        for sentence in cannot.values():
            self._say(Signal.DEGRADATION, sentence)

    def _refuse(self, what: str) -> None:
        if what and self._governed.settings.unbounded is Unbounded.REFUSE:
            raise RefusedError(f"Tabstop: {what}, and the policy refuses what cannot be bounded (unbounded: refuse).")

    def _mark(self, what: str) -> None:
        if what:
            self._say(Signal.LIMIT, f"{what}, so from here the cap of this session is not exact.")

    def _say(self, signal: Signal, sentence: str, *, once: bool = True) -> None:
        if once and sentence in self._said:
            return
        if once:
            self._said.add(sentence)
        finding = Finding(signal, Outcome.WARN, "proxy", sentence)
        self._on_event(Event(self._governed.now(), EventKind.ALERT, finding))


def _unbounded(call: Call, *, seen: bool) -> str:
    """What nobody can bound of it, for people; empty for nothing."""
    what = [*call.unbounded, *([] if seen else ["an earlier answer that the proxy has not seen"])]
    return f"A request holds {', '.join(what)}: what it costs cannot be bounded" if what else ""
