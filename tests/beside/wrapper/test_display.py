"""What is shown of a run while it goes on, where there is no terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count

import pytest

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.pricing import Pricer
from tabstop.beside.wrapper.display import Display
from tabstop.beside.wrapper.words import Voice
from tabstop.governor.facts import Resumed
from tabstop.governor.settings import Settings
from tabstop.price_card import PriceCard
from tabstop.session import Limits
from tests.governor.builders import BEGUN, at


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """(where it is read, where it is written)."""
    both = os.pipe()
    yield both
    for one in both:
        os.close(one)


@pytest.mark.parametrize(("plain", "lines"), [(True, 2), (False, 0)])
def test_a_line_a_minute_in_ci(pipe: tuple[int, int], plain: bool, lines: int) -> None:
    """From the first minute on, so that the log of a job that hangs says how far it came; nothing where nobody wants it."""
    seconds = count(0, 1)
    governed = GovernedSession(Settings(limits=Limits(iterations=50)), Pricer(PriceCard(BEGUN)), lambda: at(90))
    governed.tell(Resumed(at(0)))
    display = Display(governed, Voice(pipe[1], github=False), None, plain=plain, monotonic=lambda: float(next(seconds)))
    for _ in range(150):
        display.look(counted=True)
    display.clear()
    os.write(pipe[1], b"end")
    said = os.read(pipe[0], 10_000).decode().splitlines()
    assert said[-1] == "end"
    assert len(said) - 1 == lines
    assert all(line.startswith("tabstop: $") and "/50 calls" in line and "1 min 30 s" in line for line in said[:-1]), (
        said
    )
