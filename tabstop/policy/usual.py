"""Notes: values that count but lie outside the usual ranges, and a session's cap said in tokens and in dollars."""

from __future__ import annotations

from dataclasses import dataclass

from tabstop.money import NANO_PER_DOLLAR, Nano
from tabstop.policy import notation as n
from tabstop.policy.document import PolicyDocument, Written
from tabstop.policy.grammar import KEYS
from tabstop.policy.key import Key
from tabstop.policy.limits import LIMITS
from tabstop.policy.model import Cap, SessionLimits
from tabstop.policy.problem import Note
from tabstop.window import WindowKind

INPUT_RATE = 3
OUTPUT_RATE = 15
"""Dollars per million tokens: a middle-class model of 2025/26 (Claude Sonnet 4.x) at list price."""

_UNLIMITED = SessionLimits(tokens=None, tool_calls=None, iterations=None, wall_clock_seconds=None, cost=None)
_SHOWN = {limit.path: limit.shown for limit in LIMITS}
_USUAL = {key.path: key for key in KEYS if key.usual}


@dataclass(frozen=True, slots=True)
class Both:
    """The ends of a range: `low` and `high` bound it whatever the mix of tokens, `usual` lies between."""

    low: int
    usual_low: int
    usual_high: int
    high: int


def dollars_for(tokens: int) -> Both:
    """What so many tokens cost, in nano-dollars: all input, 1 in 6 output, 7 in 12 output, all output.

    At $3 and $15 a blended million costs $3, $5, $10 and $15, so 10 M tokens cost $30, $50, $100 and $150. Cache reads,
    which cost about a tenth of input, are left out: with them the same tokens cost less.
    """
    per_token = [NANO_PER_DOLLAR * rate // 1_000_000 for rate in (INPUT_RATE, 5, 10, OUTPUT_RATE)]
    return Both(*(tokens * rate for rate in per_token))


def tokens_for(cost: Nano) -> Both:
    """How many tokens so much money buys: all output, 7 in 12 output, 1 in 6 output, all input."""
    per_token = [NANO_PER_DOLLAR * rate // 1_000_000 for rate in (OUTPUT_RATE, 10, 5, INPUT_RATE)]
    return Both(*(cost // rate for rate in per_token))


MIX = (
    f"At ${INPUT_RATE} per million input and ${OUTPUT_RATE} per million output tokens. Ends: all input, all output. "
    "Usual: between 1 in 6 and 7 in 12 tokens output. Cache reads, about a tenth of input, left out."
)


def in_both_forms(session: SessionLimits) -> tuple[str, ...]:
    """A session's caps in tokens and in dollars, each in the other's unit, and which is reached first.

    With every limit unlimited: the defaults, which apply then.
    """
    if session == _UNLIMITED:
        return (
            "no limit is left; the defaults apply where no budget bounds a session",
            *in_both_forms(SessionLimits()),
        )
    lines = []
    if session.tokens is not None:
        worth = dollars_for(session.tokens)
        ends = f"{n.show_dollars(_cents(worth.low))}-{_bare(worth.high)}"
        usual = f"{n.show_dollars(_cents(worth.usual_low))}-{_bare(worth.usual_high)}"
        lines.append(f"{n.show_tokens(session.tokens)} tokens cost {ends}, usually {usual}")
    if session.cost is not None:
        buys = tokens_for(session.cost)
        ends = f"{_round(buys.low)}-{_round(buys.high)}"
        usual = f"{_round(buys.usual_low)}-{_round(buys.usual_high)}"
        lines.append(f"{n.show_dollars(session.cost)} buys {ends} tokens, usually {usual}")
    if session.tokens is not None and session.cost is not None:
        worth = dollars_for(session.tokens)
        if session.cost < worth.usual_low:
            lines.append("the cost is usually reached first")
        elif session.cost > worth.usual_high:
            lines.append("the tokens are usually reached first")
        else:
            lines.append("either may be reached first")
    if not lines:
        lines.append("neither tokens nor cost are limited")
    return tuple(lines)


def notes_of(document: PolicyDocument) -> tuple[Note, ...]:
    """A note for each value outside its usual range, in file order."""
    notes = []
    for path, key in _USUAL.items():
        notes += [_note(path, key, document.values[path], document)] if path in document.values else []
    hold, cost = document.values.get("hold"), document.get("session.cost")
    if hold is not None and hold.value is not None and cost is not None and hold.value > cost:
        shown = f"{n.show_dollars(hold.value)}", n.show_dollars(cost)
        sentence = f"`hold` is {shown[0]}, more than `session.cost`; {shown[1]} is set aside."
        notes.append(Note(hold.line, hold.column, "hold", sentence))
    return tuple(sorted((note for note in notes if note), key=lambda note: (note.line, note.column)))


def _note(path: str, key: Key, written: Written, document: PolicyDocument) -> Note | None:
    low, high = key.usual or (0, 0)
    if isinstance(written.value, Cap):
        sentence = _about_cap(path, written.value, document, low, high)
    elif written.value is None or not low <= written.value <= high:
        show = _SHOWN[path]
        sentence = f"`{path}` is {show(written.value)}; usual is {show(low)} to {show(high)}."
    else:
        sentence = ""
    return Note(written.line, written.column, path, sentence) if sentence else None


def _about_cap(path: str, cap: Cap, document: PolicyDocument, low: Nano, high: Nano) -> str:
    """What is unusual about a cap; nothing for caps in tokens or in other windows, which have no usual range."""
    window = document.get(path.replace(".cap", ".window"), WindowKind.MONTH)
    if cap.nano == 0 or cap.tokens == 0:
        return f"`{path}` is zero: every start that draws on it is refused."
    if window is not WindowKind.MONTH or (cap.nano is None and cap.tokens is not None):
        return ""
    if cap.nano is not None and low <= cap.nano <= high:
        return ""
    month = "" if path == "tab.cap" else " a month"
    return f"`{path}` is {n.show_bounds(cap)}; usual is {n.show_dollars(low)} to {n.show_dollars(high)}{month}."


def _cents(nano: Nano) -> Nano:
    """To whole dollars from $10 on, to cents below: a range of estimates needs no more."""
    unit = NANO_PER_DOLLAR if nano >= 10 * NANO_PER_DOLLAR else NANO_PER_DOLLAR // 100
    return (nano + unit // 2) // unit * unit


def _bare(nano: Nano) -> str:
    return n.show_dollars(_cents(nano)).removeprefix("$")


def _round(tokens: int) -> str:
    """Two digits: `670k`, `3.3M`."""
    if tokens < 100:
        return str(tokens)
    unit = 10 ** (len(str(tokens)) - 2)
    return n.show_tokens((tokens + unit // 2) // unit * unit)
