"""The most tokens that one response can have."""

import pytest

from tabstop.plausible import ANY_MODEL, Most, most_of


@pytest.mark.parametrize(
    ("window", "most"),
    [
        (200_000, Most(2_000_000, 1_000_000)),
        (1_000_000, Most(10_000_000, 1_000_000)),
        (2_000_000, Most(20_000_000, 2_000_000)),
        (None, ANY_MODEL),
    ],
)
def test_by_the_model_s_window(window: int | None, most: Most) -> None:
    """Wide enough for longer windows on trial, and for prompts that are read once for each of ten searches."""
    assert most_of(window) == most
