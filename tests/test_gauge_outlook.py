"""Outlooks: the sentence about how full a window is, when it will be full, and when it begins anew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tabstop.gauge import FULL, GaugeReading, GaugeSource
from tabstop.gauge_outlook import said
from tabstop.gauge_rate import outlook
from tests.test_gauge_rate import NOW, READ, WEEK, earlier


@pytest.mark.parametrize(
    ("reading", "sentence"),
    [
        (READ, "Anthropic's 5-hour window is 82 % used; at its average rate full at 13:39 UTC, resets at 15:00 UTC."),
        (replace(READ, used=5_099), "Anthropic's 5-hour window is 50 % used; resets at 15:00 UTC."),
        (WEEK, "Anthropic's weekly window is 82 % used; at its average rate full at 3 November 15:20 UTC, resets at 4 November 13:00 UTC."),
        (replace(READ, used=FULL), "Anthropic's 5-hour window is full; resets at 15:00 UTC."),
        (replace(READ, used=10_250), "Anthropic's 5-hour window is full (102 % used); resets at 15:00 UTC."),
        (replace(READ, window="7d_opus", minutes=0, resets_at=None), "Anthropic's window `7d_opus` is 82 % used."),
        (replace(READ, vendor="acme", resets_at=NOW), "acme's 5-hour window has begun anew since it was last read."),
        (
            replace(READ, vendor="openai", used=2_000, source=GaugeSource.ESTIMATED),
            "OpenAI's 5-hour window is about 20 % used; resets at 15:00 UTC. Estimated from usage: the vendor has told nothing.",
        ),
    ],
)  # fmt: skip
def test_what_people_read(reading: GaugeReading, sentence: str) -> None:
    """Numbers first: how full, when full, when it begins anew; a guess says that it is one."""
    assert said(outlook(reading, NOW), NOW) == sentence


def test_a_rate_of_the_recent_past_says_so() -> None:
    """And one since the window began that it is an average, as above."""
    assert "at this rate full at 13:30 UTC" in said(outlook(READ, NOW, [earlier(6_400, 30)]), NOW)
