"""Holds: how much admission sets aside for a session, and how that follows its usage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tabstop.budget import Amount, Budget
from tabstop.money import NANO_PER_DOLLAR, Nano

WITHOUT_HISTORY: Nano = 2 * NANO_PER_DOLLAR
"""What `auto` sets aside where no session of this repository and agent has ended yet."""

WITHOUT_HISTORY_TOKENS = 500_000

SMALLEST: Nano = NANO_PER_DOLLAR // 20
"""What `auto` never goes below: less room than this is no room to work in."""

SMALLEST_TOKENS = 20_000

RECENT = 50
"""How many ended sessions `auto` looks back on."""


def needed_by_most(amounts: Sequence[int]) -> int | None:
    """What 9 of 10 of these sessions needed at most: the nearest-rank 90th percentile; None of nothing."""
    if not amounts:
        return None
    ranked = sorted(amounts)
    return ranked[max(0, -(-9 * len(ranked) // 10) - 1)]


def auto_hold(needed: Amount | None, session_cap: Amount, budgets: Iterable[Budget]) -> Amount:
    """The hold of `auto`: what most recent sessions needed, at most the session's cap, at most a quarter of the room.

    The quarter keeps parallel starts from being refused out of caution alone: each takes a part of what is left until
    less than the smallest useful hold remains. Usage tops it up. session_cap: its own limits.
    """
    wanted = needed or Amount(WITHOUT_HISTORY, WITHOUT_HISTORY_TOKENS)
    wanted = Amount(max(wanted.nano, SMALLEST), max(wanted.tokens, SMALLEST_TOKENS))
    wanted = wanted.at_most(session_cap)
    nano, tokens = wanted.nano, wanted.tokens
    for budget in budgets:
        if budget.nano_room is not None:
            nano = min(nano, max(SMALLEST, budget.nano_room // 4))
        if budget.token_room is not None:
            tokens = min(tokens, max(SMALLEST_TOKENS, budget.token_room // 4))
    return Amount(nano, tokens)


def topped_up(wanted: Amount, held: Amount, budgets: Iterable[Budget]) -> tuple[Amount, tuple[Budget, ...]]:
    """What can be added to a session's hold so that it is `wanted` again, and the budgets that leave it too little to work on.

    Never more than the room of every budget. Less than wanted is enough down to the smallest hold: parallel sessions
    are not told to wind down because others hold a part. With any budget too short: keep the allowance, wind down.
    """
    add = (wanted - held).at_least_zero()
    needed = (wanted.at_most(Amount(SMALLEST, SMALLEST_TOKENS)) - held).at_least_zero()
    short = []
    for budget in budgets:
        room = Amount(
            max(add.nano, needed.nano) if budget.nano_room is None else max(0, budget.nano_room),
            max(add.tokens, needed.tokens) if budget.token_room is None else max(0, budget.token_room),
        )
        add = add.at_most(room)
        if needed.at_most(room) != needed:
            short.append(budget)
    return add, tuple(short)
