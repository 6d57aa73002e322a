"""What people read about an event of a running session, worded from its numbers. Names stand in `backquotes`."""

from __future__ import annotations

from tabstop.gauge_outlook import window_in_words
from tabstop.governor.limits import NAMES, shown
from tabstop.governor.orders import EventKind
from tabstop.policy.problem import quoted
from tabstop.quantity import listed, plural
from tabstop.session import Limits
from tabstop.verdict import Signal
from tabstop.wire import SessionEvent
from tabstop.wire_json import to_json

_RUNAWAY = {
    "token_spike": "its tokens a minute were {value:,} % of its average (threshold {threshold:,} %)",
    "tool_spike": "its tool calls a minute were {value:,} % of its average (threshold {threshold:,} %)",
    "tool_rate": "it called {value:,} tools a second (threshold {threshold:,})",
    "repeats": "it made the same call {value:,} times with nothing new in between (threshold {threshold:,})",
    "likeness": "{value:,} of its last answers said nearly the same (threshold {threshold:,})",
    "no_progress": "{value:,} iterations in a row changed nothing (threshold {threshold:,})",
    "backoff": "it waited {value:,} seconds for its vendor (threshold {threshold:,})",
}


def happened(event: SessionEvent) -> str:
    """The title: what the session did or had done to it, to be continued by what it is about."""
    match event.kind:
        case EventKind.STOP:
            return "was stopped"
        case EventKind.SUSPEND:
            return "was suspended"
        case EventKind.ASK:
            return "asks for more"
        case _:
            return "went silent" if event.signal is Signal.SILENCE else "may have lost its way"


def because(event: SessionEvent) -> str:
    """One sentence with the numbers."""
    match event.signal:
        case Signal.LIMIT if event.scope in NAMES:
            return _limit(event)
        case Signal.RUNAWAY if event.scope in _RUNAWAY:
            said = _RUNAWAY[event.scope].format(value=event.value, threshold=event.threshold or 0)
            return f"Runaway signal {quoted(event.scope)}: {said}."
        case Signal.RETRY:
            tool = quoted(event.subject) if event.subject else "A tool"
            return f"{tool} failed {plural(event.value, 'time')} with the same arguments. A person has to look."
        case Signal.SILENCE:
            return "Its agent has shown nothing for a while: no answer, no tool, no sign of life."
        case Signal.PAUSE:
            return "An operator paused it."
        case Signal.GAUGE:
            # The share is its engineer's own: elsewhere a window is a state.
            return f"Its vendor's {window_in_words(event.scope)} is nearly full."
        case Signal.PRICE:
            return (
                "A model of it has no known price, and the policy stops what cannot be priced (`unknown_price: block`)."
            )
    about = f": {event.scope.replace('_', ' ')}" if event.scope else ""
    return f"Its governor says why{about}." if event.signal is None else f"Signal {quoted(event.signal)}{about}."


def to_go_on(event: SessionEvent, session: str, *, yours: bool = False) -> str:
    """What somebody can do; empty where nothing needs doing. yours: its engineer reads it."""
    if event.kind is EventKind.ALERT:
        return "It goes on; if it does not recover it is stopped." if event.signal is Signal.RUNAWAY else ""
    if event.signal is Signal.PAUSE:
        return f"Whoever operates Tabstop ends the pause with `python -m app.cli session resume {session}`."
    if event.signal is Signal.GAUGE:
        return "It goes on when the window begins anew, or when its engineer says `tabstop release`, where it ran."
    if event.signal in {Signal.LIMIT, Signal.PRICE}:
        return "An approver lets it have more with `tabstop overdrive`, then it goes on with its totals."
    if yours:
        return f"You let it go on with `tabstop release {session}`, where it ran."
    return "Its engineer lets it go on with `tabstop release`."


def raised_by(by_how_much: Limits) -> str:
    """`$5.00, 200,000 tokens and 50 tool calls`."""
    amounts: dict[str, int | None] = to_json(by_how_much)
    return listed([_more(name, amount) for name, amount in amounts.items() if amount])


def limits_now(by_how_much: Limits, limits: Limits) -> str:
    """Of each limit that was raised: `Its cost limit is now $7.00.`"""
    raised: dict[str, int | None] = to_json(by_how_much)
    stands: dict[str, int | None] = to_json(limits)
    return " ".join(
        f"Its {NAMES[name]} limit is now {shown(name, limit)}."
        for name in NAMES
        if raised[name] and (limit := stands[name]) is not None
    )


def _limit(event: SessionEvent) -> str:
    used = shown(event.scope, event.value)
    of = f" of {shown(event.scope, event.threshold)}" if event.threshold is not None else ""
    said = f"It reached its {NAMES[event.scope]} limit: {used}{of} used"
    asked = f"; it asks for another {shown(event.scope, event.asked)}" if event.kind is EventKind.ASK else ""
    return f"{said}{asked}."


def _more(name: str, amount: int) -> str:
    noun = {"iterations": "iteration", "tool_calls": "tool call"}.get(name)
    return plural(amount, noun) if noun else shown(name, amount)
