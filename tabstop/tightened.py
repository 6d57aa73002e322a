"""Tightened: limits that a person or a program chose below those a server allows, and how they grow when the server raises its own."""

from __future__ import annotations

from dataclasses import fields

from tabstop.session import Limits

_NAMES = tuple(one.name for one in fields(Limits))


def tightened(limits: Limits, by: Limits) -> Limits:
    """Of each limit the lower one; what neither bounds stays unbounded."""
    return Limits(**{name: _least(getattr(limits, name), getattr(by, name)) for name in _NAMES})


def regrown(mine: Limits, admitted: Limits, allowed: Limits) -> Limits:
    """What binds a session admitted with `admitted` and tightened to `mine`, now that the server allows `allowed`.

    A limit that was tightened grows by as much as the server's own did, so that an overdrive helps and a report's answer does not
    widen what was chosen; any other is the server's.
    """

    def one(name: str) -> int | None:
        chosen: int | None = getattr(mine, name)
        before: int | None = getattr(admitted, name)
        now: int | None = getattr(allowed, name)
        if chosen == before or chosen is None:
            return now
        raised = max(0, now - before) if now is not None and before is not None else 0
        return _least(chosen + raised, now)

    return Limits(**{name: one(name) for name in _NAMES})


def _least(*limits: int | None) -> int | None:
    return min((one for one in limits if one is not None), default=None)
