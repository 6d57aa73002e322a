"""The animation: gauges that fill, a timeline that scrolls, in the time it was told."""

from io import StringIO

import pytest
from rich.console import Console

from tabstop.cli.lab_screen import LONGEST_PAUSE, show_live
from tests.lab.played import played


def shown(name: str, speed: float | None) -> tuple[str, list[float]]:
    stream, pauses = StringIO(), list[float]()
    console = Console(file=stream, force_terminal=True, width=100, height=40, legacy_windows=False)
    show_live(played(name), speed, console, pauses.append)
    return stream.getvalue(), pauses


def test_it_shows_gauges_timeline_and_end() -> None:
    """Everything the plain output says last is said last."""
    text, pauses = shown("stuck-loop", None)
    assert "stuck-loop: the very same call" in text
    assert "it begins to run away" in text
    assert "█" in text
    assert "iterations, time" in text
    assert "An hour without the governor" in text
    assert len(pauses) == len(played("stuck-loop").iterations)
    assert 5 < sum(pauses) <= 10.5


@pytest.mark.parametrize(("speed", "seconds"), [(1.0, 4.7), (10.0, 0.47)])
def test_its_speed(speed: float, seconds: float) -> None:
    """In the time of the fake clock, or so many times as fast."""
    assert sum(shown("classic", speed)[1]) == pytest.approx(seconds, abs=0.1)


def test_nobody_waits_for_hours() -> None:
    """However slow it is to be shown."""
    assert max(shown("backoff", 1.0)[1]) == LONGEST_PAUSE


def test_a_healthy_end() -> None:
    """It has no runaway to mark."""
    text, _ = shown("healthy", 1_000.0)
    assert "Ended at" in text
    assert "run away" not in text
