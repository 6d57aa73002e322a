"""The page says what came of each scene, what nobody could know, and why one could not be played."""

from __future__ import annotations

from tests.real_agents.truth.claude import SCENES
from tests.real_agents.truth.judge import Verdict
from tests.real_agents.truth.machine import Source
from tests.real_agents.truth.scene import Played
from tests.real_agents.truth.table import document

SCENE = SCENES[0]
SOURCES = frozenset({Source.LOGS, Source.PROXY})
HEAD = f"| {SCENE.name} | {SCENE.about} | logs, proxy |"


def rows(*played: Played) -> list[str]:
    return [line for line in document(played).splitlines() if line.startswith("| claude-")]


def test_a_scene_is_a_row() -> None:
    """With what differs, and what is known to nobody."""
    right = Verdict(3_500_000_000, 3_000_000_000, 7, 0, 0, 1, 500_000_000, "broken off")
    wrong = Verdict(1_000_000_000, 2_000_000_000, 1, 1, 1_000_000_000)
    played = (Played(SCENE, SOURCES, right, requests=9), Played(SCENE, SOURCES, wrong, again="another order: no"))
    assert rows(*played) == [
        f"{HEAD} 7 | $3.50 | $3.00 | 0 | 0 | 1 for $0.50: broken off | 9, nothing changed |",
        f"{HEAD} 1 | $1.00 | $2.00 | 1000000000 | 1 |  | **another order: no** |",
    ]
    assert "In sum: 8 calls, error 1000000000, misplaced 1." in document(played)


def test_what_could_not_be_played_says_why() -> None:
    """And never looks like a zero."""
    assert rows(Played(SCENE, SOURCES, problem="it hung\nat once")) == [f"{HEAD} | | | | | | **it hung** |"]
