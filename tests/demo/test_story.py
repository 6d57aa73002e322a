"""The story checks itself: a step that does not come true ends it and is named."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import cast

import pytest
from rich.console import Console

from app.demo.stage import NotTrueError, Stage
from app.demo.story import Play, tell
from app.demo.telling import Colour, Step, Telling

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def a_telling() -> Telling:
    return Telling(Console(file=io.StringIO(), width=200))


def printed(telling: Telling) -> str:
    stream = telling.console.file
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def nowhere() -> Play:
    """A play whose acts ask nothing of the stage."""
    return Play(cast("Stage", None))


def comes_true(_play: Play, /) -> Step:
    return Step("it opens", ("said", "and more"), Colour.GREEN, AT)


def does_not(_play: Play, /) -> Step:
    raise NotTrueError("the check did not become failure")


def test_what_does_not_come_true_ends_the_story() -> None:
    """No later act is played, and what failed is kept for the page and the exit code."""
    telling = a_telling()
    assert not tell(telling, nowhere(), [comes_true, does_not, comes_true])
    steps, ended, failed = telling.so_far()
    assert (len(steps), ended, failed) == (1, True, "the check did not become failure")


def test_a_step_is_a_few_plain_lines() -> None:
    """Without a terminal there is no colour code; the colour is a word."""
    telling = a_telling()
    assert tell(telling, nowhere(), [comes_true])
    assert printed(telling) == "   1  it opens  ● green\n      said\n      and more\n"


@pytest.mark.parametrize(
    ("conclusion", "colour"),
    [("success", Colour.GREEN), ("neutral", Colour.AMBER), ("failure", Colour.RED), ("", Colour.NONE)],
)
def test_a_conclusion_has_the_colour_people_see(conclusion: str, colour: Colour) -> None:
    """As GitHub shows them."""
    assert Colour.of(conclusion) is colour
