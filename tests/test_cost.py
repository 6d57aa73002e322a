"""A cost is known or it is not; nothing in between can be written down."""

from __future__ import annotations

import pytest

from tabstop.cost import Cost, CostState


@pytest.mark.parametrize(
    ("state", "nano", "allowed"),
    [
        (CostState.KNOWN, 0, True),
        (CostState.ESTIMATED, 5, True),
        (CostState.UNKNOWN, None, True),
        (CostState.UNKNOWN, 0, False),
        (CostState.KNOWN, None, False),
        (CostState.ESTIMATED, None, False),
    ],
)
def test_an_unknown_price_is_never_zero_and_a_known_one_never_missing(
    state: CostState, nano: int | None, allowed: bool
) -> None:
    """The value refuses what every surface would otherwise have to watch for."""
    if allowed:
        assert Cost(state, nano).nano == nano
    else:
        with pytest.raises(ValueError, match="nano-dollars"):
            Cost(state, nano)
