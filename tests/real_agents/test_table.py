"""The page about the real agents says what came of each cell, and what cannot be done."""

from __future__ import annotations

from tests.real_agents.agents import AGENTS, Attach
from tests.real_agents.cell import Cell
from tests.real_agents.invoice import Limit
from tests.real_agents.table import document

CLAUDE, CODEX, _, OPENCODE = AGENTS


def rows(*cells: Cell) -> list[str]:
    return [line for line in document(cells, 12, 60).splitlines() if line.startswith(("| Cl", "| Co", "| Op", "Codex"))]


def test_a_cell_is_a_row() -> None:
    """What is wrong with it stands in it, without the path it was seen at."""
    cell = Cell(CLAUDE, Attach.WRAPPER, Limit.COST, after=2, code=70, outcome="stopped: cost", used="$1.58")
    assert rows(cell) == ["| Claude Code | wrapper | cost | 2 | 70 | stopped: cost | $1.58 of $1.40 |"]
    wrong = Cell(CLAUDE, Attach.PROXY, Limit.TOOL_CALLS, outcome="finished", used="6", wrong="too late; see somewhere")
    assert rows(wrong) == ["| Claude Code | proxy | tool calls | 0 | 0 | finished (**wrong**: too late) | 6 of 5 |"]


def test_what_cannot_be_done_is_one_row() -> None:
    """It names the limits it is about, and why."""
    cells = [Cell(OPENCODE, Attach.HOOKS, limit, OPENCODE.cannot(Attach.HOOKS, limit)) for limit in Limit]
    assert rows(*cells) == [
        "| OpenCode | hooks | tokens, tool calls, iterations, wall clock, cost | | | cannot be done: it has plugins instead of hooks, and there is none of ours | |"
    ]


def test_where_nothing_bounds_the_calls_it_says_so() -> None:
    """A Codex hook cannot end a turn."""
    cell = Cell(CODEX, Attach.HOOKS, Limit.TOKENS, after=8, outcome="suspended", used="1.3M")
    row, why = rows(cell)
    assert "| 8, no bound |" in row
    assert why.startswith("Codex under hooks: a hook cannot end its turn")
