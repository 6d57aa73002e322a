"""Where logs are looked for."""

from pathlib import Path

import pytest

from tabstop.agents.homes import Homes

HOME = Path("/home/dev")


def test_usual_places() -> None:
    """Both places in which Claude Code keeps its folder count."""
    assert Homes.from_environ({"HOME": "/home/dev"}) == Homes(
        claude_code=(HOME / ".claude", HOME / ".config/claude"),
        codex=(HOME / ".codex",),
        gemini=(HOME / ".gemini",),
        opencode=(HOME / ".local/share/opencode",),
    )


@pytest.mark.parametrize(
    ("environ", "field", "expected"),
    [
        ({"CLAUDE_CONFIG_DIR": "/a, /b,,/a"}, "claude_code", (Path("/a"), Path("/b"))),
        ({"CLAUDE_CONFIG_DIR": "~/mine"}, "claude_code", (HOME / "mine",)),
        ({"CLAUDE_CONFIG_DIR": "not/absolute"}, "claude_code", (HOME / ".claude", HOME / ".config/claude")),
        ({"XDG_CONFIG_HOME": "/config"}, "claude_code", (HOME / ".claude", Path("/config/claude"))),
        ({"CODEX_HOME": "/codex"}, "codex", (Path("/codex"),)),
        ({"GEMINI_CLI_HOME": "/elsewhere"}, "gemini", (Path("/elsewhere/.gemini"),)),
        ({"XDG_DATA_HOME": "/data"}, "opencode", (Path("/data/opencode"),)),
    ],
)
def test_each_agents_own_variable(environ: dict[str, str], field: str, expected: tuple[Path, ...]) -> None:
    """As its client reads it."""
    assert getattr(Homes.from_environ({"HOME": "/home/dev", **environ}), field) == expected


def test_without_a_home() -> None:
    """Only what a variable names."""
    assert Homes.from_environ({}) == Homes()
    assert Homes.from_environ({"CODEX_HOME": "/codex", "CLAUDE_CONFIG_DIR": "~"}) == Homes(codex=(Path("/codex"),))
