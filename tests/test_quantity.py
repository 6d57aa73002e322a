"""How counts, spans and lists are printed for people."""

from __future__ import annotations

import pytest

from tabstop.quantity import exact_span, listed, ordinal


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


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (65, "1 min 5 s"),
        (3_600, "1 h"),
        (3_605, "1 h 5 s"),
        (5_401, "1 h 30 min 1 s"),
    ],
)
def test_an_exact_length_of_time(seconds: int, shown: str) -> None:
    """So that what is used and what is allowed never look alike."""
    assert exact_span(seconds) == shown


@pytest.mark.parametrize(
    ("words", "said"),
    [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")],
)
def test_a_list(words: list[str], said: str) -> None:
    """As English says it: one word stands alone, and the last of several behind `or`, or what else is named."""
    assert listed(words, "or") == said
    assert listed(words) == said.replace(" or ", " and ")
