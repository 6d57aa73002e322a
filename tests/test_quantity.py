"""How counts are printed for people."""

from __future__ import annotations

import pytest

from tabstop.quantity import ordinal


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (12, "12th"),
        (13, "13th"),
        (22, "22nd"),
        (111, "111th"),
    ],
)
def test_ordinals(number: int, said: str) -> None:
    """English: the teens are exceptions."""
    assert ordinal(number) == said
