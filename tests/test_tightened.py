"""Limits below a server's: never widened by what it says, raised with its own."""

from __future__ import annotations

import pytest

from tabstop.session import Limits
from tabstop.tightened import regrown, tightened


def test_the_tighter_limit_holds() -> None:
    """Of each one."""
    assert tightened(Limits(tokens=5, cost=7), Limits(tokens=9, iterations=3)) == Limits(5, None, 3, None, 7)


@pytest.mark.parametrize(
    ("mine", "admitted", "allowed", "binds"),
    [
        (7, 100, 100, 7),  # a report's answer
        (7, 100, 105, 12),  # an overdrive
        (7, 100, 90, 7),  # an overdrive that lapsed
        (7, 100, 5, 5),
        (7, None, None, 7),  # the server does not bound it
        (7, None, 50, 7),
        (7, 100, None, 7),
        (100, 100, 105, 105),  # not tightened
        (100, 100, 5, 5),
        (None, None, 5, 5),
    ],
)
def test_what_binds_after_the_server_spoke(
    mine: int | None, admitted: int | None, allowed: int | None, binds: int | None
) -> None:
    """For any limit."""
    assert regrown(Limits(cost=mine), Limits(cost=admitted), Limits(cost=allowed)) == Limits(cost=binds)
